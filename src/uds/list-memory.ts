/**
 * Where the delta lists of one zone lie: bits in one array of bytes, in the order of the lists' numbers, with gaps
 * between them. A list grows into a gap beside it, by moving its smaller part: the bits before the place or those
 * behind it. Where neither gap has room, all lists are spread out evenly again. So a list may begin at any bit.
 *
 * Each list has a header of sixteen words, a cache line:
 *
 * | word    | content                                                                        |
 * |---------|--------------------------------------------------------------------------------|
 * | 0       | the byte that the list starts in                                               |
 * | 1       | its size in bits, and above 16 bits of it the bit of that byte where it starts |
 * | 2       | the owner's                                                                    |
 * | 3       | the byte where it will start, while the lists are spread out                   |
 * | 4 to 15 | what is known of its content, by whoever knows what that is                    |
 *
 * Invariant: lists do not overlap, and lie before the guard at the end.
 *
 * What the bits mean is told by the class that extends this one: it goes through them so often that it shall find
 * them in itself.
 */
import { assert } from '../base/assert.js'
import { GUARD_BYTES, MAX_LIST_BITS } from './delta-code.js'
import { moveBits } from './move-bits.js'

/** Words of a header, and which word is what. Header 0 is of no list, header n + 1 of list n. */
const HEADER_WORDS = 16
export const HEADER_BYTES = HEADER_WORDS * 4
const START = 0
const SHAPE = 1
const OWNER = 2
const MOVED = 3
const OTHERS = 4

/** What of the shape is the size; how far above it the bit is. */
const SIZE_MASK = 0xffff
const PHASE_SHIFT = 16

/** The same for whoever goes through lists; `others` is the first word that is free. */
export const HEADER = {
  words: HEADER_WORDS,
  start: START,
  shape: SHAPE,
  others: OTHERS,
  sizeMask: SIZE_MASK,
  phaseShift: PHASE_SHIFT,
} as const

export class ListMemory {
  /** Bits of all lists. */
  usedBits = 0
  /** How often all lists were spread out again. */
  rebalances = 0

  protected readonly bytes: Uint8Array
  protected readonly view: DataView
  protected readonly headers: Uint32Array

  constructor(
    readonly lists: number,
    readonly memoryBytes: number,
  ) {
    assert(lists >= 1 && memoryBytes > lists / 4 + GUARD_BYTES, 'a delta index has lists and room for them')
    this.bytes = new Uint8Array(memoryBytes + GUARD_BYTES + 1)
    this.view = new DataView(this.bytes.buffer)
    this.headers = new Uint32Array((lists + 2) * HEADER_WORDS)
    this.spreadEmpty()
  }

  /** Bytes that this takes. */
  get allocatedBytes(): number {
    return this.bytes.length + this.headers.byteLength
  }

