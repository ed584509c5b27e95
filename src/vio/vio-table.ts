/**
 * The vio table: everything in flight, as columns in shared memory. Rows are data vios, then flush vios, then
 * metadata vios.
 *
 * A row belongs to the zone last sent its vio; the ring's publish is the fence, so plain reads and writes are
 * enough. Three exceptions, each a group of its own:
 * - *decrement* columns travel by `PhysicalOp.Decrement` beside the increment and belong to whoever has that message;
 * - a *canceler* (`lockHolder`) may be in a message to the packer while the vio is linked on a wait queue;
 * - *atomic* columns (`compression`, `allocationSucceeded`) may be looked at by others at any time.
 * The data block of a vio that holds an lbn lock or is a member of a hash lock may be read by others and must not
 * change meanwhile.
 *
 * What only one room needs to remember of a vio is in that room, in an ordinary typed array indexed by vio.
 */
import type { Bump } from '../base/bump.js'
import type { Column, Lbn, Pbn, VioIndex } from '../base/ids.js'
import type { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { Hop } from './opcodes.js'

/** What a data vio is for. Written by the front end; `Zero` again by the merge, the rest by nobody. */
export enum VioFlag {
  Read = 1,
  Write = 2,
  /** A discard, or an exact zeroing that need not keep blocks mapped. Always with Write. */
  Discard = 4,
  /** Durable before it is answered. */
  Fua = 8,
  /** All 4,096 bytes are zero. */
  Zero = 16,
  /** Less than the block: `partialOffset` and `partialLength` say which bytes. A partial write merges. */
  Partial = 32,
  /** A partial write whose data block is not merged yet. */
  Unmerged = 64,
}

/** How a data block is mapped: stored on disk in map entries and journals. 2…15 is fragment `state - 2`. */
export enum MappingState {
  Unmapped = 0,
  Uncompressed = 1,
  CompressedBase = 2,
}

export enum IoFlag {
  /** Everything that completed before this was sent is stable before this is written. */
  Preflush = 1,
  /** This is stable before it is answered. */
  Fua = 2,
}

/** What an I/O is for, for statistics and for its place in the writer's pass (later goes first). */
export enum IoKind {
  /** Pages and saves of the deduplication index: nobody waits for what is written. */
  Index = 0,
  Data = 1,
  Compressed = 2,
  /** Block map pages. */
  PageCache = 3,
  /** Slab journals, reference blocks, slab summary, super block. */
  Metadata = 4,
  /** Recovery journal blocks. */
  Journal = 5,
}

export class VioTable {
  // Main group.
  readonly flags: Int32Array
  readonly status: Column<VioIndex, Status>
  readonly lbn: Column<VioIndex, Lbn>
  /** Bytes of a partial block. */
  readonly partialOffset: Int32Array
  readonly partialLength: Int32Array
  /** Blocks that a discard has yet to walk after the present one. */
  readonly remainingBlocks: Int32Array
  /** 1 once the client has been told; written only by the zone that sends `Acknowledge`. */
  readonly acknowledged: Uint8Array
  /** Where a service room sends the vio when it is done. */
  readonly returnTo: Column<VioIndex, Hop>
  /** The map page and slot of the lbn (0: no leaf). While a tree page is journaled: its parent's page and slot. */
  readonly pagePbn: Column<VioIndex, Pbn>
  readonly pageSlot: Int32Array
  /** The mapping before and after. */
  readonly mappedPbn: Column<VioIndex, Pbn>
  readonly mappedState: Uint8Array
  readonly newPbn: Column<VioIndex, Pbn>
  readonly newState: Uint8Array
  /** The vio's own block while it holds one (0: none); a tree page's block while one is allocated. */
  readonly allocatedPbn: Column<VioIndex, Pbn>
  /**
   * The pbn lock on the vio's own block (a row of PbnLockTable), written by the physical zone with `allocatedPbn`.
   * A hash lock takes it over when others are to share what the vio wrote; `allocatedPbn` is 0 then.
   */
  readonly allocationLock: Int32Array
  /** The physical zone that the search began in, how many were tried, and whether it may wait for scrubbing. */
  readonly allocationStart: Int32Array
  readonly allocationTries: Int32Array
  readonly allocationWaits: Int32Array
  /** The record name: four words. */
  readonly name: Uint32Array
  /** The hash lock (an index within its hash zone; -1: none) and the zone. */
  readonly hashLock: Int32Array
  readonly hashZone: Int32Array
  /** The candidate or target of sharing, its pbn lock (a row of PbnLockTable; -1: none), and the verdict. */
  readonly duplicatePbn: Column<VioIndex, Pbn>
  readonly duplicateState: Uint8Array
  readonly duplicateLock: Int32Array
  readonly isDuplicate: Uint8Array
  /** Where the entry of this vio stands in the recovery journal. */
  readonly journalSequence: Float64Array
  readonly journalEntry: Int32Array
  /** The flush generation it belongs to. */
  readonly flushGeneration: Float64Array
  /** Size of the fragment, its slot in a packed block, and the next member of its batch (agent first). */
  readonly fragmentSize: Int32Array
  readonly packedSlot: Int32Array
  readonly packedNext: Column<VioIndex, VioIndex>
  /** The link of whatever wait queue the vio is on. */
  readonly waiterNext: Int32Array

  // I/O, for the vio that is with bio.
  readonly ioPbn: Column<VioIndex, Pbn>
  /** Byte offset in the arena, blocks to move. */
  readonly ioAt: Float64Array
  readonly ioBlocks: Int32Array
  readonly ioFlags: Int32Array
  readonly ioKind: Int32Array

  // Decrement group.
  readonly decrementStatus: Column<VioIndex, Status>

  // Canceler group.
  /** Whom the packer is to evict on behalf of this vio. */
  readonly lockHolder: Column<VioIndex, VioIndex>

  // Atomic group: only through Atomics.
  /** Compression stage and the mark that forbids it; see compression.ts. */
  readonly compression: Int32Array
  /** 1 while others may be served from the data block: the write will not fail for want of space. */
  readonly allocationSucceeded: Int32Array

  private readonly dataBlocks: number
  private readonly compressedBlocks: number
  private readonly scratchBlocks: number
  private readonly metadataBlocks: number

  /** `dataVios` rows with three blocks each, then `otherVios` rows with one. */
  constructor(
    bump: Bump,
    readonly dataVios: number,
    otherVios: number,
  ) {
    const rows = dataVios + otherVios
    const f64 = <V extends number>() => bump.float64(rows) as unknown as Column<VioIndex, V>
    const i32 = <V extends number>() => bump.int32(rows) as unknown as Column<VioIndex, V>
    this.flags = bump.int32(rows)
    this.status = i32<Status>()
    this.lbn = f64<Lbn>()
    this.partialOffset = bump.int32(rows)
    this.partialLength = bump.int32(rows)
    this.remainingBlocks = bump.int32(rows)
    this.acknowledged = bump.uint8(rows)
    this.returnTo = i32<Hop>()
    this.pagePbn = f64<Pbn>()
    this.pageSlot = bump.int32(rows)
    this.mappedPbn = f64<Pbn>()
    this.mappedState = bump.uint8(rows)
    this.newPbn = f64<Pbn>()
    this.newState = bump.uint8(rows)
    this.allocatedPbn = f64<Pbn>()
    this.allocationLock = bump.int32(rows)
    this.allocationStart = bump.int32(rows)
    this.allocationTries = bump.int32(rows)
    this.allocationWaits = bump.int32(rows)
    this.name = bump.uint32(rows * 4)
    this.hashLock = bump.int32(rows)
    this.hashZone = bump.int32(rows)
    this.duplicatePbn = f64<Pbn>()
    this.duplicateState = bump.uint8(rows)
    this.duplicateLock = bump.int32(rows)
    this.isDuplicate = bump.uint8(rows)
    this.journalSequence = bump.float64(rows)
    this.journalEntry = bump.int32(rows)
    this.flushGeneration = bump.float64(rows)
    this.fragmentSize = bump.int32(rows)
    this.packedSlot = bump.int32(rows)
    this.packedNext = i32<VioIndex>()
    this.waiterNext = bump.int32(rows)
    this.ioPbn = f64<Pbn>()
    this.ioAt = bump.float64(rows)
    this.ioBlocks = bump.int32(rows)
    this.ioFlags = bump.int32(rows)
    this.ioKind = bump.int32(rows)
    this.decrementStatus = i32<Status>()
    this.lockHolder = i32<VioIndex>()
    this.compression = bump.int32(rows)
    this.allocationSucceeded = bump.int32(rows)
    this.dataBlocks = bump.blocks(dataVios, BLOCK_SIZE)
    this.compressedBlocks = bump.blocks(dataVios, BLOCK_SIZE)
    this.scratchBlocks = bump.blocks(dataVios, BLOCK_SIZE)
    this.metadataBlocks = bump.blocks(otherVios, BLOCK_SIZE)
  }

  /** Arena offset of a data vio's data: what the client wrote or will read. */
  dataAt(vio: VioIndex): number {
    return this.dataBlocks + vio * BLOCK_SIZE
  }

  /** Arena offset of a data vio's compressed block: header space, then fragments; or a packed block that was read. */
  compressedAt(vio: VioIndex): number {
    return this.compressedBlocks + vio * BLOCK_SIZE
  }

  /** Arena offset of a data vio's scratch block: the bytes of a partial write, or a candidate to compare with. */
  scratchAt(vio: VioIndex): number {
    return this.scratchBlocks + vio * BLOCK_SIZE
  }

  /** Arena offset of a metadata vio's own block. */
  bufferAt(vio: VioIndex): number {
    return this.metadataBlocks + (vio - this.dataVios) * BLOCK_SIZE
  }

  /** Arena offset of the four words of the record name. */
  nameAt(vio: VioIndex): number {
    return this.name.byteOffset + vio * 16
  }

  has(vio: VioIndex, flag: VioFlag): boolean {
    return (this.flags[vio] & flag) !== 0
  }

  isRead(vio: VioIndex): boolean {
    return (this.flags[vio] & VioFlag.Write) === 0
  }

  /** Keeps the first error. */
  fail(vio: VioIndex, status: Status): void {
    if (this.status[vio] === 0) this.status[vio] = status
  }

  /** Prepares an I/O of one block. */
  aim(vio: VioIndex, kind: IoKind, pbn: Pbn, at: number, flags: number, returnTo: Hop): void {
    this.aimRun(vio, kind, pbn, 1, at, flags, returnTo)
  }

  /** Prepares an I/O of `count` blocks from `pbn` on, neighbours in the arena as well. */
  aimRun(
    vio: VioIndex,
    kind: IoKind,
    pbn: Pbn,
    count: number,
    at: number,
    flags: number,
    returnTo: Hop,
  ): void {
    this.ioKind[vio] = kind
    this.ioPbn[vio] = pbn
    this.ioAt[vio] = at
    this.ioBlocks[vio] = count
    this.ioFlags[vio] = flags
    this.returnTo[vio] = returnTo
  }
}
