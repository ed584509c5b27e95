/**
 * A record page: 1,024 records of 32 bytes (a name, its data), and nothing else. They form a complete binary search
 * tree by name, laid out level by level: slot 0 is the root, the children of slot k are 2k + 1 and 2k + 2. A search
 * needs no more than 11 looks and no index.
 *
 * ```
 *  slot   0 │ 1   2 │ 3   4   5   6 │ …        walked in order (3 1 4 0 5 2 6 …) the names ascend
 * ```
 *
 * The order is that of unsigned bytes. Equal names occur only where one record fills empty places.
 */
import { RECORD_BYTES, RECORDS_PER_PAGE } from './geometry.js'
import { DATA_BYTES } from './index-requests.js'

/** The slot of each record, by its place in the sorted order. */
const SLOT_OF_RANK = slotsInOrder()

/** Sorting keys of a page: what starts the name, and below it which record it is. Used within one call. */
const keys = new Float64Array(RECORDS_PER_PAGE)

/** No record of the page has the name. */
export const NO_RECORD = -1

/** Makes the page at `at` of 1,024 records that lie in any order from byte `from` on. The two do not overlap. */
export function encodeRecordPage(records: Uint8Array, from: number, page: Uint8Array, at: number): void {
  for (let i = 0; i < RECORDS_PER_PAGE; i++) keys[i] = sortingKey(records, from, i)
  keys.sort()
  settleTies(records, from)
  for (let rank = 0; rank < RECORDS_PER_PAGE; rank++) {
    const source = from + recordOfKey(keys[rank]) * RECORD_BYTES
    const target = at + SLOT_OF_RANK[rank] * RECORD_BYTES
    for (let i = 0; i < RECORD_BYTES; i++) page[target + i] = records[source + i]
  }
}

/** The byte in `page` where the data of a name's record begins, or `NO_RECORD`. */
export function findInRecordPage(page: Uint8Array, at: number, names: Uint8Array, nameAt: number): number {
  let slot = 0
  while (slot < RECORDS_PER_PAGE) {
    const record = at + slot * RECORD_BYTES
    let i = 0
    let order = 0
    do {
      order = names[nameAt + i] - page[record + i]
      i++
    } while (order === 0 && i < DATA_BYTES)
    if (order === 0) return record + DATA_BYTES
    slot = 2 * slot + (order < 0 ? 1 : 2)
  }
  return NO_RECORD
}

/** The first 43 bits of a record's name, and 10 that say which record it is: exact, and in the order of names. */
function sortingKey(records: Uint8Array, from: number, record: number): number {
  const at = from + record * RECORD_BYTES
  const high =
    ((records[at] << 24) | (records[at + 1] << 16) | (records[at + 2] << 8) | records[at + 3]) >>> 0
  const low = (records[at + 4] << 3) | (records[at + 5] >>> 5)
  return (high * 2048 + low) * RECORDS_PER_PAGE + record
}

function recordOfKey(key: number): number {
  return key - Math.floor(key / RECORDS_PER_PAGE) * RECORDS_PER_PAGE
}

/** Orders those whose first 43 bits are equal, which keys alone put in the order of their records. */
function settleTies(records: Uint8Array, from: number): void {
  for (let i = 1; i < RECORDS_PER_PAGE; i++) {
    const key = keys[i]
    const prefix = Math.floor(key / RECORDS_PER_PAGE)
    let j = i
    while (
      j > 0 &&
      Math.floor(keys[j - 1] / RECORDS_PER_PAGE) === prefix &&
      compareRecords(records, from, recordOfKey(key), recordOfKey(keys[j - 1])) < 0
    ) {
      keys[j] = keys[j - 1]
      j--
    }
    keys[j] = key
  }
}

function compareRecords(records: Uint8Array, from: number, a: number, b: number): number {
  for (let i = 0; i < DATA_BYTES; i++) {
    const order = records[from + a * RECORD_BYTES + i] - records[from + b * RECORD_BYTES + i]
    if (order !== 0) return order
  }
  return 0
}

function slotsInOrder(): Uint16Array {
  const slots = new Uint16Array(RECORDS_PER_PAGE)
  let rank = 0
  const walk = (slot: number): void => {
    if (slot >= RECORDS_PER_PAGE) return
    walk(2 * slot + 1)
    slots[rank++] = slot
    walk(2 * slot + 2)
  }
  walk(0)
  return slots
}
