/**
 * The chapter that is open, one zone's share of it: records in the order in which they came, found by their names.
 * When it is full it is closed, and stays here to be searched while it is written and until the next one closes.
 *
 * The records lie in memory that is handed in, so that whoever writes the chapter or saves it can reach them; it
 * may, once the zone has said that the chapter is closed, or that it rests. How a name leads to its record is the
 * zone's own: a table of places, each with a record's number and a few bits of its name, tried one after another
 * from where the name begins. A record that is forgotten keeps its place and its room.
 */
import { assert } from '../base/assert.js'
import type { Bump } from '../base/bump.js'
import { type IndexGeometry, RECORD_BYTES } from './geometry.js'
import { DATA_BYTES } from './index-requests.js'

/** A place: a record's number + 1 in the low bits (0 if it is free), bits of its name above. */
const NUMBER_BITS = 19
const NUMBER_MASK = 2 ** NUMBER_BITS - 1
const MARK_MASK = 2 ** (32 - NUMBER_BITS) - 1

/** What `find` gives for a name that is not there. */
export const NO_PLACE = -1

/** Records that a zone's share of a chapter has room for. */
export function openChapterCapacity(geometry: IndexGeometry, zones: number): number {
  return Math.floor(geometry.recordsPerChapter / zones)
}

/** What is reached by others: records, which of them were forgotten, and how many there are. */
export class OpenChapterMemory {
  /** 32 bytes a record: name, data. */
  readonly records: Uint8Array
  /** 1 for a record that was forgotten. */
  readonly deleted: Uint8Array
  private readonly header: Int32Array

  constructor(
    readonly capacity: number,
    bump: Bump,
  ) {
    this.records = bump.uint8(capacity * RECORD_BYTES)
    this.deleted = bump.uint8(capacity)
    this.header = bump.int32(1)
  }

  get size(): number {
    return this.header[0]
  }

  set size(count: number) {
    this.header[0] = count
  }
}

export class OpenChapter {
  private readonly places: Int32Array
  private readonly placeMask: number

  constructor(readonly memory: OpenChapterMemory) {
    assert(memory.capacity <= NUMBER_MASK - 1, 'the number of a record fits its place')
    const places = 2 ** Math.ceil(Math.log2(2 * memory.capacity))
    this.places = new Int32Array(places)
    this.placeMask = places - 1
    this.reset()
  }

  /** Records, forgotten ones among them. */
  get size(): number {
    return this.memory.size
  }

  /** How many more records there is room for. */
  get room(): number {
    return this.memory.capacity - this.memory.size
  }

  reset(): void {
    this.places.fill(0)
    this.memory.deleted.fill(0, 0, this.memory.size)
    this.memory.size = 0
  }

  /** The byte of `memory.records` where a name's data begins, or `NO_PLACE`. */
  find(names: Uint8Array, nameAt: number): number {
    const record = this.recordOf(names, nameAt)
    return record === NO_PLACE ? NO_PLACE : record * RECORD_BYTES + DATA_BYTES
  }

  /**
   * Enters a record, or gives one that is there other data. Returns for how many more there is room; where there is
   * none before, nothing is entered.
   */
  put(names: Uint8Array, nameAt: number, data: Uint8Array, dataAt: number): number {
    const { memory } = this
    const { records, size } = memory
    const left = memory.capacity - size
    if (left === 0) return 0
    const known = this.recordOf(names, nameAt)
    if (known !== NO_PLACE) {
      const at = known * RECORD_BYTES + DATA_BYTES
      for (let i = 0; i < DATA_BYTES; i++) records[at + i] = data[dataAt + i]
      return left
    }
    const at = size * RECORD_BYTES
    for (let i = 0; i < DATA_BYTES; i++) records[at + i] = names[nameAt + i]
    for (let i = 0; i < DATA_BYTES; i++) records[at + DATA_BYTES + i] = data[dataAt + i]
    const { places, placeMask } = this
    let place = firstPlace(names, nameAt) & placeMask
    while (places[place] !== 0) place = (place + 1) & placeMask
    places[place] = (size + 1) | (markOf(names, nameAt) << NUMBER_BITS)
    memory.size = size + 1
    return left - 1
  }

  /** Forgets a name, if it is there. */
  remove(names: Uint8Array, nameAt: number): void {
    const record = this.recordOf(names, nameAt)
    if (record !== NO_PLACE) this.memory.deleted[record] = 1
  }

  private recordOf(names: Uint8Array, nameAt: number): number {
    const { places, placeMask } = this
    const { records, deleted } = this.memory
    const mark = markOf(names, nameAt)
    let place = firstPlace(names, nameAt) & placeMask
    for (;;) {
      const found = places[place]
      if (found === 0) return NO_PLACE
      if (found >>> NUMBER_BITS === mark) {
        const record = (found & NUMBER_MASK) - 1
        if (isName(records, record * RECORD_BYTES, names, nameAt) && deleted[record] === 0) return record
      }
      place = (place + 1) & placeMask
    }
  }
}

/** Which zone a name belongs to, and which list of it, follows from its first half; so its second half is taken. */
function firstPlace(names: Uint8Array, at: number): number {
  return names[at + 8] | (names[at + 9] << 8) | (names[at + 10] << 16)
}

function markOf(names: Uint8Array, at: number): number {
  return (names[at + 11] | (names[at + 12] << 8)) & MARK_MASK
}

function isName(records: Uint8Array, at: number, names: Uint8Array, nameAt: number): boolean {
  for (let i = 0; i < DATA_BYTES; i++) if (records[at + i] !== names[nameAt + i]) return false
  return true
}
