/**
 * What the order checker reads off a block, straight from the tables of the format and with no code of the engine's:
 * a mistake in a codec must not hide behind the same mistake here.
 *
 * | block            | offsets used                                                                             |
 * |------------------|------------------------------------------------------------------------------------------|
 * | super block      | 40 state, 44 recoveries, 265 journal start, 273 used, 281 map blocks, 381 zones          |
 * | map page         | 0 version 4.1, 8 nonce, 16 pbn, 32 initialized, 36 + 5 n entries                         |
 * | recovery journal | 0, 8 heads, 16 sequence, 24 nonce, 32 type, 33 count, 35 used, 43 map blocks, 51 check   |
 * |                  | byte, 52 recoveries; sector n: 0 check byte, 1 recoveries, 2 count, 3 + 16 i entries     |
 * | slab journal     | 0 head, 8 sequence, 16 point, 24 nonce, 32 type, 33 tree flag, 34 count, 36 + 3 i        |
 * |                  | entries, 3933 bitmap                                                                     |
 * | reference block  | sector: 0 commit point, 8 + i counters                                                   |
 * | slab summary     | 2 n tail, 2 n + 1 hint (6 bits), load, dirty                                             |
 */

export const BLOCK = 4096
const SECTOR = 512
export const SECTORS_PER_BLOCK = 8
export const ENTRIES_PER_PAGE = 812
const PAGE_ENTRIES_AT = 36
const PAGE_ENTRY_BYTES = 5
const JOURNAL_ENTRIES_PER_SECTOR = 31
const JOURNAL_BITMAP_AT = 3933
export const COUNTERS_PER_SECTOR = 504
export const COUNTERS_PER_BLOCK = COUNTERS_PER_SECTOR * SECTORS_PER_BLOCK
export const SUMMARY_ENTRIES_PER_BLOCK = 2048
/** The summary has a copy for each of the most zones that there can be. */
const SUMMARY_COPIES = 16
const SUMMARY_BLOCKS_PER_COPY = 4
export const SUMMARY_BLOCKS = SUMMARY_COPIES * SUMMARY_BLOCKS_PER_COPY
/** The count of a tree page, and a counter that only memory should have. */
export const TREE_PAGE = 254
export const PROVISIONAL = 255

export enum State {
  Dirty = 0,
  New = 1,
  Clean = 2,
  ReadOnly = 3,
  Recovering = 5,
}

export interface SuperBlock {
  readonly state: number
  readonly recoveries: number
  readonly journalStart: number
  readonly used: number
  readonly mapBlocks: number
  readonly zones: number
}

/** Where an entry points: a pbn, and 0 (unmapped), 1 (plain) or 2 and more (a fragment). */
export interface Location {
  readonly pbn: number
  readonly state: number
}

export interface JournalBlock {
  readonly mapHead: number
  readonly slabJournalHead: number
  readonly sequence: number
  readonly nonce: bigint
  readonly type: number
  readonly used: number
  readonly mapBlocks: number
  readonly check: number
  readonly recoveries: number
  /** Whether every sector that has entries agrees with the header. */
  readonly isWhole: boolean
  readonly entries: readonly JournalBlockEntry[]
}

export interface JournalBlockEntry {
  readonly isTree: boolean
  readonly page: number
  readonly slot: number
  readonly to: Location
  readonly from: Location
}

export interface SlabJournalBlock {
  readonly head: number
  readonly sequence: number
  /** Of the last entry: recovery journal sequence, and twice the index there, plus 1 for a decrement. */
  readonly pointSequence: number
  readonly pointIndex: number
  readonly nonce: bigint
  readonly type: number
  readonly isMixed: boolean
  readonly entries: readonly SlabJournalEntry[]
}

export enum Kind {
  Decrement = 0,
  Increment = 1,
  TreeIncrement = 2,
}

export interface SlabJournalEntry {
  readonly sbn: number
  readonly kind: Kind
}

/** A place in a slab journal: block, entry. */
export interface CommitPoint {
  readonly sequence: number
  readonly index: number
}

export interface SummaryEntry {
  readonly tail: number
  readonly load: boolean
  readonly dirty: boolean
}

export interface Page {
  readonly isOurs: boolean
  readonly pbn: number
  readonly isInitialized: boolean
}

export function decodeSuperBlock(bytes: Uint8Array): SuperBlock {
  return {
    state: u32(bytes, 40),
    recoveries: u64(bytes, 44),
    journalStart: u64(bytes, 265),
    used: u64(bytes, 273),
    mapBlocks: u64(bytes, 281),
    zones: bytes[381]!,
  }
}

export function decodePage(bytes: Uint8Array, nonce: bigint): Page {
  return {
    isOurs: u32(bytes, 0) === 4 && u32(bytes, 4) === 1 && big(bytes, 8) === nonce,
    pbn: u64(bytes, 16),
    isInitialized: bytes[32] === 1,
  }
}

export function pageEntry(bytes: Uint8Array, slot: number): Location {
  return location(bytes, PAGE_ENTRIES_AT + PAGE_ENTRY_BYTES * slot)
}

