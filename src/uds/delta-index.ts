/**
 * The delta lists of one zone, in memory: sorted keys, each with a payload, coded as `delta-code` tells. It is what
 * makes an index cost three bytes a record. Owned by the thread of its zone. `list-memory` says where the lists lie.
 *
 * Work goes through a cursor: `search` places it, `setPayload`, `put` and `remove` act where it is. Each of the
 * last two ends the cursor's use, and nothing allocates.
 *
 * In a list's header are marks. The keys are cut into `SEGMENTS` equal segments; a mark remembers where in the list
 * one begins, so that a search walks a part of a twelfth of it. They follow every change, and cost a quarter of a byte
 * a record. They are words 4 to 14, of segments 1 to 11:
 *
 * | bits     | content                                                                                          |
 * |----------|--------------------------------------------------------------------------------------------------|
 * | 0 to 15  | how far the key before the segment's first entry is from the first key of the segment, or 0      |
 * |          | where that is unknown or does not fit                                                            |
 * | 16 to 31 | the offset of that entry, which is never a collision; the end of the list if there is none       |
 *
 * Invariant: lists are well formed (`admitList` looks at every bit of what others wrote), so that a walk ends exactly
 * where its list does.
 */
import { assert } from '../base/assert.js'
import {
  type DeltaCoding,
  deltaLength,
  equalsName,
  NAME_BITS,
  NAME_BYTES,
  NO_DELTA,
  readBits,
  readDelta,
  writeBits,
  writeDelta,
} from './delta-code.js'
import { CHAPTER_ADDRESS_BITS } from './geometry.js'
import { HEADER, ListMemory } from './list-memory.js'

// Constants of this module are known to the compiler; those of another it would look up in the midst of every walk.
const {
  words: HEADER_WORDS,
  start: START,
  shape: SHAPE,
  sizeMask: SIZE_MASK,
  phaseShift: PHASE_SHIFT,
} = HEADER

/** The mark of segment s is word MARKS + s; segment 0 begins with the list and has none. */
const MARKS = HEADER.others - 1
const SEGMENTS = 12

const DISTANCE_MASK = 0xffff
const OFFSET_SHIFT = 16

/** How many entries a purge takes note of before it removes them; if there are more, it walks again. */
const NOTED = 64
const CACHE_LINE_BYTES = 64

/** Bits that are within one word from whatever bit of a byte they begin. */
const MAX_WORD_BITS = 25

/** A key above all others. */
const NO_KEY = 0x7fff_ffff

/** No entry's. */
const NO_OFFSET = -1

/** What became of a `put`. */
export enum Insertion {
  Done = 0,
  /** The list or the memory is full; nothing has changed. */
  Overflow = 1,
  /** The same name is there already, as a collision; nothing has changed. */
  Duplicate = 2,
}

export class DeltaIndex extends ListMemory {
  /** Entries, and collisions among them. */
  entries = 0
  collisions = 0
  /** How many entries found no room. */
  overflows = 0

  /** The cursor: whether the key was found, and whether as a collision, which has the very name. */
  found = false
  isCollision = false

  /** The first key of each segment. */
  private readonly firstKeys: Int32Array
  /** Offsets of the entries that a purge will remove, the smallest first. */
  private readonly noted = new Int32Array(NOTED)
  private notedCount = 0
  private hasMore = false
  private touched = 0

  /** The cursor: its list's header, the key looked for, the entry at the cursor, and the key before that. */
  private header = 0
  private key = 0
  private offset = 0
  private entryBits = 0
  private entryDelta = 0
  private previousKey = 0
  private atEnd = true

  constructor(
    readonly coding: DeltaCoding,
    lists: number,
    memoryBytes: number,
    /** The bits of a key. */
    private readonly keyBits: number = CHAPTER_ADDRESS_BITS,
  ) {
    super(lists, memoryBytes)
    this.firstKeys = Int32Array.from({ length: SEGMENTS }, (_, i) => Math.ceil((i * 2 ** keyBits) / SEGMENTS))
  }

  /** Empties all lists. The owner's words become 0. */
  clear(): void {
    this.spreadEmpty()
    this.entries = this.collisions = 0
  }

  /** The key of the entry that was found, or would follow; the payload of the one that was found. */
  get payload(): number {
    assert(this.found, 'a payload is that of an entry')
    const { header, headers } = this
    const bit = (headers[header + SHAPE] >>> PHASE_SHIFT) + this.offset
    return readBits(this.bytes, headers[header + START], bit, this.coding.payloadBits)
  }