  listBits(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + SHAPE] & SIZE_MASK
  }

  ownerWord(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + OWNER]
  }

  setOwnerWord(list: number, value: number): void {
    this.headers[(list + 1) * HEADER_WORDS + OWNER] = value
  }

  // What a save is made of, and what it is read into.

  /** The bit of its first byte where a list starts. */
  listPhase(list: number): number {
    return this.headers[(list + 1) * HEADER_WORDS + SHAPE] >>> PHASE_SHIFT
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
    const header = (list + 1) * HEADER_WORDS
    this.headers.fill(0, header + OTHERS, header + HEADER_WORDS)
    this.headers[header + SHAPE] = bits
  }

  /** Spreads the lists that were prepared. False if they do not fit. */
  spreadPrepared(): boolean {
    const { headers, lists, memoryBytes } = this
    let used = GUARD_BYTES
    for (let list = 1; list <= lists; list++)
      used += ((headers[list * HEADER_WORDS + SHAPE] & SIZE_MASK) + 14) >>> 3
    if (used > memoryBytes) return false
    const spacing = Math.floor((memoryBytes - used) / lists)
    let byte = Math.floor(spacing / 2)
    this.usedBits = 0
    for (let list = 1; list <= lists; list++) {
      const header = list * HEADER_WORDS
      const bits = headers[header + SHAPE] & SIZE_MASK
      headers[header + START] = byte
      headers[header + SHAPE] = bits
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
    const { headers } = this
    headers[header + SHAPE] = (headers[header + SHAPE] & SIZE_MASK) | (phase << PHASE_SHIFT)
    const start = headers[header + START] + from
    for (let i = 0; i < count; i++) this.bytes[start + i] = bytes[at + i]
  }

  /** Empties all lists and spreads them evenly. The owner's words become 0. */
  protected spreadEmpty(): void {
    const { headers, lists, memoryBytes } = this
    headers.fill(0)
    const spacing = Math.floor((8 * memoryBytes - 8 * GUARD_BYTES) / lists)
    let bit = Math.floor(spacing / 2)
    for (let list = 1; list <= lists; list++, bit += spacing) {
      headers[list * HEADER_WORDS + START] = Math.floor(bit / 8)
      headers[list * HEADER_WORDS + SHAPE] = (bit % 8) << PHASE_SHIFT
    }
    const guard = (lists + 1) * HEADER_WORDS
    headers[guard + START] = memoryBytes - GUARD_BYTES
    headers[guard + SHAPE] = 8 * GUARD_BYTES
    this.bytes.fill(0xff, memoryBytes - GUARD_BYTES)
    this.usedBits = 0
  }

  /** Opens a gap of `count` bits at `offset` of a list. False if there is no room for it. */
  protected makeRoom(header: number, offset: number, count: number): boolean {
    const { headers } = this
    const size = headers[header + SHAPE] & SIZE_MASK
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
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    if (useBefore) {
      const byte = start - ((count + 7 - phase) >>> 3)
      const bit = (phase - count) & 7
      moveBits(this.view, byte, bit, start, phase, before)
      headers[header + START] = byte
      headers[header + SHAPE] = (headers[header + SHAPE] & SIZE_MASK) | (bit << PHASE_SHIFT)
    } else {
      moveBits(this.view, start, phase + offset + count, start, phase + offset, after)
    }
    headers[header + SHAPE] += count
    this.usedBits += count
    return true
  }

  /** Takes `count` bits away at `offset` of a list. */
  protected closeUp(header: number, offset: number, count: number): void {
    const { headers } = this
    const size = headers[header + SHAPE] & SIZE_MASK
    const before = offset
    const after = size - offset - count
    const start = headers[header + START]
    const phase = headers[header + SHAPE] >>> PHASE_SHIFT
    const moveBefore =
      before < after || (before === after && this.gapBefore(header) < this.gapBefore(header + HEADER_WORDS))
    if (moveBefore) {
      moveBits(this.view, start, phase + count, start, phase, before)
      headers[header + START] = start + ((phase + count) >>> 3)
      headers[header + SHAPE] = size | (((phase + count) & 7) << PHASE_SHIFT)
    } else {
      moveBits(this.view, start, phase + offset, start, phase + offset + count, after)
    }
    headers[header + SHAPE] -= count
    this.usedBits -= count
  }

  /** The free bits between a list and the one before it. */
  private gapBefore(header: number): number {
    const { headers } = this
    const last = header - HEADER_WORDS
    return (
      8 * (headers[header + START] - headers[last + START]) +
      (headers[header + SHAPE] >>> PHASE_SHIFT) -
      (headers[last + SHAPE] >>> PHASE_SHIFT) -
      (headers[last + SHAPE] & SIZE_MASK)
    )
  }

  /** Spreads all lists evenly, with `reserve` more bytes before the list whose header is number `growing`. */
  private rebalance(growing: number, reserve: number): boolean {
    const { headers, lists, memoryBytes } = this
    let used = reserve
    for (let i = 0; i <= lists + 1; i++) used += this.headerBytes(i)
    if (used > memoryBytes) return false
    const spacing = Math.floor((memoryBytes - used) / lists)
    let byte = 0
    for (let i = 0; i <= lists; i++) {
      byte += this.headerBytes(i) + spacing
      if (i === 0) byte -= Math.floor(spacing / 2)
      if (i + 1 === growing) byte += reserve
      headers[(i + 1) * HEADER_WORDS + MOVED] = byte
    }
    headers[(lists + 1) * HEADER_WORDS + MOVED] = headers[(lists + 1) * HEADER_WORDS + START]
    this.moveLists(1, lists)
    this.rebalances++
    return true
  }

  private headerBytes(i: number): number {
    const header = i * HEADER_WORDS
    const { headers } = this
    return ((headers[header + SHAPE] >>> PHASE_SHIFT) + (headers[header + SHAPE] & SIZE_MASK) + 7) >>> 3
  }

  /**
   * Moves lists to their new places, whole bytes. None may be written over before it has moved: what moves up is
   * preceded by those above it, what moves down by those below it.
   */
  private moveLists(first: number, last: number): void {
    const { headers, bytes } = this
    if (first === last) {
      const header = first * HEADER_WORDS
      const start = headers[header + START]
      bytes.copyWithin(headers[header + MOVED], start, start + this.headerBytes(first))
      headers[header + START] = headers[header + MOVED]
      return
    }
    const middle = (first + last) >>> 1
    // The first list of the upper half decides: if it moves up, the upper half has to make way.
    const upper = (middle + 1) * HEADER_WORDS
    if (headers[upper + MOVED] > headers[upper + START]) {
      this.moveLists(middle + 1, last)
      this.moveLists(first, middle)
    } else {
      this.moveLists(first, middle)
      this.moveLists(middle + 1, last)
    }
  }
}
