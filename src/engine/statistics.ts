/**
 * VDO's statistics, version 36: sums of what the zones counted, under the names of VDO's `stats` message. Nothing
 * here is computed but what VDO computes too: used and overhead blocks, and requests in progress. A user's flush is
 * an empty request with a preflush, and so counts as both.
 */
import { Counter } from '../vio/counters.js'
import type { Arena } from './arena.js'
import type { EngineConfig } from './assemble.js'

/** Requests or I/Os by what they are. */
export interface BioStatistics {
  readonly read: number
  readonly write: number
  readonly emptyFlush: number
  readonly discard: number
  readonly flush: number
  readonly fua: number
}

export type VdoStatistics = ReturnType<typeof collectStatistics>

const BLOCK_BYTES = 4096
const STATISTICS_VERSION = 36

/** Takes the counters as they stand now; a running volume's are a moment apart from each other. */
export function collectStatistics(config: EngineConfig, arena: Arena) {
  const { volume, shape } = config
  const n = (counter: Counter): number => arena.total(counter)
  const { boards } = arena
  const mapBlocks = boards.blockMapDataBlocks
  const dataBlocks = volume.slabCount * volume.slabDataBlocks
  const bios = (read: number, write: number, rest: Partial<BioStatistics> = {}): BioStatistics => ({
    read,
    write,
    emptyFlush: 0,
    discard: 0,
    flush: 0,
    fua: 0,
    ...rest,
  })
  const biosIn = bios(n(Counter.BiosInRead), n(Counter.BiosInWrite), {
    discard: n(Counter.BiosInDiscard),
    emptyFlush: n(Counter.BiosInFlush),
    flush: n(Counter.BiosInFlush),
    fua: n(Counter.BiosInFua),
  })
  const biosAcknowledged = bios(n(Counter.BiosAcknowledgedRead), n(Counter.BiosAcknowledgedWrite), {
    discard: n(Counter.BiosAcknowledgedDiscard),
    emptyFlush: n(Counter.BiosAcknowledgedFlush),
    flush: n(Counter.BiosAcknowledgedFlush),
    fua: n(Counter.BiosAcknowledgedFua),
  })
  /** A family of bio's counters, which stand in one order. */
  const family = (first: Counter): BioStatistics =>
    bios(n(first), n(first + 1), { emptyFlush: n(first + 2), flush: n(first + 3), fua: n(first + 4) })
  // The arena never grows, and nothing beside it is given back: what is used now is the peak.
  const bytesUsed = arena.size + n(Counter.PrivateBytes)
  const isReadOnly = boards.readOnlyReason !== 0
  return {
    version: STATISTICS_VERSION,
    dataBlocksUsed: n(Counter.DataBlocksAllocated) - mapBlocks,
    overheadBlocksUsed: volume.physicalBlocks - dataBlocks + mapBlocks,
    logicalBlocksUsed: boards.logicalBlocksUsed,
    physicalBlocks: volume.physicalBlocks,
    logicalBlocks: volume.logicalBlocks,
    blockMapCacheSize: shape.cachePages * BLOCK_BYTES,
    blockSize: BLOCK_BYTES,
    completeRecoveries: boards.completeRecoveries,
    readOnlyRecoveries: boards.readOnlyRecoveries,
    mode: isReadOnly ? 'read-only' : boards.isRecovering ? 'recovering' : 'normal',
    inRecoveryMode: boards.isRecovering,
    recoveryPercentage: Math.floor((100 * (volume.slabCount - boards.unscrubbedSlabs)) / volume.slabCount),
    packer: {
      compressedFragmentsWritten: n(Counter.CompressedFragmentsWritten),
      compressedBlocksWritten: n(Counter.CompressedBlocksWritten),
      compressedFragmentsInPacker: n(Counter.CompressedFragmentsInPacker),
    },
    allocator: {
      slabCount: volume.slabCount,
      slabsOpened: n(Counter.SlabsOpened),
      slabsReopened: n(Counter.SlabsReopened),
    },
    journal: {
      diskFull: n(Counter.JournalDiskFull),
      slabJournalCommitsRequested: n(Counter.JournalCommitsRequested),
      entries: {
        started: n(Counter.JournalEntriesStarted),
        written: n(Counter.JournalEntriesWritten),
        committed: n(Counter.JournalEntriesCommitted),
      },
      blocks: {
        started: n(Counter.JournalBlocksStarted),
        written: n(Counter.JournalBlocksWritten),
        committed: n(Counter.JournalBlocksCommitted),
      },
    },
    slabJournal: {
      diskFullCount: n(Counter.SlabJournalDiskFull),
      flushCount: n(Counter.SlabJournalFlush),
      blockedCount: n(Counter.SlabJournalBlocked),
      blocksWritten: n(Counter.SlabJournalBlocksWritten),
      tailBusyCount: n(Counter.SlabJournalTailBusy),
    },
    slabSummary: { blocksWritten: n(Counter.SlabSummaryBlocksWritten) },
    refCounts: { blocksWritten: n(Counter.ReferenceBlocksWritten) },
    blockMap: {
      dirtyPages: n(Counter.BlockMapDirtyPages),
      cleanPages: n(Counter.BlockMapCleanPages),
      freePages: n(Counter.BlockMapFreePages),
      failedPages: n(Counter.BlockMapFailedPages),
      incomingPages: n(Counter.BlockMapIncomingPages),
      outgoingPages: n(Counter.BlockMapOutgoingPages),
      cachePressure: n(Counter.BlockMapCachePressure),
      readCount: n(Counter.BlockMapReadCount),
      writeCount: n(Counter.BlockMapWriteCount),
      failedReads: n(Counter.BlockMapFailedReads),
      failedWrites: n(Counter.BlockMapFailedWrites),
      reclaimed: n(Counter.BlockMapReclaimed),
      readOutgoing: n(Counter.BlockMapReadOutgoing),
      foundInCache: n(Counter.BlockMapFoundInCache),
      discardRequired: n(Counter.BlockMapDiscardRequired),
      waitForPage: n(Counter.BlockMapWaitForPage),
      fetchRequired: n(Counter.BlockMapFetchRequired),
      pagesLoaded: n(Counter.BlockMapPagesLoaded),
      pagesSaved: n(Counter.BlockMapPagesSaved),
      flushCount: n(Counter.BlockMapFlushCount),
    },
    hashLock: {
      dedupeAdviceValid: n(Counter.DedupeAdviceValid),
      dedupeAdviceStale: n(Counter.DedupeAdviceStale),
      concurrentDataMatches: n(Counter.ConcurrentDataMatches),
      concurrentHashCollisions: n(Counter.ConcurrentHashCollisions),
      currDedupeQueries: n(Counter.CurrentDedupeQueries),
    },
    errors: {
      invalidAdvicePBNCount: n(Counter.InvalidAdvicePbn),
      noSpaceErrorCount: n(Counter.NoSpaceErrors),
      readOnlyErrorCount: n(Counter.ReadOnlyErrors),
    },
    // Volumes are not numbered, and nothing emulates blocks of 512 bytes: any alignment is served.
    instance: 0,
    currentVIOsInProgress: n(Counter.VdoRequestsInProgress),
    maxVIOs: n(Counter.VdoRequestsMaximum),
    dedupeAdviceTimeouts: n(Counter.DedupeAdviceTimeouts),
    flushOut: n(Counter.FlushOut),
    logicalBlockSize: BLOCK_BYTES,
    biosIn,
    biosInPartial: bios(n(Counter.BiosInPartialRead), n(Counter.BiosInPartialWrite), {
      discard: n(Counter.BiosInPartialDiscard),
      fua: n(Counter.BiosInPartialFua),
    }),
    biosOut: family(Counter.BiosOutRead),
    biosMeta: family(Counter.BiosMetaRead),
    biosJournal: family(Counter.BiosJournalRead),
    biosPageCache: family(Counter.BiosPageCacheRead),
    biosOutCompleted: family(Counter.BiosOutCompletedRead),
    biosMetaCompleted: family(Counter.BiosMetaCompletedRead),
    biosJournalCompleted: family(Counter.BiosJournalCompletedRead),
    biosPageCacheCompleted: family(Counter.BiosPageCacheCompletedRead),
    biosAcknowledged,
    biosAcknowledgedPartial: bios(
      n(Counter.BiosAcknowledgedPartialRead),
      n(Counter.BiosAcknowledgedPartialWrite),
      {
        discard: n(Counter.BiosAcknowledgedPartialDiscard),
        fua: n(Counter.BiosAcknowledgedPartialFua),
      },
    ),
    biosInProgress: bios(biosIn.read - biosAcknowledged.read, biosIn.write - biosAcknowledged.write, {
      discard: biosIn.discard - biosAcknowledged.discard,
      emptyFlush: biosIn.emptyFlush - biosAcknowledged.emptyFlush,
      flush: biosIn.flush - biosAcknowledged.flush,
      fua: biosIn.fua - biosAcknowledged.fua,
    }),
    memoryUsage: { bytesUsed, peakBytesUsed: bytesUsed },
    index: {
      state: boards.indexState,
      ...(boards.indexFailed && { problem: boards.indexProblem }),
      entriesIndexed: n(Counter.IndexEntries),
      postsFound: n(Counter.IndexPostsFound),
      postsNotFound: n(Counter.IndexPostsNotFound),
      queriesFound: n(Counter.IndexQueriesFound),
      queriesNotFound: n(Counter.IndexQueriesNotFound),
      updatesFound: n(Counter.IndexUpdatesFound),
      updatesNotFound: n(Counter.IndexUpdatesNotFound),
      entriesDiscarded: n(Counter.IndexEntriesDiscarded),
    },
  }
}