  setPayload(value: number): void {
    assert(this.found, 'a payload is that of an entry')
    const { header, headers } = this
    const bit = (headers[header + SHAPE] >>> PHASE_SHIFT) + this.offset
    putBits(this.view, headers[header + START] + (bit >>> 3), bit & 7, this.coding.payloadBits, value)
  }

  /**
   * Places the cursor at the entry with this key, or where it would be put. Of several with the same key, it is the
   * one that has the very name, or else the one that has none.
   */
  search(list: number, key: number, names: Uint8Array, nameAt: number): boolean {
    assert(key >>> this.keyBits === 0, 'a key has its bits')
    const { headers } = this
    const header = (list + 1) * HEADER_WORDS
    const size = headers[header + SHAPE] & SIZE_MASK
    this.header = header
    this.key = key
    let segment = (key * SEGMENTS) >>> this.keyBits
    while (segment > 0 && (headers[header + MARKS + segment] & DISTANCE_MASK) === 0) segment--
    const reached = this.walk(segment, key, size)
    this.atEnd = this.offset === size
    this.isCollision = false
    this.found = !this.atEnd && reached === key
    if (this.found && this.offset + this.entryBits < size) this.searchCollisions(names, nameAt)
    return this.found
  }

  /**
   * Walks from where a segment begins to the first entry with at least `key`, or to an offset: the place of an entry
   * or the end of the list. Leaves there the cursor's offset and, if it is at an entry because of its key, what that
   * entry is; returns its key.
   */
  private walk(segment: number, key: number, until: number): number {
    const { view, headers, header } = this
    const { payloadBits, minBits, minKeys, incrKeys } = this.coding
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const end = phase + until
    let bit = phase
    let previousKey = 0
    if (segment > 0) {
      const mark = headers[header + MARKS + segment]
      bit += mark >>> OFFSET_SHIFT
      previousKey = this.firstKeys[segment] - (mark & DISTANCE_MASK)
    }
    const shortest = payloadBits + minBits
    const codeMask = (1 << minBits) - 1
    const lastShort = minKeys - 1
    let delta = 0
    let length = 0
    let reached = previousKey
    while (bit < end) {
      const codeBit = bit + payloadBits
      const word = view.getUint32(start + (codeBit >>> 3), true) >>> (codeBit & 7)
      delta = word & codeMask
      // Whether zeros follow is as good as chance, so it is reckoned without a branch: all ones if so.
      const isLong = (lastShort - delta) >> 31
      const rest = word >>> minBits
      const zeros = 31 - Math.clz32(rest & -rest)
      length = shortest + ((zeros + 1) & isLong)
      if ((rest | ~isLong) === 0) {
        delta = this.farDelta(start, codeBit)
        length = payloadBits + deltaLength(this.coding, delta)
      } else {
        delta += Math.imul(zeros, incrKeys) & isLong
        if (delta === 0 && bit !== phase) {
          bit += length + NAME_BITS
          continue
        }
      }
      reached = previousKey + delta
      if (reached >= key) break
      previousKey = reached
      bit += length
    }
    assert(bit <= end, 'a walk ends where its list does')
    this.offset = bit - phase
    this.previousKey = previousKey
    this.entryBits = length
    this.entryDelta = delta
    return reached
  }

  /** Moves the cursor from an entry to the collision behind it that has the name, if there is one. */
  private searchCollisions(names: Uint8Array, nameAt: number): void {
    const { bytes, headers, header } = this
    const { payloadBits, minBits } = this.coding
    const length = payloadBits + minBits + NAME_BITS
    const start = headers[header + START]
    const shape = headers[header + SHAPE]
    const phase = shape >>> PHASE_SHIFT
    const end = phase + (shape & SIZE_MASK)
    for (let bit = phase + this.offset + this.entryBits; bit < end; bit += length) {
      if (readBits(bytes, start, bit + payloadBits, minBits) !== 0) return
      if (!equalsName(bytes, start, bit + payloadBits + minBits, names, nameAt)) continue
      this.offset = bit - phase
      this.entryBits = length
      this.entryDelta = 0
      this.isCollision = true
      return
    }
  }

