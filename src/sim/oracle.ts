/**
 * What may be read, by a model that shares nothing with the engine: for each 512-byte sector the values that a read
 * may return. Values are digests of the sector's bytes.
 *
 * A write that has ended supersedes every write that ended before it began. A read may return what was not yet
 * superseded when it began, and anything whose write began before the read ended. A write that failed leaves its
 * sectors open: its value or those before it.
 */

export const SECTOR = 512

/** The digest of a sector of zeros is 0. */
export type Digest = number

interface Written {
  readonly digest: Digest
  readonly began: number
  ended: number
  failed: boolean
}

/** A write or a discard under way. */
export interface WriteHandle {
  readonly first: number
  readonly entries: readonly Written[]
}

/** A read under way. */
export interface ReadHandle {
  readonly first: number
  readonly admissible: readonly Set<Digest>[]
}

const NEVER = Number.POSITIVE_INFINITY

export class Oracle {
  private time = 0
  private readonly sectors = new Map<number, Written[]>()
  private readonly reads = new Set<ReadHandle>()

  beginWrite(offset: number, bytes: Uint8Array): WriteHandle {
    const first = offset / SECTOR
    const began = this.time++
    const entries: Written[] = []
    for (let i = 0; i < bytes.length / SECTOR; i++) {
      const entry = { digest: digest(bytes, i * SECTOR), began, ended: NEVER, failed: false }
      entries.push(entry)
      this.at(first + i).push(entry)
      for (const read of this.reads) read.admissible[first + i - read.first]?.add(entry.digest)
    }
    return { first, entries }
  }

  endWrite({ first, entries }: WriteHandle, succeeded: boolean): void {
    const now = this.time++
    entries.forEach((entry, i) => {
      entry.ended = now
      entry.failed = !succeeded
      if (!succeeded) return
      const kept = this.at(first + i).filter((other) => other === entry || other.ended >= entry.began)
      this.sectors.set(first + i, kept)
    })
  }

  beginRead(offset: number, length: number): ReadHandle {
    this.time++
    const first = offset / SECTOR
    const admissible = Array.from(
      { length: length / SECTOR },
      (_, i) => new Set(this.at(first + i).map((w) => w.digest)),
    )
    const handle = { first, admissible }
    this.reads.add(handle)
    return handle
  }

  /** Gives a sentence about the first sector that may not hold what was read, or null. */
  endRead(handle: ReadHandle, bytes: Uint8Array): string | null {
    this.time++
    this.reads.delete(handle)
    for (let i = 0; i < handle.admissible.length; i++) {
      const found = digest(bytes, i * SECTOR)
      if (handle.admissible[i].has(found)) continue
      const wanted = [...handle.admissible[i]].map((d) => d.toString(16)).join(', ')
      return `sector ${handle.first + i} reads as ${found.toString(16)}, may be ${wanted}`
    }
    return null
  }

  /** A read that failed says nothing. */
  dropRead(handle: ReadHandle): void {
    this.reads.delete(handle)
  }

  private at(sector: number): Written[] {
    let list = this.sectors.get(sector)
    if (list === undefined) {
      list = [{ digest: 0, began: -1, ended: -1, failed: false }]
      this.sectors.set(sector, list)
    }
    return list
  }
}

/** 52 bits of two FNV-style sums; 0 for zeros. */
export function digest(bytes: Uint8Array, at: number): Digest {
  let a = 0x811c9dc5
  let b = 0x9747b28c
  let any = 0
  for (let i = at; i < at + SECTOR; i++) {
    const byte = bytes[i]
    any |= byte
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 13)
  }
  return any === 0 ? 0 : (a >>> 0) * 0x100000 + (b >>> 12) + 1
}
