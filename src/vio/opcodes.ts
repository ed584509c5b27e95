/**
 * Every message of the house, grouped by the room that receives it.
 *
 * A message is one 32-bit word: 9 bits of opcode (4 for the room, 5 within it), 7 bits of zone within the room,
 * 16 bits of operand. The operand is a vio unless the sentence says otherwise. Opcode and zone together are a
 * *hop*: where a vio goes next. A vio that is sent to a service room (cpu, bio) may carry the hop to come back
 * to in its `returnTo` column.
 */

export enum Room {
  Front = 0,
  Logical = 1,
  Physical = 2,
  Hash = 3,
  Journal = 4,
  Packer = 5,
  Flush = 6,
  Cpu = 7,
  Bio = 8,
  Index = 9,
  Admin = 10,
  Repair = 11,
}

/** The front end: vio pool, splitting, acknowledgements. One, on the thread of the servers. */
export enum FrontOp {
  /** The status in `acknowledgement` may be told to the client; the vio travels on. At most once a request. */
  Acknowledge = (Room.Front << 5) + 0,
  /** The vio is done and comes home with its status. */
  Release,
  /** A user flush is durable (a flush vio). */
  FlushDone,
  /** The admin zone answers the command in flight (operand: 0; result on the admin board). */
  AdminAnswer,
  /** The index has come to rest in a state, or a control of it has been taken (operand: 0; both on the board). */
  IndexSettled,
}

/** Logical zones: lbn locks, block map. */
export enum LogicalOp {
  /** A new block of a request: take the lbn lock, find the map slot, go on. */
  Launch = (Room.Logical << 5) + 0,
  /** A block for a tree page was allocated, or not (status). */
  TreeAllocated,
  /** The tree page's remapping is journaled and its count is 254, or not (status). */
  TreeCounted,
  /** The data of a read or of a partial write is in the data block (a partial write is merged). */
  ReadDone,
  /** The data is at rest or shared, `newPbn` and `newState` say where: read the old mapping, journal the new one. */
  ReadMapping,
  /** The journal entry is durable and the increment, if any, was made. */
  Incremented,
  /** The decrement that travelled beside it was made. */
  Decremented,
  /** Last stage of each block: leave the flush generation, pass on or drop the lbn lock. */
  Release,
  /** Flush generation: the operand is 0, the generation to close stands on the board. */
  AdvanceGeneration,
  /** The recovery journal opened a block: the era's sequence stands on the board. */
  AdvanceEra,
  /** Answers to the zone's own metadata I/O (a metadata vio). */
  PageRead,
  PageWritten,
  TreePageRead,
  TreePageWritten,
  FlushIssued,
  /** Admin phases, see AdminCommand; operand: the command. Answered by AdminOp.PhaseDone. */
  Administer,
  /** Read-only mode begins. */
  EnterReadOnly,
  /** A vio takes over an lbn lock from its previous holder (sent by the zone to itself to bound recursion). */
  TakeOver,
  /** Changes of one map page, in the buffer of a repair vio (see page-patch.ts). Only before the zone is loaded. */
  PatchPage,
}

/** Physical zones: pbn locks, slabs, reference counts. */
export enum PhysicalOp {
  /** Find a data block for a write; the vio may be passed from zone to zone. */
  Allocate = (Room.Physical << 5) + 0,
  /** Find a block for a tree page. */
  AllocateTree,
  /** The entry is durable: count the new mapping. */
  Increment,
  /** The entry is durable: uncount the old mapping. Travels beside the increment, on the decrement group. */
  Decrement,
  /** The tree page's entry is durable: its count becomes 254, its lock goes. */
  IncrementTree,
  /** An agent asks for a read lock on its `duplicatePbn`. */
  LockDuplicate,
  /** An agent gives its share of the lock on `duplicatePbn` back. */
  UnlockDuplicate,
  /** A packed block was written (operand: its agent): share its lock among all fragments. */
  SharePacked,
  /** A vio gives back what is left of its allocation. */
  ReleaseAllocation,
  /** The recovery journal is short of space: commit slab journal tails that hold the oldest block (on the board). */
  CommitTails,
  /** Answers to the zone's own metadata I/O (a metadata vio). */
  SlabJournalRead,
  SlabJournalWritten,
  SlabJournalFlushed,
  ReferencesRead,
  ReferencesWritten,
  SummaryRead,
  SummaryWritten,
  Administer,
  EnterReadOnly,
  /**
   * A block of the recovery journal, in the buffer of a repair vio with its count in `journalEntry`: the slab journals
   * get what they lack of it. It visits every zone and goes home.
   */
  ReplayEntries,
  /**
   * A page of the map, in the buffer of a repair vio (`pageSlot`: 1 for an interior page): blocks are counted, or marked
   * as refused. It visits every zone, the last one first, and goes home.
   */
  CountPage,
  /** A block of a slab journal is blank (a metadata vio). */
  SlabJournalErased,
}