  /** Enters what the cursor looked for: the key, or a collision if there is one of that key. Ends the cursor. */
  put(payload: number, names: Uint8Array, nameAt: number): Insertion {
    if (this.isCollision) return Insertion.Duplicate
    const { bytes, headers, header, coding } = this
    const { payloadBits, minBits } = coding
    if (this.found) {
      const offset = this.offset + this.entryBits
      const length = payloadBits + minBits + NAME_BITS
      if (!this.makeRoom(header, offset, length)) return this.overflow()
      this.moveMarks(NO_OFFSET, 0, 0, length)
      const start = headers[header + START]
      const bit = (headers[header + SHAPE] >>> PHASE_SHIFT) + offset
      writeBits(bytes, start, bit, payloadBits, payload)
      writeBits(bytes, start, bit + payloadBits, minBits, 0)
      writeName(bytes, start, bit + payloadBits + minBits, names, nameAt)
      this.collisions++
    } else {
      const delta = this.key - this.previousKey
      const length = payloadBits + deltaLength(coding, delta)
      if (this.atEnd) {
        if (!this.makeRoom(header, this.offset, length)) return this.overflow()
        this.moveMarks(this.offset, this.offset + length, this.key, length)
        this.write(this.offset, payload, delta)
      } else {
        // The entry behind it keeps its key, so its delta becomes less, and its code with it.
        const rest = this.entryDelta - delta
        const restLength = payloadBits + deltaLength(coding, rest)
        const behind = readBits(
          bytes,
          headers[header + START],
          (headers[header + SHAPE] >>> PHASE_SHIFT) + this.offset,
          payloadBits,
        )
        const growth = length + restLength - this.entryBits
        if (!this.makeRoom(header, this.offset, growth)) return this.overflow()
        this.moveMarks(this.offset, this.offset + length, this.key, growth)
        this.write(this.offset, payload, delta)
        this.write(this.offset + length, behind, rest)
      }
    }
    this.entries++
    return Insertion.Done
  }

  private overflow(): Insertion {
    this.overflows++
    return Insertion.Overflow
  }

  /** Takes the entry at the cursor away. If a collision follows, it takes its place and loses its name. */
  remove(): void {
    assert(this.found, 'what is removed was found')
    const { bytes, headers, header, coding, offset, entryBits } = this
    const { payloadBits } = coding
    this.entries--
    if (this.isCollision) {
      this.collisions--
      this.moveMarks(NO_OFFSET, 0, 0, -entryBits)
      return this.closeUp(header, offset, entryBits)
    }
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const size = headers[header + SHAPE] & SIZE_MASK
    const next = offset + entryBits
    if (next === size) {
      this.moveMarks(next, offset, this.previousKey, -entryBits)
      return this.closeUp(header, offset, entryBits)
    }
    const delta = readDelta(coding, bytes, start, phase + next + payloadBits, phase + size)
    assert(delta !== NO_DELTA, 'a list is whole')
    let nextBits = payloadBits + deltaLength(coding, delta)
    if (delta === 0) {
      nextBits += NAME_BITS
      this.collisions--
    }
    const behind = readBits(bytes, start, phase + next, payloadBits)
    const joined = this.entryDelta + delta
    const count = entryBits + nextBits - payloadBits - deltaLength(coding, joined)
    this.moveMarks(next, offset, this.previousKey, -count)
    this.closeUp(header, offset, count)
    this.write(offset, behind, joined)
  }

  /**
   * The marks of the segments above the cursor's key follow a change: those at the entry of offset `entry` go with
   * it to offset `moved`, where `before` is the key before it; the others, all beyond it, go on by `bits`.
   */
  private moveMarks(entry: number, moved: number, before: number, bits: number): void {
    const { headers, header, firstKeys } = this
    const shift = bits << OFFSET_SHIFT
    for (let s = ((this.key * SEGMENTS) >>> this.keyBits) + 1; s < SEGMENTS; s++) {
      const mark = headers[header + MARKS + s]
      headers[header + MARKS + s] =
        mark >>> OFFSET_SHIFT === entry ? markOf(moved, firstKeys[s] - before) : mark + shift
    }
  }

