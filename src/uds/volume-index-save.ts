/**
 * A volume index as it is saved: each zone in an area of its own, to be read by any number of zones.
 *
 * | size     | field                                                                              |
 * |----------|------------------------------------------------------------------------------------|
 * | 8, 4     | sparse only: `MI6-0001`, rate of samples                                           |
 * |          | for each part:                                                                     |
 * | 8, 8     | `MI5-0005`, nonce of the volume of chapters                                        |
 * | 8, 8     | lowest and highest chapter                                                         |
 * | 4, 4     | first list, count n of lists                                                       |
 * | 8 n      | flush chapter of each list                                                         |
 * | 8, 4, 4  | `DI-00002`, number of the zone, count of zones                                     |
 * | 4, 4     | first list, count n of lists                                                       |
 * | 8, 8     | entries, collisions among them                                                     |
 * | 2 n      | size of each list in bits                                                          |
 * |          | for each list of each part that is not empty:                                      |
 * | 1, 1     | `m`, `d` or `s`: the part; the bit at which the list starts in its bytes           |
 * | 2, 4     | count of bytes; number of the list                                                 |
 * | …        | the bytes; what is beside the list in the first and last is arbitrary              |
 * | 8        | `z` and zeros                                                                      |
 */
import { readU32 } from '../base/bytes.js'
import { MAX_INDEX_ZONES } from '../format/index-region.js'
import { indexCorrupt } from './index-error.js'
import { AreaReader, AreaWriter, paused, type Steps } from './storage-steps.js'
import { CHAPTER_LIMIT, MAX_ADDRESS, type SubIndex, type VolumeIndex } from './volume-index.js'

const SPARSE_MARK = 'MI6-0001'
const PART_MARK = 'MI5-0005'
const LISTS_MARK = 'DI-00002'
const END_TAG = 0x7a
const PART_HEADER_BYTES = 40
const LIST_HEADER_BYTES = 8
const MAX_LIST_BYTES = 8193
/** Lists that are gone through without a pause: some milliseconds when they are full. */
const LISTS_AT_ONCE = 2048

/** The nonce of the volume of chapters, in two words. */
export interface VolumeNonce {
  readonly low: number
  readonly high: number
}

/** Where a zone's part of a save is. */
export interface Area {
  readonly block: number
  readonly blocks: number
}

/** Writes the volume index of one zone. */
export function* saveVolumeIndex(index: VolumeIndex, nonce: VolumeNonce, area: Area): Steps<void> {
  const out = new AreaWriter(area.block, area.blocks)
  if (index.geometry.sparse) {
    out.mark(SPARSE_MARK)
    out.u32(index.geometry.sampleRate)
  }
  for (const part of index.parts) yield* savePart(index, part, nonce, out)
  for (const part of index.parts) yield* saveLists(part, out)
  if (!out.hasRoom(LIST_HEADER_BYTES)) yield* out.flush()
  out.u64(END_TAG)
  yield* out.finish()
}

function* savePart(index: VolumeIndex, part: SubIndex, nonce: VolumeNonce, out: AreaWriter): Steps<void> {
  const { lists, firstList, listCount } = part
  if (!out.hasRoom(PART_HEADER_BYTES)) yield* out.flush()
  out.mark(PART_MARK)
  out.u32(nonce.low)
  out.u32(nonce.high)
  out.u64(part.low)
  out.u64(part.high)
  out.u32(firstList)
  out.u32(listCount)
  for (let list = 0; list < listCount; list++) {
    if (!out.hasRoom(8)) yield* out.flush()
    out.u64(lists.ownerWord(list))
  }
  if (!out.hasRoom(PART_HEADER_BYTES)) yield* out.flush()
  out.mark(LISTS_MARK)
  out.u32(index.zone)
  out.u32(index.zones)
  out.u32(firstList)
  out.u32(listCount)
  out.u64(lists.entries)
  out.u64(lists.collisions)
  for (let list = 0; list < listCount; list++) {
    if (!out.hasRoom(2)) yield* out.flush()
    out.u16(lists.listBits(list))
  }
}

function* saveLists({ lists, firstList, listCount, tag }: SubIndex, out: AreaWriter): Steps<void> {
  for (let list = 0; list < listCount; list++) {
    if (lists.listBits(list) === 0) continue
    const bytes = lists.listByteCount(list)
    if (!out.hasRoom(LIST_HEADER_BYTES + bytes)) yield* out.flush()
    out.u8(tag.charCodeAt(0))
    out.u8(lists.listPhase(list))
    out.u16(bytes)
    out.u32(firstList + list)
    lists.copyList(list, 0, bytes, out.bytes, out.at)
    out.at += bytes
  }
}

/**
 * Fills the empty volume index of one zone from the areas of all zones that were saved. Throws if they are not whole
 * or of another index.
 */