/** Hash zones: one lock for each set of identical writes in flight. */
export enum HashOp {
  /** A named write arrives. */
  Enter = (Room.Hash << 5) + 0,
  /** The index answers (operand: a dedupe context). */
  Answered,
  /** The agent has, or has not, a read lock on the candidate. */
  DuplicateLocked,
  /** The candidate was read and compared (`isDuplicate`). */
  Verified,
  /** The agent's share of the candidate's lock is given back. */
  DuplicateUnlocked,
  /** A member has finished writing or sharing, or failed: go on with the lock. */
  Continue,
  /** The deadline of the oldest query may have passed (operand: 0). */
  QueryDeadline,
  Administer,
  EnterReadOnly,
}

/** The recovery journal. */
export enum JournalOp {
  /** Add the entry of a data write, answer when it is durable. */
  Append = (Room.Journal << 5) + 0,
  /** Add the entry of a tree page, answer when it is durable. */
  AppendTree,
  /** A journal block is on disk (a metadata vio). */
  Written,
  /** The flush before reaping is done (a metadata vio). */
  Flushed,
  /** Some zone gave up the last lock of a journal block (operand: 0). */
  LocksReleased,
  Administer,
  EnterReadOnly,
}

/** The packer. */
export enum PackerOp {
  /** A compressed fragment looks for a bin. */
  Pack = (Room.Packer << 5) + 0,
  /** The operand waits for the vio in its `lockHolder` column: take that one out of its bin. */
  Evict,
  /** The flusher closed a generation: write or release all bins. */
  CloseGeneration,
  /** Compression goes on or off (operand: 1 or 0). */
  SetCompression,
  /**
   * The front end waits for its vios to come home (operand: 0): bins are emptied and nothing lingers in one until
   * the next Load or Resume. Not answered.
   */
  LetGo,
  Administer,
  EnterReadOnly,
}

/** The flusher. */
export enum FlushOp {
  /** A user flush (a flush vio). */
  Submit = (Room.Flush << 5) + 0,
  /** One logical zone has closed the generation (operand: the zone). */
  GenerationClosed,
  /** A logical zone's oldest active generation advanced (operand: the zone). */
  OldestAdvanced,
  /** The storage flush for finished generations is done (a flush vio). */
  Flushed,
  Administer,
  EnterReadOnly,
}

/** Cpu threads: pure work on a vio's blocks. */
export enum CpuOp {
  /** Compute the record name of the data block. */
  Name = (Room.Cpu << 5) + 0,
  /** Compress the data block behind the header space of the compressed block. */
  Compress,
  /** Compare the data block with the candidate that was read. */
  Verify,
  /** Decode the fragment that was read into the data block. */
  Uncompress,
  /** Lay a partial write over the data block, look for zeros. */
  Merge,
}

/** Bio threads: zone 0 writes and syncs, the others read (zone 0 does all if it is alone). */
export enum BioOp {
  Read = (Room.Bio << 5) + 0,
  Write,
  /** Storage flush: covers every write that completed before it was sent. */
  Flush,
}

