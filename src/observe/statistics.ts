/**
 * The statistics of a volume under the names of VDO's `stats` message, version 36. This is what a running volume
 * gives, what travels as JSON, and what `vdostats` prints.
 */

/** Requests or I/Os by what they are. */
export interface BioCounts {
  readonly read: number
  readonly write: number
  readonly emptyFlush: number
  readonly discard: number
  readonly flush: number
  readonly fua: number
}

interface JournalCounts {
  readonly started: number
  readonly written: number
  readonly committed: number
}

export interface Statistics {
  readonly version: number
  readonly dataBlocksUsed: number
  readonly overheadBlocksUsed: number
  readonly logicalBlocksUsed: number
  readonly physicalBlocks: number
  readonly logicalBlocks: number
  readonly blockMapCacheSize: number
  readonly blockSize: number
  readonly completeRecoveries: number
  readonly readOnlyRecoveries: number
  /** `normal`, `recovering` or `read-only`. */
  readonly mode: string
  readonly inRecoveryMode: boolean
  readonly recoveryPercentage: number
  readonly packer: {
    readonly compressedFragmentsWritten: number
    readonly compressedBlocksWritten: number
    readonly compressedFragmentsInPacker: number
  }
  readonly allocator: {
    readonly slabCount: number
    readonly slabsOpened: number
    readonly slabsReopened: number
  }
  readonly journal: {
    readonly diskFull: number
    readonly slabJournalCommitsRequested: number
    readonly entries: JournalCounts
    readonly blocks: JournalCounts
  }
  readonly slabJournal: {
    readonly diskFullCount: number
    readonly flushCount: number
    readonly blockedCount: number
    readonly blocksWritten: number
    readonly tailBusyCount: number
  }
  readonly slabSummary: { readonly blocksWritten: number }
  readonly refCounts: { readonly blocksWritten: number }
  readonly blockMap: {
    readonly dirtyPages: number
    readonly cleanPages: number
    readonly freePages: number
    readonly failedPages: number
    readonly incomingPages: number
    readonly outgoingPages: number
    readonly cachePressure: number
    readonly readCount: number
    readonly writeCount: number
    readonly failedReads: number
    readonly failedWrites: number
    readonly reclaimed: number
    readonly readOutgoing: number
    readonly foundInCache: number
    readonly discardRequired: number
    readonly waitForPage: number
    readonly fetchRequired: number
    readonly pagesLoaded: number
    readonly pagesSaved: number
    readonly flushCount: number
  }
  readonly hashLock: {
    readonly dedupeAdviceValid: number
    readonly dedupeAdviceStale: number
    readonly concurrentDataMatches: number
    readonly concurrentHashCollisions: number
    readonly currDedupeQueries: number
  }
  readonly errors: {
    readonly invalidAdvicePBNCount: number
    readonly noSpaceErrorCount: number
    readonly readOnlyErrorCount: number
  }
  readonly instance: number
  readonly currentVIOsInProgress: number
  readonly maxVIOs: number
  readonly dedupeAdviceTimeouts: number
  readonly flushOut: number
  readonly logicalBlockSize: number
  readonly biosIn: BioCounts
  readonly biosInPartial: BioCounts
  readonly biosOut: BioCounts
  readonly biosMeta: BioCounts
  readonly biosJournal: BioCounts
  readonly biosPageCache: BioCounts
  readonly biosOutCompleted: BioCounts
  readonly biosMetaCompleted: BioCounts
  readonly biosJournalCompleted: BioCounts
  readonly biosPageCacheCompleted: BioCounts
  readonly biosAcknowledged: BioCounts
  readonly biosAcknowledgedPartial: BioCounts
  readonly biosInProgress: BioCounts
  readonly memoryUsage: { readonly bytesUsed: number; readonly peakBytesUsed: number }
  readonly index: {
    readonly entriesIndexed: number
    readonly postsFound: number
    readonly postsNotFound: number
    readonly queriesFound: number
    readonly queriesNotFound: number
    readonly updatesFound: number
    readonly updatesNotFound: number
    readonly entriesDiscarded: number
  }
}
