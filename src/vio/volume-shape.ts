/**
 * Every size of the engine is a field of one value. A real volume uses VDO's sizes; the simulator draws small
 * ones, so that each seed wraps, reaps, evicts, rolls over and fills.
 */
import { DEFAULT_INDEX_MEMORY } from '../format/index-memory.js'
import { type IndexShape, indexShapeOf } from '../format/index-region.js'

export interface VolumeShape {
  /** Requests in flight, one 4 KiB block each. VDO: 2,048. */
  readonly dataVios: number
  /** How many of them may be discards. VDO: three quarters. */
  readonly discardVios: number
  /** User flushes in flight; more wait and are joined. */
  readonly flushVios: number
  /** Blocks that one discard vio walks before it goes home. */
  readonly maxDiscardBlocks: number
  /** Entries in a recovery journal block. The format's 217 at most. */
  readonly journalEntriesPerBlock: number
  /** Recovery journal blocks in memory; as many are kept in reserve. VDO: 11. */
  readonly journalTailBlocks: number
  /** Entries in a slab journal block without, and with, tree pages. The format's 1,353 and 1,299 at most. */
  readonly slabJournalEntriesPerBlock: number
  readonly slabJournalMixedEntriesPerBlock: number
  /** The most references to a data block. The format's 254 at most. */
  readonly maximumReferences: number
  /** Leaf pages in the cache, all logical zones together. VDO: 32,768 (128 MiB). */
  readonly cachePages: number
  /** Journal blocks after which a dirty page must be written. VDO: 11,738. */
  readonly blockMapAge: number
  /** Metadata vios of each logical zone (tree pages and leaves) and of each physical zone. VDO: 64 and 128. */
  readonly blockMapVios: number
  readonly allocatorVios: number
  /** Vios with which a volume is repaired before it is loaded. */
  readonly repairVios: number
  /** Locks on physical blocks, a physical zone. VDO: 4,096, twice the data vios. */
  readonly pbnLocks: number
  /** Index queries in flight, a hash zone. VDO: 2,048. */
  readonly dedupeContexts: number
  /** After this long a write goes on without advice, in milliseconds. VDO: 5,000. */
  readonly queryTimeoutMs: number
  /** Bins of the packer, and fragments a bin. VDO: 16 and 14. */
  readonly packerBins: number
  readonly packerSlots: number
  /** Allocations before a logical zone moves on to the next physical zone. VDO: 128. */
  readonly allocationsPerZone: number
  /** What the index is made as, or null: one in memory, that nothing outlives, for tests and benchmarks. */
  readonly index: IndexShape | null
  /** Records in a chapter of the index, at most as many as the format has room for. VDO: all. */
  readonly indexChapterRecords: number
  /** Names that the index in memory remembers, all zones together. */
  readonly indexNames: number
  /** Metadata vios of each index zone: pages being read, and one for its other work. The index has 2 readers in VDO. */
  readonly indexVios: number
}

/** VDO's own sizes. */
export const VDO_SHAPE: VolumeShape = {
  dataVios: 2048,
  discardVios: 1536,
  flushVios: 64,
  maxDiscardBlocks: 1024,
  journalEntriesPerBlock: 217,
  journalTailBlocks: 11,
  slabJournalEntriesPerBlock: 1353,
  slabJournalMixedEntriesPerBlock: 1299,
  maximumReferences: 254,
  cachePages: 32768,
  blockMapAge: 11738,
  blockMapVios: 64,
  allocatorVios: 128,
  repairVios: 64,
  pbnLocks: 4096,
  dedupeContexts: 2048,
  queryTimeoutMs: 5000,
  packerBins: 16,
  packerSlots: 14,
  allocationsPerZone: 128,
  index: indexShapeOf(DEFAULT_INDEX_MEMORY, false),
  indexChapterRecords: Number.MAX_SAFE_INTEGER,
  indexNames: 1 << 20,
  indexVios: 16,
}
