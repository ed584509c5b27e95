/**
 * Branches that are rare in life, by name. A mark stands at one place of the code, as `counters[Mark.…]++`, and tells
 * how often that was passed. Marks have words of each zone's row behind those of the counters, so that whoever sums
 * counters sums marks too; one costs one addition where nobody goes often, and so is never off.
 *
 * The simulator's report names every rare branch that its seeds never took (see `RARE`). A branch that no seed takes
 * is one that nothing tests, or one that cannot be: then it is an assertion and has no mark.
 */
import { assert } from '../base/assert.js'
import { COUNTER_COUNT, Counter } from './counters.js'

export enum Mark {
  // Logical zones: locks, requests.
  /** A read takes its data from the write that holds the lock, since that has its block already. */
  ReadsServedFromWriters = 256,
  /** Somebody waits for an lbn whose holder is in the packer, and has it taken out. */
  LbnWaiterEvicts,
  /** In read-only mode an entry was made whose page did not change, so that the map still names a block let go. */
  MappingOutdated,
  /** A read meets such a mapping and is refused. */
  OutdatedReadRefused,
  /** A write fails though its client was told that it succeeded. */
  AcknowledgedWriteLost,
  /** A page of the map that repair has something for cannot be had. */
  PatchRefused,

  // The block map: trees, the page cache, writing pages out.
  /** A page of a tree is made. */
  TreePagesAllocated,
  /** There is no block for a page of a tree. */
  NoBlockForTreePage,
  /** The entry of a new page of a tree is durable, but it cannot be counted any more. */
  TreePageUncounted,
  /** A clean page gives its room to another. */
  PageEvictions,
  /** A dirty page is written so that another can have its room. */
  DirtyPageEvicted,
  /** A writer waits for the end of the page's write. */
  OutgoingPageAwaited,
  /** A vio waits for room behind another that waits for the same page. */
  RoomAwaitedTogether,
  /** In read-only mode every page is dirty and will stay so: whoever waits for room is refused. */
  RoomRefused,
  /** In read-only mode a page that was to be written stays dirty. */
  PageKeptDirty,
  /** The entry that changes a page is of an era that has expired. */
  EntryOfExpiredEra,
  /** A page changes while the flush is under way that was to precede its write: another has to. */
  PageChangedDuringFlush,
  /** A page changes between that flush and its write. */
  PageChangedAfterFlush,
  /** A page is on the disk for the first time and is written again, now as initialized. */
  PageWrittenTwice,
  /** The volume becomes read-only between these two writes. */
  SecondWriteDropped,

  // Hash zones.
  /** A write has the data of a hash lock that is ending, and is on its own. */
  EndingHashLockMet,
  /** Somebody waits for the agent of a hash lock that is in the packer, and has it taken out. */
  HashWaiterEvicts,
  /** The agent of a hash lock fails, and one who waited writes for itself. */
  WaiterOfFailedAgent,
  /** One of several who share a block fails alone. */
  SharerFails,
  /** A hash lock that fails has a share of its duplicate to give back. */
  FailedLockUnlocks,
  /** The agent has no block that it could offer to the index. */
  QueryWithoutOffer,
  /** An answer of the index comes after its question was given up. */
  LateAnswers,
  /** A question expires whose answer is on its way. */
  AnswerBeatsDeadline,
  /** A question is not asked for want of a context. */
  QueriesSkipped,
  /** The duplicate is one, but others have claimed its last references meanwhile. */
  DuplicateWithoutReference,
  /** A block has no reference left: the hash lock is forked, and another copy is written. */
  HashRollOvers,
  /** Somebody came while the duplicate was being unlocked, and becomes the agent. */
  HashLockHandedOn,
  /** Somebody came while the index was told of the block, and shares it. */
  HashLockJoinedLate,
  /** The agent has no block to write to, but one who waits has. */
  AgentReplaced,
  /** Nobody in the hash lock has a block. */
  NoAgentHasBlock,

  // Physical zones: allocation, locks on blocks.
  /** Nobody has a free block, and the vio waits for what the scrubber may find. */
  AllocationAwaitsScrubber,
  /** Advice names a block whose count is not in memory. */
  AdviceWithoutCount,
  /** Advice names a block that has as many references as it may. */
  AdviceOnFullBlock,
  /** Advice names a block that nobody references, which is kept while it is looked at. */
  AdviceOnFreeBlock,
  /** Advice names a block that is being written. */
  AdviceOnBlockBeingWritten,
  /** The last reference to a block goes while somebody looks at it. */
  LockedBlockUnreferenced,
  /** A packed block cannot be written, and its members write for themselves. */
  PackedWriteFails,

  // Slabs: journals, counts, summary, scrubbing.
  /** The journal asks for slab journals of a zone that rests already, or still. */
  CommitAskedAtRest,
  /** A slab journal block is closed before it is full, since the next entry needs a bitmap. */
  TreeEntryClosesBlock,
  /** A slab journal block is written before it is full: no entry may follow until the summary counts it. */
  PartialSlabJournalBlock,
  /** A slab journal waits for the summary, since a replay would still need the place of its next block. */
  SlabJournalAwaitsSummary,
  /** A slab journal waits for a flush of its own, which makes that summary stable. */
  SlabJournalAwaitsFlush,
  /** A slab journal moves its head. */
  SlabJournalReaps,
  /** An entry is made for a slab that is not scrubbed: the scrubber will find it. */
  EntryOfUnscrubbedSlab,
  /** A slab that is not scrubbed has a full journal, and is scrubbed next. */
  UnscrubbedSlabPromoted,
  /** A recovery finds that a slab journal has the entry. */
  EntryKnownToSlabJournal,
  /** Counts change while they are written, and are dirty again after it. */
  CountsChangedWhileWritten,
  /** The summary of a slab changes while the block is written, which it is again for all that have changed. */
  SummaryChangedWhileWritten,
  /** The scrubber finds that the counts have the entry. */
  EntryKnownToCounts,
  /** A slab journal is too long to be replayed at once. */
  ReplayInWindows,
  /** The volume is to rest while a slab is being scrubbed. */
  ScrubberStopped,
  /** The volume becomes read-only while a slab is being scrubbed. */
  ScrubAbandoned,