  /**
   * Removes from a list every entry whose payload lies in the `count` ones from `first` on, round the end of what a
   * payload can be. Gives how far from `first` the nearest of the others is, or the largest payload if there are
   * none. Ends the cursor.
   *
   * They are removed in their order in the list, so that where the list comes to lie, which a save tells, is as if
   * it had been walked entry by entry.
   */
  purge(list: number, first: number, count: number): number {
    const { headers, noted } = this
    this.header = (list + 1) * HEADER_WORDS
    for (;;) {
      const nearest = this.noteAll(first, count)
      for (let i = 0; i < this.notedCount; i++) {
        const offset = noted[i]
        const size = headers[this.header + SHAPE] & SIZE_MASK
        this.removeAt(offset)
        const next = offset + this.entryBits
        const removed = size - (headers[this.header + SHAPE] & SIZE_MASK)
        // The entry behind it is in its place now; its code may have grown, so the others moved by less.
        for (let j = i + 1; j < this.notedCount; j++)
          noted[j] = noted[j] === next ? offset : noted[j] - removed
      }
      if (!this.hasMore) return nearest
    }
  }

  /**
   * Takes note of the entries to be removed and gives the distance of the nearest other one. An entry's place is not
   * known before the length of the one before it is, so four walks go side by side, each through a quarter of the
   * keys; and because together they ask for memory in no order that a processor sees ahead, all of the list is asked
   * for at once before. What is rare (a name, a code longer than a word) ends the four, and each is walked to its end.
   */
  private noteAll(first: number, count: number): number {
    const { view, headers, header } = this
    const { payloadBits, minBits } = this.coding
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const end = phase + (headers[header + SHAPE] & SIZE_MASK)
    for (let at = start; at < start + (end >>> 3); at += CACHE_LINE_BYTES) this.touched |= view.getInt32(at)
    this.notedCount = 0
    this.hasMore = false

    const mask = (1 << payloadBits) - 1
    const shortest = payloadBits + minBits
    const codeMask = (1 << minBits) - 1
    const lastShort = this.coding.minKeys - 1
    const end0 = phase + (headers[header + MARKS + SEGMENTS / 4] >>> OFFSET_SHIFT)
    const end1 = phase + (headers[header + MARKS + SEGMENTS / 2] >>> OFFSET_SHIFT)
    const end2 = phase + (headers[header + MARKS + (3 * SEGMENTS) / 4] >>> OFFSET_SHIFT)
    let bit0 = phase
    let bit1 = end0
    let bit2 = end1
    let bit3 = end2
    let nearest = mask + 1
    while (bit0 < end0 && bit1 < end1 && bit2 < end2 && bit3 < end) {
      const place0 = bit0 + payloadBits
      const place1 = bit1 + payloadBits
      const place2 = bit2 + payloadBits
      const place3 = bit3 + payloadBits
      const word0 = view.getUint32(start + (place0 >>> 3), true) >>> (place0 & 7)
      const word1 = view.getUint32(start + (place1 >>> 3), true) >>> (place1 & 7)
      const word2 = view.getUint32(start + (place2 >>> 3), true) >>> (place2 & 7)
      const word3 = view.getUint32(start + (place3 >>> 3), true) >>> (place3 & 7)
      const code0 = word0 & codeMask
      const code1 = word1 & codeMask
      const code2 = word2 & codeMask
      const code3 = word3 & codeMask
      const rest0 = word0 >>> minBits
      const rest1 = word1 >>> minBits
      const rest2 = word2 >>> minBits
      const rest3 = word3 >>> minBits
      const leastCode = (code0 - 1) | (code1 - 1) | (code2 - 1) | (code3 - 1)
      if ((leastCode | (rest0 - 1) | (rest1 - 1) | (rest2 - 1) | (rest3 - 1)) < 0) break
      const far0 = ((view.getUint32(start + (bit0 >>> 3), true) >>> (bit0 & 7)) - first) & mask
      const far1 = ((view.getUint32(start + (bit1 >>> 3), true) >>> (bit1 & 7)) - first) & mask
      const far2 = ((view.getUint32(start + (bit2 >>> 3), true) >>> (bit2 & 7)) - first) & mask
      const far3 = ((view.getUint32(start + (bit3 >>> 3), true) >>> (bit3 & 7)) - first) & mask
      if (far0 < nearest) nearest = far0 < count ? this.note(bit0 - phase, nearest) : far0
      if (far1 < nearest) nearest = far1 < count ? this.note(bit1 - phase, nearest) : far1
      if (far2 < nearest) nearest = far2 < count ? this.note(bit2 - phase, nearest) : far2
      if (far3 < nearest) nearest = far3 < count ? this.note(bit3 - phase, nearest) : far3
      bit0 += shortest + ((32 - Math.clz32(rest0 & -rest0)) & ((lastShort - code0) >> 31))
      bit1 += shortest + ((32 - Math.clz32(rest1 & -rest1)) & ((lastShort - code1) >> 31))
      bit2 += shortest + ((32 - Math.clz32(rest2 & -rest2)) & ((lastShort - code2) >> 31))
      bit3 += shortest + ((32 - Math.clz32(rest3 & -rest3)) & ((lastShort - code3) >> 31))
    }
    nearest = this.noteRest(bit0, end0, first, count, nearest)
    nearest = this.noteRest(bit1, end1, first, count, nearest)
    nearest = this.noteRest(bit2, end2, first, count, nearest)
    nearest = this.noteRest(bit3, end, first, count, nearest)
    return Math.min(nearest, mask)
  }