/** The slots whose entries differ between two states of a page; where there are no bytes there are zeros. */
export function changedEntries(before: Uint8Array, after: Uint8Array): number[] {
  const slots: number[] = []
  for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
    const at = PAGE_ENTRIES_AT + PAGE_ENTRY_BYTES * slot
    for (let i = at; i < at + PAGE_ENTRY_BYTES; i++) {
      if (after[i] === (before[i] ?? 0)) continue
      slots.push(slot)
      break
    }
  }
  return slots
}

export function decodeJournalBlock(bytes: Uint8Array): JournalBlock {
  const check = bytes[51]!
  const recoveries = bytes[52]!
  const count = u16(bytes, 33)
  const entries: JournalBlockEntry[] = []
  let isWhole = true
  for (let sector = 1; sector < SECTORS_PER_BLOCK && entries.length < count; sector++) {
    const at = sector * SECTOR
    const here = Math.min(count - entries.length, JOURNAL_ENTRIES_PER_SECTOR)
    isWhole &&= bytes[at] === check && bytes[at + 1] === recoveries && bytes[at + 2] === here
    for (let i = 0; i < here; i++) entries.push(journalEntry(bytes, at + 3 + 16 * i))
  }
  return {
    mapHead: u64(bytes, 0),
    slabJournalHead: u64(bytes, 8),
    sequence: u64(bytes, 16),
    nonce: big(bytes, 24),
    type: bytes[32]!,
    used: u64(bytes, 35),
    mapBlocks: u64(bytes, 43),
    check,
    recoveries,
    isWhole: isWhole && entries.length === count,
    entries,
  }
}

function journalEntry(bytes: Uint8Array, at: number): JournalBlockEntry {
  const first = u16(bytes, at)
  return {
    isTree: (first & 3) === 1,
    slot: (first >> 2) & 0x3ff,
    page: (first >> 12) * 2 ** 32 + u32(bytes, at + 2),
    to: location(bytes, at + 6),
    from: location(bytes, at + 11),
  }
}

export function decodeSlabJournalBlock(bytes: Uint8Array): SlabJournalBlock {
  const isMixed = bytes[33] === 1
  const entries: SlabJournalEntry[] = []
  for (let i = 0; i < u16(bytes, 34); i++) {
    const word = u16(bytes, 36 + 3 * i) + bytes[38 + 3 * i]! * 2 ** 16
    const isTree = isMixed && (bytes[JOURNAL_BITMAP_AT + (i >> 3)]! & (1 << (i & 7))) !== 0
    const kind = isTree ? Kind.TreeIncrement : word >> 23 === 1 ? Kind.Increment : Kind.Decrement
    entries.push({ sbn: word & 0x7fffff, kind })
  }
  return {
    head: u64(bytes, 0),
    sequence: u64(bytes, 8),
    pointIndex: u16(bytes, 16),
    pointSequence: u48(bytes, 18),
    nonce: big(bytes, 24),
    type: bytes[32]!,
    isMixed,
    entries,
  }
}

export function commitPoint(bytes: Uint8Array, sector: number): CommitPoint {
  return { index: u16(bytes, sector * SECTOR), sequence: u48(bytes, sector * SECTOR + 2) }
}

/** The counter at `index` of a reference block. */
export function counter(bytes: Uint8Array, index: number): number {
  const sector = Math.floor(index / COUNTERS_PER_SECTOR)
  return bytes[sector * SECTOR + 8 + (index % COUNTERS_PER_SECTOR)]!
}

/**
 * The block that has a slab's entry, in the copy of the summary that counts after a run with so many physical zones;
 * of a volume that was never saved the first one does.
 */
export function summaryPbn(summaryOrigin: number, zones: number, slab: number): number {
  const copy = slab % Math.max(zones, 1)
  return summaryOrigin + copy * SUMMARY_BLOCKS_PER_COPY + Math.floor(slab / SUMMARY_ENTRIES_PER_BLOCK)
}

/** The first slab that block `index` of the summary has an entry of. */
export function firstSlabOf(index: number): number {
  return (index % SUMMARY_BLOCKS_PER_COPY) * SUMMARY_ENTRIES_PER_BLOCK
}

export function summaryEntry(bytes: Uint8Array, index: number): SummaryEntry {
  const flags = bytes[2 * index + 1]!
  return { tail: bytes[2 * index]!, load: (flags & 0x40) !== 0, dirty: (flags & 0x80) !== 0 }
}

function location(bytes: Uint8Array, at: number): Location {
  return { state: bytes[at]! & 15, pbn: (bytes[at]! >> 4) * 2 ** 32 + u32(bytes, at + 1) }
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! + bytes[at + 1]! * 2 ** 8
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) + u16(bytes, at + 2) * 2 ** 16
}

function u48(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) + u16(bytes, at + 4) * 2 ** 32
}

/** Counts and places stay far below 2^53. */
function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) + u32(bytes, at + 4) * 2 ** 32
}

function big(bytes: Uint8Array, at: number): bigint {
  return BigInt(u32(bytes, at)) + (BigInt(u32(bytes, at + 4)) << 32n)
}