  // The recovery journal.
  /** The journal begins its ring again. */
  JournalWraps,
  /** The journal moves its heads. */
  JournalReaps,
  /** All blocks of the journal's tail are full or being written: entries wait. */
  JournalTailBusy,
  /** An entry is refused, as the volume is read-only. */
  JournalEntryRefused,
  /** Locks on the journal go while it rests. */
  LocksReleasedAtRest,
  /** The journal must not rest before the notice of a lock arrives. */
  DrainAwaitsNotice,

  // The packer, the flusher, the device, the front end.
  /** Whoever waits has a fragment taken out of its bin. */
  PackerEvictions,
  /** A bin is written while somebody is about to take a fragment out, which is left behind. */
  FragmentCanceled,
  /** A bin with one fragment is emptied, which goes to a block of its own. */
  LoneFragment,
  /** A bin is written to make room for a fragment. */
  BinMakesRoom,
  /** A fragment comes to the packer that must not linger there any more. */
  PackingForbidden,
  /** A flush comes while a generation is being closed, and waits for the next. */
  FlushAwaitsRound,
  /** The writes before a flush are done, but the flush of the store for another is under way. */
  FlushAwaitsFlush,
  /** A flush ends after a write was lost: it cannot promise anything. */
  FlushAfterLoss,
  /** A sync fails. */
  SyncFails,
  /** A sync is refused, since one before it has failed. */
  SyncDistrusted,
  /** A write reaches the device's room when the volume is read-only. */
  WriteRefused,
  /** Several flushes travel as one. */
  FlushesShared,
  /** A request waits since discards have their share of all vios. */
  DiscardAwaitsVios,
  /** A write finds no space and waits for what an answered discard is about to free. */
  WriteAwaitsFreedSpace,

  // The admin zone and repair.
  /** An error is told while the super block is being written. */
  ReadOnlyDuringSuperBlock,
  /** A command waits until the super block says that the volume is read-only. */
  CommandAwaitsReadOnly,
  /** A load fails and makes the volume read-only: it is served for reading. */
  LoadServedForReading,
  /** A volume is saved before all of its slabs are scrubbed. */
  SavedWhileRecovering,
  /** The journal that a crash left has blocks behind its end: something before them was lost. */
  JournalHole,
  /** A rebuild finds a page that was made, but never written. */
  UnwrittenPageWalked,

  // The index.
  /** A question comes while the index is not open. */
  QuestionWhileClosed,
  /** A question that needs a page waits, since as many are being read as may be. */
  IndexReadsStalled,
  /** A question waited for a page, and its name has moved to another chapter meanwhile. */
  NameMovedMeanwhile,
  /** A page that was read is of a chapter that has ended. */
  PageOfEndedChapter,
  /** A zone fills its chapter before the one before it is written, and waits. */
  ChapterAwaitsWriter,
  /** A zone closes its chapter while it reads pages, which the keeper hears when they are here. */
  ChapterAwaitsReads,
  /** A zone wants a sparse chapter in memory, and all stop looking. */
  SparseChapterWanted,
  /** An index is to be saved while a chapter is being written. */
  SaveAwaitsKeeper,
  /** The volume is to rest while its index is being opened. */
  OpeningHeld,
}

const FIRST_MARK = Mark.ReadsServedFromWriters
assert(COUNTER_COUNT <= FIRST_MARK, 'marks are numbered behind all counters')

/** Words of a zone's row: its counters, then its marks. */
export const ROW_WORDS = Mark.OpeningHeld + 1

/** Rare branches that the statistics count already. */
const RARE_COUNTERS: readonly Counter[] = [
  Counter.JournalDiskFull,
  Counter.JournalCommitsRequested,
  Counter.SlabJournalFlush,
  Counter.SlabJournalBlocked,
  Counter.SlabJournalTailBusy,
  Counter.BlockMapCachePressure,
  Counter.BlockMapFailedReads,
  Counter.BlockMapFailedWrites,
  Counter.BlockMapReclaimed,
  Counter.BlockMapReadOutgoing,
  Counter.ConcurrentHashCollisions,
  Counter.DedupeAdviceTimeouts,
  Counter.InvalidAdvicePbn,
  Counter.NoSpaceErrors,
  Counter.ReadOnlyErrors,
  Counter.IndexEntriesDiscarded,
  Counter.IndexPageReads,
  Counter.IndexChaptersWritten,
  Counter.IndexSaves,
  Counter.IndexLoads,
  Counter.IndexRebuilds,
  Counter.IndexFailures,
]

/** Every rare branch, by where a row counts it. */
export const RARE: readonly (Counter | Mark)[] = [
  ...RARE_COUNTERS,
  ...Array.from({ length: ROW_WORDS - FIRST_MARK }, (_, mark) => FIRST_MARK + mark),
]

/** The name of a counter or mark; undefined for a word of neither. */
export function nameOfWord(word: number): string | undefined {
  return Counter[word] ?? Mark[word]
}
