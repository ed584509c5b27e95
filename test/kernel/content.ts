/**
 * Data and workload of the judges. Everything follows from seeds, and nothing here knows how the engine works:
 * what must be readable is kept in a plain file, the mirror.
 */

import { createCipheriv, createHash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

const BLOCK = 4096
const MIB = 2 ** 20

/** Bytes that look random, repeat for the same seed, and come at a gigabyte a second. */
export function randomBytes(seed: number, length: number): Buffer {
  const key = createHash('sha256').update(`bytes ${seed}`).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** A stream of choices. */
export class Choices {
  private readonly words: Uint32Array
  private next = 0
  private refills = 0

  constructor(private readonly seed: number) {
    this.words = new Uint32Array(16_384)
    this.refill()
  }

  below(limit: number): number {
    if (this.next === this.words.length) this.refill()
    return (this.words[this.next++] ?? 0) % limit
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  private refill(): void {
    const bytes = randomBytes(this.seed * 1_000_003 + this.refills++, this.words.byteLength)
    new Uint8Array(this.words.buffer).set(bytes)
    this.next = 0
  }
}

const WORDS = ['alpha ', 'bravo ', 'charlie ', 'delta ', 'echo ', 'foxtrot ', 'golf ', 'hotel ']

/** One block. Its kind follows from the id: noise, half noise (2:1), text (10:1 or better). */
export function contentBlock(id: number): Buffer {
  switch (id % 4) {
    case 0: {
      const block = Buffer.alloc(BLOCK, id & 0xff)
      randomBytes(id, 1900).copy(block)
      return block
    }
    case 1: {
      const choices = new Choices(id)
      let unit = `${id.toString(36)} `
      for (let word = 0; word < 12; word++) unit += WORDS[choices.below(WORDS.length)] ?? ''
      return Buffer.alloc(BLOCK, unit)
    }
    default:
      return randomBytes(id, BLOCK)
  }
}

/** Blocks in a row: new ones of every kind, some seen before, some zero. */
export class BlockSource {
  private readonly choices: Choices
  private fresh: number

  constructor(seed: number) {
    this.choices = new Choices(seed)
    this.fresh = seed * 1_000_000
  }

  blocks(count: number): Buffer {
    const parts: Buffer[] = []
    const first = Math.floor(this.fresh / 1_000_000) * 1_000_000
    for (let block = 0; block < count; block++) {
      const known = this.fresh - first
      if (this.choices.chance(6)) parts.push(Buffer.alloc(BLOCK))
      else if (known > 0 && this.choices.chance(25))
        parts.push(contentBlock(first + this.choices.below(known)))
      else parts.push(contentBlock(this.fresh++))
    }
    return Buffer.concat(parts)
  }
}

/** What the volume must hold: a sparse file that every write and discard is applied to as well. */
export class Mirror {
  private readonly file: number

  constructor(path: string, sizeBytes: number) {
    this.file = openSync(path, 'w+')
    ftruncateSync(this.file, sizeBytes)
  }

  write(offset: number, bytes: Uint8Array): void {
    writeSync(this.file, bytes, 0, bytes.length, offset)
  }

  zero(offset: number, length: number): void {
    this.write(offset, Buffer.alloc(length))
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    readSync(this.file, bytes, 0, length, offset)
    return bytes
  }

  /** SHA-256 of one run of `mib` mebibytes, as the guest's `sums` numbers them. */
  sum(run: number, mib: number): string {
    return sha256(this.read(run * mib * MIB, mib * MIB))
  }

  close(): void {
    closeSync(this.file)
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What the workload needs of a volume. */
export interface Target {
  write(offset: number, bytes: Uint8Array, options?: { fua?: boolean }): Promise<void>
  discard(offset: number, length: number): Promise<void>
  flush(): Promise<void>
}

export interface Region {
  readonly offset: number
  readonly length: number
}

/** Requests in flight at once; they never overlap, so that the mirror knows the outcome. */
const WAVE = 48

/** No request of the workload is longer. */
const LONGEST = 96 * BLOCK

/**
 * Fills regions with everything a client may do: runs of blocks at any block, partial blocks at any byte, zeros,
 * discards, FUA, flushes, and all of it over data that is there already. Gives the bytes that were written.
 */
export async function fill(
  target: Target,
  mirror: Mirror,
  regions: readonly Region[],
  bytes: number,
  seed: number,
): Promise<number> {
  const choices = new Choices(seed)
  const source = new BlockSource(seed)
  let written = 0
  while (written < bytes) {
    const wave: Promise<void>[] = []
    for (const { offset, length } of strips(regions, choices)) {
      if (choices.chance(4)) wave.push(target.flush())
      const kind = choices.below(100)
      if (kind < 8) {
        mirror.zero(offset, length)
        wave.push(target.discard(offset, length))
        continue
      }
      const data = someData(kind, offset, length, source)
      mirror.write(offset, data)
      wave.push(target.write(offset, data, { fua: choices.chance(3) }))
      written += length
    }
    await Promise.all(wave)
  }
  return written
}

/** Disjoint ranges for one wave: one in each strip of a region, most of them whole blocks. */
function strips(regions: readonly Region[], choices: Choices): Region[] {
  const found: Region[] = []
  for (const region of regions) {
    const count = Math.max(1, Math.round((WAVE * region.length) / totalLength(regions)))
    const strip = Math.floor(region.length / count / BLOCK) * BLOCK
    for (let index = 0; index < count; index++) {
      const start = region.offset + index * strip
      if (choices.chance(20)) {
        const length = 1 + choices.below(5 * BLOCK)
        found.push({ offset: start + choices.below(strip - length), length })
      } else {
        const length = BLOCK * (1 + choices.below(Math.min(LONGEST, strip) / BLOCK))
        found.push({ offset: start + BLOCK * choices.below((strip - length) / BLOCK + 1), length })
      }
    }
  }
  return found
}

function totalLength(regions: readonly Region[]): number {
  return regions.reduce((sum, { length }) => sum + length, 0)
}

function someData(kind: number, offset: number, length: number, source: BlockSource): Buffer {
  if (kind < 13) return Buffer.alloc(length)
  const shift = offset % BLOCK
  const blocks = source.blocks(Math.ceil((shift + length) / BLOCK))
  return blocks.subarray(shift, shift + length)
}