/** The deduplication index. */
export enum IndexOp {
  /** A query, post or update (operand: a dedupe context). */
  Request = (Room.Index << 5) + 0,
  /** A page of the index's volume was read into a zone's cache (a metadata vio). */
  PageRead,
  /** A step of a zone's own work is done (a metadata vio). */
  Worked,
  /** The keeper tells a zone (operand: what). */
  FromKeeper,
  /** A zone tells the keeper, which is with zone 0 (operand: the zone and what). */
  ToKeeper,
  /** Zone 0 has a zone do its part of a change of the whole index (operand: an IndexOrder). */
  Order,
  /** A zone has done its part, or failed (operand: 0; the error on the index's board). To zone 0. */
  OrderDone,
  /** The index is to be opened, made anew, closed, used or not used (operand: an IndexControl). To zone 0. */
  Control,
  Administer,
}

/** The admin zone, hosted with the journal. */
export enum AdminOp {
  /** Start a command (operand: an AdminCommand; from the front end). */
  Command = (Room.Admin << 5) + 0,
  /** A zone finished the phase in progress (operand: its zone within its room); status on the admin board. */
  PhaseDone,
  /** The super block is on disk (a metadata vio). */
  SuperBlockWritten,
  /** Answer to a storage flush (a metadata vio). */
  StorageFlushed,
  /** Some zone met a fatal error (operand: the status). */
  ReadOnly,
  /** One room has entered read-only mode (operand: 0). */
  ReadOnlyEntered,
}

/** Repair: what a volume needs before it can be loaded; hosted with the admin zone, idle ever after. */
export enum RepairOp {
  /** A block of the recovery journal was read, or not (status; a repair vio, as all of these). */
  JournalRead = (Room.Repair << 5) + 0,
  /** A map page has the changes, or not (status). */
  PagePatched,
  /** Every physical zone has taken what it needs of a journal block, or not (status). */
  EntriesReplayed,
  /** A map page was read, or not (status). */
  PageRead,
  /** Every physical zone has counted what is its own of a map page. */
  PageCounted,
  Administer,
}

/** Opcode and zone: where a message goes. */
export type Hop = number

export type Op =
  | FrontOp
  | LogicalOp
  | PhysicalOp
  | HashOp
  | JournalOp
  | PackerOp
  | FlushOp
  | CpuOp
  | BioOp
  | IndexOp
  | AdminOp
  | RepairOp

export const MAX_OPERAND = 0xffff

export const hop = (op: Op, zone: number): Hop => (op << 7) | zone
export const roomOfHop = (h: Hop): Room => h >>> 12
export const zoneOfHop = (h: Hop): number => h & 127
export const opOfHop = (h: Hop): Op => h >>> 7

/** A word is a signed 32-bit integer, as Int32Array holds it. */
export const word = (h: Hop, operand: number): number => (h << 16) | operand
export const hopOfWord = (w: number): Hop => w >>> 16
export const operandOfWord = (w: number): number => w & 0xffff

/** What may be asked of the index while the volume runs: VDO's messages of the same names. */
export enum IndexControl {
  /** Close it, saved or not, and make a new one. */
  Create = 0,
  /** Save and close it. */
  Close = 1,
  /** Open it if it is closed, and use it. */
  Enable = 2,
  /** Open it if it is closed, and do not use it. */
  Disable = 3,
}

/** What the admin zone asks of a room; the operand of an `Administer` message. */
export enum AdminCommand {
  /** Prepare to run after a clean shutdown (or the first load). */
  Load = 0,
  /** Finish what is in flight, take no new work, write nothing extra. */
  Suspend = 1,
  /** Finish what is in flight, then write everything that is dirty. */
  Save = 2,
  /** Take work again. */
  Resume = 3,
}

/** What the admin zone asks of some rooms before a volume that was not closed can be loaded; an operand likewise. */
export enum RepairStep {
  /**
   * Repair reads the journal and has map pages patched; then logical zones write what was patched, and physical zones
   * find the ends of their slab journals.
   */
  Recover = 16,
  /** Repair has slab journals filled up; then physical zones write them. */
  ReplaySlabs,
  /** Repair says where the journal goes on and with which counters. */
  Restart,
  /** Of a rebuild: physical zones forget what slab journals, summary and counts said. */
  Forget,
  /** Repair walks the map and has all its blocks counted. */
  Recount,
  /** Physical zones write the counts. */
  SaveCounts,
  /** The load has failed and the volume is only read: repair lets go of what it has read. */
  GiveUp,
}