  /** One walk from a bit to another, as of `noteAll`. */
  private noteRest(from: number, end: number, first: number, count: number, nearestBefore: number): number {
    const { view, headers, header } = this
    const { payloadBits, minBits } = this.coding
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const mask = (1 << payloadBits) - 1
    const shortest = payloadBits + minBits
    const codeMask = (1 << minBits) - 1
    const lastShort = this.coding.minKeys - 1
    let nearest = nearestBefore
    let bit = from
    while (bit < end) {
      const far = ((view.getUint32(start + (bit >>> 3), true) >>> (bit & 7)) - first) & mask
      if (far < nearest) nearest = far < count ? this.note(bit - phase, nearest) : far
      const place = bit + payloadBits
      const word = view.getUint32(start + (place >>> 3), true) >>> (place & 7)
      const code = word & codeMask
      const rest = word >>> minBits
      const isLong = (lastShort - code) >> 31
      if (code === 0 && bit !== phase) bit += NAME_BITS
      if ((rest | ~isLong) === 0) {
        bit += payloadBits + deltaLength(this.coding, this.farDelta(start, place))
      } else bit += shortest + ((32 - Math.clz32(rest & -rest)) & isLong)
    }
    assert(bit === end, 'a walk ends where its list does')
    return nearest
  }

  /** Puts an offset among those noted, the smallest first, of which it keeps so many. Returns `nearest` as it is. */
  private note(offset: number, nearest: number): number {
    const { noted } = this
    if (this.notedCount === NOTED) {
      this.hasMore = true
      if (noted[NOTED - 1] < offset) return nearest
      this.notedCount--
    }
    let i = this.notedCount++
    for (; i > 0 && noted[i - 1] > offset; i--) noted[i] = noted[i - 1]
    noted[i] = offset
    return nearest
  }

  /** Removes the entry at an offset of the cursor's list. What lies before it stays where it is. */
  private removeAt(offset: number): void {
    const { bytes, headers, header, coding } = this
    let segment = SEGMENTS - 1
    for (; segment > 0; segment--) {
      const mark = headers[header + MARKS + segment]
      if ((mark & DISTANCE_MASK) !== 0 && mark >>> OFFSET_SHIFT <= offset) break
    }
    this.walk(segment, NO_KEY, offset)
    assert(this.offset === offset, 'an entry is where it was')
    const shape = headers[header + SHAPE]
    const phase = shape >>> PHASE_SHIFT
    const place = phase + offset + coding.payloadBits
    const delta = readDelta(coding, bytes, headers[header + START], place, phase + (shape & SIZE_MASK))
    assert(delta !== NO_DELTA, 'a list is whole')
    this.found = true
    this.isCollision = delta === 0 && offset !== 0
    this.key = this.previousKey + delta
    this.entryDelta = delta
    this.entryBits = coding.payloadBits + deltaLength(coding, delta) + (this.isCollision ? NAME_BITS : 0)
    this.remove()
    this.found = false
  }

  /** Calls `visit` for each entry of a list, in order; only a collision has a name. For checks: it allocates. */
  forEach(list: number, visit: (key: number, payload: number, name: Uint8Array | undefined) => void): void {
    const { bytes, headers, coding } = this
    const header = (list + 1) * HEADER_WORDS
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const end = phase + (headers[header + SHAPE] & SIZE_MASK)
    let key = 0
    for (let bit = phase; bit < end; ) {
      const payload = readBits(bytes, start, bit, coding.payloadBits)
      const delta = readDelta(coding, bytes, start, bit + coding.payloadBits, end)
      assert(delta !== NO_DELTA, 'a list is whole')
      const length = coding.payloadBits + deltaLength(coding, delta)
      const isCollision = delta === 0 && bit !== phase
      key += delta
      visit(key, payload, isCollision ? readName(bytes, start, bit + length) : undefined)
      bit += length + (isCollision ? NAME_BITS : 0)
    }
  }

