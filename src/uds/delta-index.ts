/**
 * The delta lists of one zone, in memory: sorted keys, each with a payload, coded as `delta-code` tells. It is what
 * makes an index cost three bytes a record. Owned by the thread of its zone.
 *
 * All lists lie in one array of bytes, in the order of their numbers, with gaps between them. A list grows into a
 * gap beside it, by moving its smaller part: the bits before the place or those behind it. Where neither gap has
 * room, all lists are spread out evenly again. So a list may begin at any bit.
 *
 * Work goes through a cursor: `search` places it, `setPayload`, `put` and `remove` act where it is. Each of the
 * last two ends the cursor's use, and nothing allocates.
 *
 * Each list has a header of four words in one cache line: the byte it starts in; its size in bits and, above it,
 * the place where the last search ended; the key before that place and the bit where the list starts in its byte;
 * and a word that belongs to the owner. A later search for a larger key begins at that place, which is always one
 * of an entry that is no collision (or the end), so that a third of the walking is saved.
 *
 * Invariants: lists do not overlap, between `FRONT` and the guard at the end; lists are well formed (`restore`
 * takes what others wrote and looks at every bit of it), so that a walk ends exactly where its list does.
 */
import { assert } from '../base/assert.js'
import {
  type DeltaCoding,
  deltaLength,
  equalsName,
  GUARD_BYTES,
  MAX_LIST_BITS,
  NAME_BITS,
  NAME_BYTES,
  NO_DELTA,
  readBits,
  readDelta,
  writeBits,
  writeDelta,
} from './delta-code.js'
import { moveBits } from './move-bits.js'

/** Words of a header, and which word is what. */
const HEADER_WORDS = 4
const START = 0
const SIZE = 1
const PLACE = 2
const OWNER = 3
/** In `PLACE`: the key before the remembered place, and above it the bit where the list starts in its byte. */
const KEY_MASK = 0xff_ffff
const PHASE_SHIFT = 24

/** What became of a `put`. */
export enum Insertion {
  Done = 0,
  /** The list or the memory is full; nothing has changed. */
  Overflow = 1,
  /** The same name is there already, as a collision; nothing has changed. */
  Duplicate = 2,
}

export class DeltaIndex {
  /** Entries, collisions among them, and the bits that they take. */
  entries = 0
  collisions = 0
  usedBits = 0
  /** How often all lists were spread out again, and how many entries found no room. */
  rebalances = 0
  overflows = 0

