/**
 * A disk image in memory, as the blocks of it that are not zeros, and a disk over one: what is written to it leaves
 * the image as it is, so that one image serves many runs.
 */
import { SimStore } from '../../src/sim/sim-store.js'

const BLOCK = 4096

export interface Image {
  readonly blocks: ReadonlyMap<number, Uint8Array>
  readonly blockCount: number
}

const ZEROS = new Uint8Array(BLOCK)

/** A disk that is always stable, and asks no questions: of a damaged volume two requests may meet in a block. */
export class ImageStore extends SimStore {
  private readonly changed = new Map<number, Uint8Array>()

  constructor(private readonly image: Image) {
    super(image.blockCount)
  }

  override blockAt(block: number): Uint8Array {
    return this.changed.get(block) ?? this.image.blocks.get(block) ?? ZEROS
  }

  override write(block: number, bytes: Uint8Array): void {
    this.written++
    this.changed.set(block, bytes.slice())
  }

  override beginFlush(): number {
    return 0
  }
  override endFlush(): void {}
  override begin(): void {}
  override end(): void {}

  /** What the disk holds now. */
  snapshot(): Image {
    const blocks = new Map(this.image.blocks)
    for (const [block, bytes] of this.changed) blocks.set(block, bytes)
    return { blocks, blockCount: this.image.blockCount }
  }

  /** The bytes as of a file: what lies behind the end is zeros. */
  bytesAt(at: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size)
    for (let done = 0; done < size; ) {
      const block = Math.floor((at + done) / BLOCK)
      const from = (at + done) % BLOCK
      const part = this.blockAt(block).subarray(from, from + size - done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }
}