  /**
   * Whether a list that others wrote is whole, with keys up to `maxKey` and payloads no farther from `first` than
   * `reach`, round the end of what a payload can be. Counts its entries, so it is called once for each.
   */
  admitList(list: number, maxKey: number, first: number, reach: number): boolean {
    const { bytes, headers, coding, firstKeys } = this
    const header = (list + 1) * HEADER_WORDS
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const end = phase + (headers[header + SHAPE] & SIZE_MASK)
    let key = 0
    let bit = phase
    let entries = 0
    let collisions = 0
    let segment = 1
    const payloadMask = (1 << coding.payloadBits) - 1
    while (bit < end) {
      if (bit + coding.payloadBits > end) return false
      if (((readBits(bytes, start, bit, coding.payloadBits) - first) & payloadMask) > reach) return false
      const delta = readDelta(coding, bytes, start, bit + coding.payloadBits, end)
      if (delta === NO_DELTA) return false
      if (key + delta > maxKey) return false
      for (; segment < SEGMENTS && key + delta >= firstKeys[segment]; segment++) {
        headers[header + MARKS + segment] = markOf(bit - phase, firstKeys[segment] - key)
      }
      key += delta
      entries++
      const length = coding.payloadBits + deltaLength(coding, delta)
      if (delta === 0 && bit !== phase) {
        collisions++
        bit += NAME_BITS
      }
      bit += length
    }
    for (; segment < SEGMENTS; segment++) {
      headers[header + MARKS + segment] = markOf(bit - phase, firstKeys[segment] - key)
    }
    if (bit !== end) return false
    this.entries += entries
    this.collisions += collisions
    return true
  }

  /** A delta whose zeros go on behind the word that the walk loads. */
  private farDelta(start: number, codeBit: number): number {
    const shape = this.headers[this.header + SHAPE]
    const end = (shape >>> PHASE_SHIFT) + (shape & SIZE_MASK)
    const delta = readDelta(this.coding, this.bytes, start, codeBit, end)
    assert(delta !== NO_DELTA, 'a list is whole')
    return delta
  }

  /** Writes an entry, in one word if it fits. */
  private write(offset: number, payload: number, delta: number): void {
    const { bytes, headers, header, coding } = this
    const { payloadBits, minBits, minKeys, incrKeys } = coding
    const start = headers[header + START]
    const bit = (headers[header + SHAPE] >>> PHASE_SHIFT) + offset
    let length = payloadBits + minBits
    let code = delta
    if (delta >= minKeys) {
      const zeros = Math.floor((delta - minKeys) / incrKeys)
      code = (delta - zeros * incrKeys) | (1 << (minBits + zeros))
      length += zeros + 1
    }
    if (length <= MAX_WORD_BITS) {
      putBits(this.view, start + (bit >>> 3), bit & 7, length, payload | (code << payloadBits))
      return
    }
    writeBits(bytes, start, bit, payloadBits, payload)
    writeDelta(coding, bytes, start, bit + payloadBits, delta)
  }
}

/** The mark at an offset whose entry's key before is `distance` from the first key of the segment. */
function markOf(offset: number, distance: number): number {
  return (offset << OFFSET_SHIFT) | (distance > DISTANCE_MASK ? 0 : distance)
}

/** Writes a field of at most `MAX_WORD_BITS` bits at a bit of a byte, and touches no other bit. */
function putBits(view: DataView, byte: number, bit: number, count: number, value: number): void {
  const mask = (1 << count) - 1
  view.setUint32(byte, (view.getUint32(byte, true) & ~(mask << bit)) | ((value & mask) << bit), true)
}

function writeName(bytes: Uint8Array, at: number, bit: number, names: Uint8Array, nameAt: number): void {
  for (let i = 0; i < NAME_BYTES; i++) writeBits(bytes, at, bit + 8 * i, 8, names[nameAt + i])
}

function readName(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const name = new Uint8Array(NAME_BYTES)
  for (let i = 0; i < NAME_BYTES; i++) name[i] = readBits(bytes, at, bit + 8 * i, 8)
  return name
}