export function* loadVolumeIndex(
  index: VolumeIndex,
  nonce: VolumeNonce,
  areas: readonly Area[],
): Steps<void> {
  if (areas.length < 1 || areas.length > MAX_INDEX_ZONES) {
    throw indexCorrupt('volume index', `it was saved by ${areas.length} zones`)
  }
  const readers = areas.map(
    ({ block, blocks }, i) => new AreaReader(block, blocks, `volume index of zone ${i}`),
  )
  const next = index.parts.map(() => 0)
  for (const [zone, reader] of readers.entries()) {
    if (index.geometry.sparse) {
      yield* reader.need(12)
      if (!reader.isMark(SPARSE_MARK)) throw reader.corrupt('it does not begin as one of a sparse index')
      const rate = reader.u32()
      if (rate !== index.geometry.sampleRate) throw reader.corrupt(`one in ${rate} is a sample`)
    }
    for (const [i, part] of index.parts.entries()) {
      next[i] = yield* loadPart(part, reader, nonce, zone, areas.length, next[i]!)
    }
  }
  for (const [i, part] of index.parts.entries()) {
    if (next[i] !== part.size.listCount) throw indexCorrupt('volume index', `there are only ${next[i]} lists`)
    if (!part.lists.spreadPrepared())
      throw indexCorrupt('volume index', 'its lists are larger than its memory')
  }
  for (const reader of readers) yield* loadLists(index, reader)
  for (const part of index.parts) yield* admit(part)
}

/** Reads what comes before the lists. Returns the list that the next zone begins with. */
function* loadPart(
  part: SubIndex,
  reader: AreaReader,
  nonce: VolumeNonce,
  zone: number,
  zones: number,
  next: number,
): Steps<number> {
  yield* reader.need(PART_HEADER_BYTES)
  if (!reader.isMark(PART_MARK)) throw reader.corrupt('a part does not begin as one')
  if (reader.u32() !== nonce.low || reader.u32() !== nonce.high)
    throw reader.corrupt('it is of another index')
  const low = reader.u64()
  const high = reader.u64()
  if (high >= CHAPTER_LIMIT || low > high) throw reader.corrupt(`it has chapters ${low} to ${high}`)
  if (zone > 0 && high !== part.high) throw reader.corrupt(`its open chapter is ${high}, not ${part.high}`)
  part.low = zone === 0 ? low : Math.max(part.low, low)
  part.high = high
  const first = reader.u32()
  const count = reader.u32()
  const behind = first + count
  if (first !== next || behind > part.size.listCount) {
    throw reader.corrupt(`it has lists ${first} to ${behind - 1}, wanted from ${next} on`)
  }
  for (let list = first; list < behind; list++) {
    if (!reader.has(8)) yield* reader.need(8)
    const flushed = reader.u64()
    if (flushed > high) throw reader.corrupt(`list ${list} was flushed for chapter ${flushed} after ${high}`)
    if (isOwn(part, list)) part.lists.setOwnerWord(list - part.firstList, flushed)
  }
  yield* reader.need(PART_HEADER_BYTES)
  if (!reader.isMark(LISTS_MARK)) throw reader.corrupt('lists do not begin as such')
  const isSame =
    reader.u32() === zone && reader.u32() === zones && reader.u32() === first && reader.u32() === count
  if (!isSame) throw reader.corrupt('its two headers contradict each other')
  reader.at += 16
  for (let list = first; list < behind; list++) {
    if (!reader.has(2)) yield* reader.need(2)
    const bits = reader.u16()
    if (isOwn(part, list)) part.lists.prepareList(list - part.firstList, bits)
  }
  return behind
}

function isOwn(part: SubIndex, list: number): boolean {
  return list >= part.firstList && list < part.firstList + part.listCount
}

function* loadLists(index: VolumeIndex, reader: AreaReader): Steps<void> {
  const loaded = index.parts.map(() => -1)
  for (;;) {
    if (!reader.has(LIST_HEADER_BYTES)) yield* reader.need(LIST_HEADER_BYTES)
    const tag = reader.u8()
    const phase = reader.u8()
    const bytes = reader.u16()
    const list = readU32(reader.bytes, reader.at)
    reader.at += 4
    if (tag === END_TAG) {
      if (phase !== 0 || bytes !== 0 || list !== 0) throw reader.corrupt('its end is none')
      return
    }
    const i = index.parts.findIndex((part) => part.tag.charCodeAt(0) === tag)
    const part = index.parts[i]
    if (part === undefined || phase > 7 || bytes > MAX_LIST_BYTES || list <= loaded[i]!) {
      throw reader.corrupt(`what stands for list ${list} is none`)
    }
    loaded[i] = list
    if (!reader.has(bytes)) yield* reader.need(bytes)
    if (isOwn(part, list)) {
      const own = list - part.firstList
      const bits = part.lists.listBits(own)
      if (bits === 0 || bytes !== (phase + bits + 7) >>> 3) {
        throw reader.corrupt(`list ${list} has ${bytes} bytes for ${bits} bits`)
      }
      part.lists.restoreList(own, phase, 0, reader.bytes, reader.at, bytes)
    }
    reader.at += bytes
  }
}

/** Goes through every list: what is used is known to be whole. */
function* admit({ lists, listCount, firstList, mask, high }: SubIndex): Steps<void> {
  for (let list = 0; list < listCount; list++) {
    if (list % LISTS_AT_ONCE === 0) yield* paused()
    const flushed = lists.ownerWord(list)
    if (!lists.admitList(list, MAX_ADDRESS, flushed & mask, Math.min(high - flushed, mask))) {
      throw indexCorrupt('volume index', `list ${firstList + list} is damaged`)
    }
  }
}
