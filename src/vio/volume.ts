/**
 * What a volume is, as its super block and geometry say: plain numbers that every zone may know. Made once when
 * the volume is opened; nothing in it changes while the volume runs.
 */
export interface Volume {
  /** The 64-bit nonce as two 32-bit halves. */
  readonly nonceLow: number
  readonly nonceHigh: number
  /** Subtracted from a pbn to give the block on the device. */
  readonly bioOffset: number
  readonly logicalBlocks: number
  readonly physicalBlocks: number
  /** The super block's own place. */
  readonly superBlockPbn: number

  /** The 60 tree roots lie at `rootOrigin + root`. */
  readonly rootOrigin: number
  readonly rootCount: number

  readonly journalOrigin: number
  /** A power of two. */
  readonly journalBlocks: number
  /** The first sequence number to use. */
  readonly journalStart: number
  /** Complete recoveries modulo 256, in every journal sector. */
  readonly recoveryCount: number
  /** Recoveries and rebuilds in the volume's life, as the super block had them. */
  readonly completeRecoveries: number
  readonly readOnlyRecoveries: number

  readonly depotOrigin: number
  readonly slabCount: number
  /** Blocks in a slab (a power of two), its data blocks, its reference blocks, its journal blocks. */
  readonly slabBlocks: number
  readonly slabDataBlocks: number
  readonly slabReferenceBlocks: number
  readonly slabJournalBlocks: number
  readonly slabJournalFlushing: number
  readonly slabJournalBlocking: number
  readonly slabJournalScrubbing: number

  readonly summaryOrigin: number
  /** Physical zones when the volume was last saved: which summary copies count. 0 on a fresh volume. */
  readonly savedPhysicalZones: number
  /** A volume that was never loaded: its summary is not on disk yet. */
  readonly isNew: boolean
  /** What it takes to load it. */
  readonly load: LoadKind

  /** Counters at the last save. */
  readonly logicalBlocksUsed: number
  readonly blockMapDataBlocks: number
}

/** What the state on disk asks of a load. */
export enum LoadKind {
  /** Everything was saved, or nothing was ever written. */
  Normal = 0,
  /** It was in use when it was last heard of: the journal is replayed. */
  Recovery = 1,
  /** Its counts are not to be trusted: they are made anew from the map. */
  Rebuild = 2,
  /** The same, asked for by an old upgrade; it counts for nothing. */
  Upgrade = 3,
  /** Damaged: it is read and never written. */
  ReadOnly = 4,
}

export function isRebuild(load: LoadKind): boolean {
  return load === LoadKind.Rebuild || load === LoadKind.Upgrade
}

/** How many zones of each room run. Never persisted, but for the physical ones. */
export interface ZoneCounts {
  readonly logical: number
  readonly physical: number
  readonly hash: number
  readonly cpu: number
  readonly bio: number
  readonly index: number
}
