/**
 * The open chapter as it is saved: the records of all zones in one area, to be read by any number of zones.
 *
 * | offset | size | field                                            |
 * |--------|------|--------------------------------------------------|
 * | 0      | 10   | `ALBOC02.00`                                     |
 * | 10     | 4    | count of records                                 |
 * | 14     | 32 n | records: name (16), data (16)                    |
 *
 * The zones take turns, each with its next record, and what was forgotten is left out. The area has room for a full
 * chapter, and is overwritten once a chapter is written: it then has no mark.
 */
import { RECORD_BYTES } from './geometry.js'
import { DATA_BYTES } from './index-requests.js'
import { AreaReader, AreaWriter, type Steps } from './storage-steps.js'
import type { Area } from './volume-index-save.js'

const MARK = 'ALBOC02.00'
const HEADER_BYTES = 14

/** One zone's share of an open chapter, at rest. */
export interface ChapterShare {
  /** 32 bytes a record. */
  readonly records: Uint8Array
  /** 1 for a record that was forgotten. */
  readonly deleted: Uint8Array
  /** Records, forgotten ones among them. */
  readonly size: number
}

/** What takes the records of a zone, and says for how many more there is room. */
export interface RecordTaker {
  put(names: Uint8Array, nameAt: number, data: Uint8Array, dataAt: number): number
}

/** Writes the shares of all zones. */
export function* saveOpenChapter(shares: readonly ChapterShare[], area: Area): Steps<void> {
  const out = new AreaWriter(area.block, area.blocks)
  out.mark(MARK)
  out.u32(shares.reduce((sum, share) => sum + recordsOf(share), 0))
  const longest = Math.max(...shares.map(({ size }) => size))
  for (let record = 0; record < longest; record++) {
    for (const { records, deleted, size } of shares) {
      if (record >= size || deleted[record] === 1) continue
      if (!out.hasRoom(RECORD_BYTES)) yield* out.flush()
      const from = record * RECORD_BYTES
      for (let i = 0; i < RECORD_BYTES; i++) out.bytes[out.at + i] = records[from + i]!
      out.at += RECORD_BYTES
    }
  }
  yield* out.finish()
}

function recordsOf({ deleted, size }: ChapterShare): number {
  let count = 0
  for (let i = 0; i < size; i++) if (deleted[i] === 0) count++
  return count
}

/**
 * Gives a zone those of the saved records that are its own; `limit` is how many a chapter can have. The zone stops
 * taking with one place free, since a chapter that is full would have to be closed; with other zones than those
 * that saved, some records may be lost so. Returns how many were. Throws if the area holds no open chapter.
 */
export function* loadOpenChapter(
  taker: RecordTaker,
  isOwn: (names: Uint8Array, at: number) => boolean,
  limit: number,
  area: Area,
): Steps<number> {
  const reader = new AreaReader(area.block, area.blocks, 'saved open chapter')
  yield* reader.need(HEADER_BYTES)
  if (!reader.isMark(MARK)) throw reader.corrupt('it does not begin as one')
  const count = reader.u32()
  if (count > limit) throw reader.corrupt(`it has ${count} records, wanted ${limit} at most`)
  let isFull = false
  let lost = 0
  for (let record = 0; record < count; record++) {
    if (!reader.has(RECORD_BYTES)) yield* reader.need(RECORD_BYTES)
    const { bytes, at } = reader
    reader.at += RECORD_BYTES
    if (!isOwn(bytes, at)) continue
    if (isFull) lost++
    else isFull = taker.put(bytes, at, bytes, at + DATA_BYTES) <= 1
  }
  return lost
}