  /** The cursor: whether the key was found, and whether as a collision, which has the very name. */
  found = false
  isCollision = false

  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly headers: Uint32Array
  /** Where `rebalance` puts each list: a byte. */
  private readonly moved: Uint32Array

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
    readonly lists: number,
    readonly memoryBytes: number,
  ) {
    assert(lists >= 1 && memoryBytes > lists / 4 + GUARD_BYTES, 'a delta index has lists and room for them')
    this.bytes = new Uint8Array(memoryBytes + GUARD_BYTES + 1)
    this.view = new DataView(this.bytes.buffer)
    this.headers = new Uint32Array((lists + 2) * HEADER_WORDS)
    this.moved = new Uint32Array(lists + 2)
    this.clear()
  }

  /** Empties all lists and spreads them evenly. The owner's words become 0. */
  clear(): void {
    const { headers, lists, memoryBytes } = this
    headers.fill(0)
    const spacing = Math.floor((8 * memoryBytes - 8 * GUARD_BYTES) / lists)
    let bit = Math.floor(spacing / 2)
    for (let list = 1; list <= lists; list++, bit += spacing) {
      headers[list * HEADER_WORDS + START] = Math.floor(bit / 8)
      headers[list * HEADER_WORDS + PLACE] = (bit % 8) << PHASE_SHIFT
    }
    const guard = (lists + 1) * HEADER_WORDS
    headers[guard + START] = memoryBytes - GUARD_BYTES
    headers[guard + SIZE] = 8 * GUARD_BYTES
    this.bytes.fill(0xff, memoryBytes - GUARD_BYTES)
    this.entries = this.collisions = this.usedBits = 0
  }

  /** Bytes that this takes. */
  get allocatedBytes(): number {
    return this.bytes.length + this.headers.byteLength + this.moved.byteLength
  }

  listBits(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + SIZE] & 0xffff
  }

  ownerWord(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + OWNER]
  }

  setOwnerWord(list: number, value: number): void {
    this.headers[(list + 1) * HEADER_WORDS + OWNER] = value
  }

  /** The key of the entry that was found, or would follow; the payload of the one that was found. */
  get payload(): number {
    assert(this.found, 'a payload is that of an entry')
    const { header, headers } = this
    const bit = (headers[header + PLACE] >>> PHASE_SHIFT) + this.offset
    return readBits(this.bytes, headers[header + START], bit, this.coding.payloadBits)
  }

  setPayload(value: number): void {
    assert(this.found, 'a payload is that of an entry')
    const { header, headers } = this
    const bit = (headers[header + PLACE] >>> PHASE_SHIFT) + this.offset
    writeBits(this.bytes, headers[header + START], bit, this.coding.payloadBits, value)
  }

  /**
   * Places the cursor at the entry with this key, or where it would be put. Of several with the same key, it is the
   * one that has the very name, or else the one that has none.
   */
  search(list: number, key: number, names: Uint8Array, nameAt: number): boolean {
    const { view, headers } = this
    const { payloadBits, minBits, minKeys, incrKeys } = this.coding
    const header = (list + 1) * HEADER_WORDS
    const sizes = headers[header + SIZE]
    const place = headers[header + PLACE]
    const start = headers[header + START]
    const phase = place >>> PHASE_SHIFT
    const end = phase + (sizes & 0xffff)
    let previousKey = place & KEY_MASK
    let bit = phase
    if (key > previousKey) bit += sizes >>> 16
    else previousKey = 0

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
        delta = this.farDelta(start, codeBit, end)
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

    const offset = bit - phase
    headers[header + SIZE] = (sizes & 0xffff) | (offset << 16)
    headers[header + PLACE] = previousKey | (phase << PHASE_SHIFT)
    this.header = header
    this.key = key
    this.offset = offset
    this.previousKey = previousKey
    this.entryBits = length
    this.entryDelta = delta
    this.atEnd = bit === end
    this.isCollision = false
    this.found = bit < end && reached === key
    if (this.found && bit + length < end) this.searchCollisions(start, phase, end, names, nameAt)
    return this.found
  }

  /** Moves the cursor from an entry to the collision behind it that has the name, if there is one. */
  private searchCollisions(
    start: number,
    phase: number,
    end: number,
    names: Uint8Array,
    nameAt: number,
  ): void {
    const { bytes } = this
    const { payloadBits, minBits } = this.coding
    const length = payloadBits + minBits + NAME_BITS
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
      if (!this.makeRoom(offset, length)) return this.overflow()
      const start = headers[header + START]
      const bit = (headers[header + PLACE] >>> PHASE_SHIFT) + offset
      writeBits(bytes, start, bit, payloadBits, payload)
      writeBits(bytes, start, bit + payloadBits, minBits, 0)
      writeName(bytes, start, bit + payloadBits + minBits, names, nameAt)
      this.collisions++
    } else {
      const delta = this.key - this.previousKey
      const length = payloadBits + deltaLength(coding, delta)
      if (this.atEnd) {
        if (!this.makeRoom(this.offset, length)) return this.overflow()
        this.write(this.offset, payload, delta)
      } else {
        // The entry behind it keeps its key, so its delta becomes less, and its code with it.
        const rest = this.entryDelta - delta
        const restLength = payloadBits + deltaLength(coding, rest)
        const behind = readBits(
          bytes,
          headers[header + START],
          (headers[header + PLACE] >>> PHASE_SHIFT) + this.offset,
          payloadBits,
        )
        if (!this.makeRoom(this.offset, length + restLength - this.entryBits)) return this.overflow()
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
      return this.closeUp(offset, entryBits)
    }
    const start = headers[header + START]
    const phase = headers[header + PLACE] >>> PHASE_SHIFT
    const size = headers[header + SIZE] & 0xffff
    const next = offset + entryBits
    if (next === size) return this.closeUp(offset, entryBits)
    const delta = readDelta(coding, bytes, start, phase + next + payloadBits, phase + size)
    assert(delta !== NO_DELTA, 'a list is whole')
    let nextBits = payloadBits + deltaLength(coding, delta)
    if (delta === 0) {
      nextBits += NAME_BITS
      this.collisions--
    }
    const behind = readBits(bytes, start, phase + next, payloadBits)
    const joined = this.entryDelta + delta
    this.closeUp(offset, entryBits + nextBits - payloadBits - deltaLength(coding, joined))
    this.write(offset, behind, joined)
  }

  /**
   * Goes through a whole list and takes away every entry whose payload lies in the `count` ones from `first` on,
   * round the end of what a payload can be. Gives how far from `first` the nearest of the others is, or the
   * largest payload if there are none. The next search for `key` begins where the key is.
   */
  purge(list: number, first: number, count: number, key: number): number {
    const { view, headers, coding } = this
    const { payloadBits, minBits } = coding
    const payloadMask = 2 ** payloadBits - 1
    const codeMask = (1 << minBits) - 1
    const header = (list + 1) * HEADER_WORDS
    this.header = header
    headers[header + SIZE] &= 0xffff
    headers[header + PLACE] &= ~KEY_MASK
    const lastShort = coding.minKeys - 1
    const { incrKeys } = coding
    const shortest = payloadBits + minBits
    let nearest = payloadMask
    let previousKey = 0
    let offset = 0
    let passed = key === 0
    let start = headers[header + START]
    let phase = headers[header + PLACE] >>> PHASE_SHIFT
    let size = headers[header + SIZE] & 0xffff
    while (offset < size) {
      const bit = phase + offset
      const payload = (view.getUint32(start + (bit >>> 3), true) >>> (bit & 7)) & payloadMask
      const codeBit = bit + payloadBits
      const word = view.getUint32(start + (codeBit >>> 3), true) >>> (codeBit & 7)
      let delta = word & codeMask
      const isLong = (lastShort - delta) >> 31
      const rest = word >>> minBits
      const zeros = 31 - Math.clz32(rest & -rest)
      let length = shortest + ((zeros + 1) & isLong)
      if ((rest | ~isLong) === 0) {
        delta = this.farDelta(start, codeBit, phase + size)
        length = payloadBits + deltaLength(coding, delta)
      } else delta += Math.imul(zeros, incrKeys) & isLong
      const isCollision = delta === 0 && offset !== 0
      if (isCollision) length += NAME_BITS
      const distance = (payload - first) & payloadMask
      if (distance < count) {
        this.found = true
        this.isCollision = isCollision
        this.offset = offset
        this.entryBits = length
        this.entryDelta = delta
        this.remove()
        start = headers[header + START]
        phase = headers[header + PLACE] >>> PHASE_SHIFT
        size = headers[header + SIZE] & 0xffff
        continue
      }
      if (distance < nearest) nearest = distance
      if (!passed && previousKey + delta >= key) {
        passed = true
        headers[header + SIZE] = size | (offset << 16)
        headers[header + PLACE] = previousKey | (phase << PHASE_SHIFT)
      }
      previousKey += delta
      offset += length
    }
    assert(offset === size, 'a walk ends where its list does')
    if (!passed) {
      headers[header + SIZE] = size | (size << 16)
      headers[header + PLACE] = previousKey | (phase << PHASE_SHIFT)
    }
    this.found = false
    return nearest
  }

  /** Calls `visit` for each entry of a list, in order; only a collision has a name. For checks: it allocates. */
  forEach(list: number, visit: (key: number, payload: number, name: Uint8Array | undefined) => void): void {
    const { bytes, headers, coding } = this
    const header = (list + 1) * HEADER_WORDS
    const start = headers[header + START]
    const phase = headers[header + PLACE] >>> PHASE_SHIFT
    const end = phase + (headers[header + SIZE] & 0xffff)
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

  // What a save is made of, and what it is read into.

  /** The bit of its first byte where a list starts. */
  listPhase(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + PLACE] >>> PHASE_SHIFT
  }

  /** The bytes that a list has bits in. */
  listByteCount(list: number): number {
    return (this.listPhase(list) + this.listBits(list) + 7) >>> 3
  }

  /** Copies some of the bytes that a list has bits in. */
  copyList(list: number, from: number, count: number, to: Uint8Array, at: number): void {
    const start = this.headers[(list + 1) * HEADER_WORDS + START] + from
    const { bytes } = this
    for (let i = 0; i < count; i++) to[at + i] = bytes[start + i]
  }

  /** Makes room for one list of a save; the lists are empty until `restoreList` fills them. */
  prepareList(list: number, bits: number): void {
    this.headers[(list + 1) * HEADER_WORDS + SIZE] = bits
  }

  /** Spreads the lists that were prepared. False if they do not fit. */
  spreadPrepared(): boolean {
    const { headers, lists, memoryBytes } = this
    let used = GUARD_BYTES
    for (let list = 1; list <= lists; list++) used += (headers[list * HEADER_WORDS + SIZE] + 14) >>> 3
    if (used > memoryBytes) return false
    const spacing = Math.floor((memoryBytes - used) / lists)
    let byte = Math.floor(spacing / 2)
    this.usedBits = 0
    for (let list = 1; list <= lists; list++) {
      const header = list * HEADER_WORDS
      const bits = headers[header + SIZE] & 0xffff
      headers[header + START] = byte
      headers[header + PLACE] = 0
      this.usedBits += bits
      byte += ((bits + 14) >>> 3) + spacing
    }
    return true
  }

  /**
   * Takes bytes of a list that was prepared; `from` and `count` tell which of them. Once all are here, `admitList`
   * has to agree before the list is used.
   */
  restoreList(list: number, phase: number, from: number, bytes: Uint8Array, at: number, count: number): void {
    const header = (list + 1) * HEADER_WORDS
    this.headers[header + PLACE] = phase << PHASE_SHIFT
    const start = this.headers[header + START] + from
    for (let i = 0; i < count; i++) this.bytes[start + i] = bytes[at + i]
  }

  /**
   * Whether a list that others wrote is whole, with keys up to `maxKey` and payloads no farther from `first` than
   * `reach`, round the end of what a payload can be. Counts its entries, so it is called once for each.
   */
  admitList(list: number, maxKey: number, first: number, reach: number): boolean {
    const { bytes, headers, coding } = this
    const header = (list + 1) * HEADER_WORDS
    const start = headers[header + START]
    const phase = headers[header + PLACE] >>> PHASE_SHIFT
    const end = phase + (headers[header + SIZE] & 0xffff)
    let key = 0
    let bit = phase
    let entries = 0
    let collisions = 0
    const payloadMask = 2 ** coding.payloadBits - 1
    while (bit < end) {
      if (bit + coding.payloadBits > end) return false
      if (((readBits(bytes, start, bit, coding.payloadBits) - first) & payloadMask) > reach) return false
      const delta = readDelta(coding, bytes, start, bit + coding.payloadBits, end)
      if (delta === NO_DELTA) return false
      key += delta
      if (key > maxKey) return false
      entries++
      const length = coding.payloadBits + deltaLength(coding, delta)
      if (delta === 0 && bit !== phase) {
        collisions++
        bit += NAME_BITS
      }
      bit += length
    }
    if (bit !== end) return false
    this.entries += entries
    this.collisions += collisions
    return true
  }

  /** A delta whose zeros go on behind the word that the walk loads. */
  private farDelta(start: number, codeBit: number, end: number): number {
    const delta = readDelta(this.coding, this.bytes, start, codeBit, end)
    assert(delta !== NO_DELTA, 'a list is whole')
    return delta
  }

  private write(offset: number, payload: number, delta: number): void {
    const { bytes, headers, header, coding } = this
    const start = headers[header + START]
    const bit = (headers[header + PLACE] >>> PHASE_SHIFT) + offset
    writeBits(bytes, start, bit, coding.payloadBits, payload)
    writeDelta(coding, bytes, start, bit + coding.payloadBits, delta)
  }

  /** Opens a gap of `count` bits at `offset` of the cursor's list. False if there is no room for it. */
  private makeRoom(offset: number, count: number): boolean {
    const { headers, header } = this
    const size = headers[header + SIZE] & 0xffff
    if (size + count > MAX_LIST_BITS) return false
    const before = offset
    const after = size - offset
    let gapBefore = this.gapBefore(header)
    let gapAfter = this.gapBefore(header + HEADER_WORDS)
    let useBefore: boolean
    if (count <= gapBefore && count <= gapAfter) {
      useBefore = before < after || (before === after && gapBefore > gapAfter)
    } else if (count <= gapBefore) useBefore = true
    else if (count <= gapAfter) useBefore = false
    else {
      useBefore = before < after
      const growing = header / HEADER_WORDS + (useBefore ? 0 : 1)
      if (!this.rebalance(growing, (count + 7) >>> 3)) return false
      gapBefore = this.gapBefore(header)
      gapAfter = this.gapBefore(header + HEADER_WORDS)
      assert(count <= (useBefore ? gapBefore : gapAfter), 'spreading the lists made room')
    }
    const start = headers[header + START]
    const phase = headers[header + PLACE] >>> PHASE_SHIFT
    if (useBefore) {
      const byte = start - ((count + 7 - phase) >>> 3)
      const bit = (phase - count) & 7
      moveBits(this.view, byte, bit, start, phase, before)
      headers[header + START] = byte
      headers[header + PLACE] = (headers[header + PLACE] & KEY_MASK) | (bit << PHASE_SHIFT)
    } else {
      moveBits(this.view, start, phase + offset + count, start, phase + offset, after)
    }
    headers[header + SIZE] += count
    this.usedBits += count
    return true
  }

  /** Takes `count` bits away at `offset` of the cursor's list. */
  private closeUp(offset: number, count: number): void {
    const { headers, header } = this
    const size = headers[header + SIZE] & 0xffff
    const before = offset
    const after = size - offset - count
    const start = headers[header + START]
    const phase = headers[header + PLACE] >>> PHASE_SHIFT
    const moveBefore =
      before < after || (before === after && this.gapBefore(header) < this.gapBefore(header + HEADER_WORDS))
    if (moveBefore) {
      moveBits(this.view, start, phase + count, start, phase, before)
      headers[header + START] = start + ((phase + count) >>> 3)
      headers[header + PLACE] = (headers[header + PLACE] & KEY_MASK) | (((phase + count) & 7) << PHASE_SHIFT)
    } else {
      moveBits(this.view, start, phase + offset, start, phase + offset + count, after)
    }
    headers[header + SIZE] -= count
    this.usedBits -= count
  }

  /** The free bits between a list and the one before it. */
  private gapBefore(header: number): number {
    const { headers } = this
    const last = header - HEADER_WORDS
    return (
      8 * (headers[header + START] - headers[last + START]) +
      (headers[header + PLACE] >>> PHASE_SHIFT) -
      (headers[last + PLACE] >>> PHASE_SHIFT) -
      (headers[last + SIZE] & 0xffff)
    )
  }

  /** Spreads all lists evenly, with `reserve` more bytes before the list whose header is number `growing`. */
  private rebalance(growing: number, reserve: number): boolean {
    const { headers, moved, lists, memoryBytes } = this
    let used = reserve
    for (let i = 0; i <= lists + 1; i++) used += this.headerBytes(i)
    if (used > memoryBytes) return false
    const spacing = Math.floor((memoryBytes - used) / lists)
    let byte = 0
    for (let i = 0; i <= lists; i++) {
      byte += this.headerBytes(i) + spacing
      if (i === 0) byte -= Math.floor(spacing / 2)
      if (i + 1 === growing) byte += reserve
      moved[i + 1] = byte
    }
    moved[lists + 1] = headers[(lists + 1) * HEADER_WORDS + START]
    this.moveLists(1, lists)
    this.rebalances++
    return true
  }

  private headerBytes(i: number): number {
    const header = i * HEADER_WORDS
    const { headers } = this
    return ((headers[header + PLACE] >>> PHASE_SHIFT) + (headers[header + SIZE] & 0xffff) + 7) >>> 3
  }

  /**
   * Moves lists to their new places, whole bytes. None may be written over before it has moved: what moves up is
   * preceded by those above it, what moves down by those below it.
   */
  private moveLists(first: number, last: number): void {
    const { headers, moved, bytes } = this
    if (first === last) {
      const header = first * HEADER_WORDS
      const start = headers[header + START]
      bytes.copyWithin(moved[first], start, start + this.headerBytes(first))
      headers[header + START] = moved[first]
      return
    }
    const middle = (first + last) >>> 1
    // The first list of the upper half decides: if it moves up, the upper half has to make way.
    if (moved[middle + 1] > headers[(middle + 1) * HEADER_WORDS + START]) {
      this.moveLists(middle + 1, last)
      this.moveLists(first, middle)
    } else {
      this.moveLists(first, middle)
      this.moveLists(middle + 1, last)
    }
  }
}

function writeName(bytes: Uint8Array, at: number, bit: number, names: Uint8Array, nameAt: number): void {
  for (let i = 0; i < NAME_BYTES; i++) writeBits(bytes, at, bit + 8 * i, 8, names[nameAt + i])
}

function readName(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const name = new Uint8Array(NAME_BYTES)
  for (let i = 0; i < NAME_BYTES; i++) name[i] = readBits(bytes, at, bit + 8 * i, 8)
  return name
}
