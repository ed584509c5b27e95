/**
 * Pages of the volume of chapters, read one at a time and kept as long as there is room: for work that goes over
 * many chapters while the index does not serve. A page that was used last goes last.
 */
import { admitIndexPage } from './chapter-index-page.js'
import { BLOCKS_PER_PAGE, PAGE_BYTES } from './geometry.js'
import { type Steps, StorageOp } from './storage-steps.js'
import type { VolumeNonce } from './volume-index-save.js'

export class VolumePages {
  /** Pages by their numbers, in the order of their last use. */
  private readonly kept = new Map<number, Uint8Array>()

  constructor(
    /** The block of the device where page 0 begins. */
    private readonly start: number,
    private readonly nonce: VolumeNonce,
    private readonly capacity: number,
  ) {}

  /** A record page, whose bytes are good until the next page is asked for. */
  *read(page: number): Steps<Uint8Array> {
    const known = this.recall(page)
    if (known !== undefined) return known
    const bytes = this.room()
    yield* readPage(this.start, page, bytes)
    this.kept.set(page, bytes)
    return bytes
  }

  /** As `read`, an index page: undefined if what is there is none of this volume. */
  *readIndex(page: number): Steps<Uint8Array | undefined> {
    const known = this.recall(page)
    if (known !== undefined) return known
    const bytes = this.room()
    yield* readPage(this.start, page, bytes)
    if (!admitIndexPage(bytes, 0, this.nonce)) return undefined
    this.kept.set(page, bytes)
    return bytes
  }

  private recall(page: number): Uint8Array | undefined {
    const known = this.kept.get(page)
    if (known === undefined) return undefined
    this.kept.delete(page)
    this.kept.set(page, known)
    return known
  }

  /** The bytes of the page that was not used for longest, or new ones. */
  private room(): Uint8Array {
    if (this.kept.size < this.capacity) return new Uint8Array(PAGE_BYTES)
    const [page, bytes] = this.kept.entries().next().value!
    this.kept.delete(page)
    return bytes
  }
}

/** Reads a page of the volume that begins at block `start` into bytes of its caller. */
export function* readPage(start: number, page: number, bytes: Uint8Array): Steps<void> {
  const block = start + page * BLOCKS_PER_PAGE
  yield { op: StorageOp.Read, block, count: BLOCKS_PER_PAGE, bytes, at: 0 }
}
