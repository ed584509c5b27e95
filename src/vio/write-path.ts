/**
 * The way of a write, told once.
 *
 * ```
 * launch:     take the lbn lock, find the map slot (allocating tree pages), merge if partial     logical
 * join the flush generation
 * if there is data:  allocate a block, with a provisional reference and a write lock             physical
 * acknowledge, unless FUA, unless there was no space
 * if there is data:
 *   name it                                                                                      cpu
 *   enter the hash lock of that name; its agent asks the index, verifies the candidate           hash, index, bio, cpu
 *   if it is a duplicate:   share the candidate's block
 *   else compress, pack:    share the packed block                                               cpu, packer, bio, physical
 *   else                    write the block that was allocated                                   bio
 * read the old mapping                                                                           logical
 * journal old and new, wait until that is durable                                                journal, bio
 * count the new block, uncount the old one, side by side; wait for both                          physical
 * update the map                                                                                 logical
 * go on with the hash lock: others may now share                                                 hash
 * give back what is left of the allocation                                                       physical
 * leave the flush generation, pass the lbn lock on                                               logical
 * home                                                                                           front
 * ```
 *
 * Each function below is one stop: it looks at the vio and says where it goes next. Rooms do the work, the
 * itinerary knows the way.
 */
import type { VioIndex } from '../base/ids.js'
import { ZERO_BLOCK } from '../base/ids.js'
import { Status } from '../base/status.js'
import { endCompression } from './compression.js'
import { BioOp, CpuOp, HashOp, type Hop, hop, JournalOp, LogicalOp, PackerOp, PhysicalOp } from './opcodes.js'
import type { Placement } from './placement.js'
import { IoKind, MappingState, VioFlag, type VioTable } from './vio-table.js'

/** Whether a write needs a block of its own: it holds data, and is not a discard of a whole block. */
export function needsBlock(vios: VioTable, vio: VioIndex): boolean {
  return !vios.has(vio, VioFlag.Zero) && !isWholeDiscard(vios, vio)
}

/** A discard of a whole block unmaps it; a partial one overwrites with zeros. */
export function isWholeDiscard(vios: VioTable, vio: VioIndex): boolean {
  return (vios.flags[vio] & (VioFlag.Discard | VioFlag.Partial)) === VioFlag.Discard
}

/**
 * Whether the client may be told now that the write will not fail: not for FUA, not twice, and for a discard only
 * with its last block.
 */
export function mayAcknowledge(vios: VioTable, vio: VioIndex): boolean {
  return !vios.has(vio, VioFlag.Fua) && vios.acknowledged[vio] === 0 && vios.remainingBlocks[vio] === 0
}

/** The block is allocated, or there is none to be had: name the data either way, it may be a duplicate. */
export function afterAllocation(place: Placement, vio: VioIndex): Hop {
  return hop(CpuOp.Name, place.cpu(vio))
}

export function afterNaming(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  const zone = place.hashZone(vios.name[vio * 4] & 0xff)
  vios.hashZone[vio] = zone
  return hop(HashOp.Enter, zone)
}

/** The agent asks for a read lock on its candidate (`duplicatePbn`). */
export function toDuplicateLock(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(PhysicalOp.LockDuplicate, place.physicalZone(vios.duplicatePbn[vio]))
}

/** The agent gives the hash lock's share of a read lock back (`duplicatePbn`, `duplicateLock`), failed or not. */
export function toDuplicateUnlock(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(PhysicalOp.UnlockDuplicate, place.physicalZone(vios.duplicatePbn[vio]))
}

/** `duplicateLock` is the lock's row, or -1 if the candidate cannot be shared. */
export function afterDuplicateLock(vios: VioTable, vio: VioIndex): Hop {
  return hop(HashOp.DuplicateLocked, vios.hashZone[vio])
}

export function afterDuplicateUnlock(vios: VioTable, vio: VioIndex): Hop {
  return hop(HashOp.DuplicateUnlocked, vios.hashZone[vio])
}

/** Whoever waits for the vio in its `lockHolder` column has that one taken out of the packer. */
export const toEviction: Hop = hop(PackerOp.Evict, 0)

/** The hash lock's agent is to store its data: through the compressor if that is still allowed. */
export function toCompressor(place: Placement, vio: VioIndex): Hop {
  return hop(CpuOp.Compress, place.cpu(vio))
}

/** The fragment is made: `fragmentSize` is 0 when it is not worth packing. */
export function afterCompression(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return vios.fragmentSize[vio] === 0 ? toPlainWrite(vios, place, vio) : hop(PackerOp.Pack, 0)
}

/** Aims the vio at its own block: an uncompressed write. Without a block it fails for want of space. */
export function toPlainWrite(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  endCompression(vios.compression, vio)
  if (vios.allocatedPbn[vio] === ZERO_BLOCK) {
    vios.fail(vio, Status.NoSpace)
    return afterWrite(vios, place, vio)
  }
  vios.newPbn[vio] = vios.allocatedPbn[vio]
  vios.newState[vio] = MappingState.Uncompressed
  const back = hop(LogicalOp.ReadMapping, place.logicalZone(vios.lbn[vio]))
  vios.aim(vio, IoKind.Data, vios.allocatedPbn[vio], vios.dataAt(vio), 0, back)
  return hop(BioOp.Write, place.writer)
}

/** The packer's agent carries the packed block to disk, then its physical zone shares it out. */
export function toPackedWrite(vios: VioTable, place: Placement, agent: VioIndex): Hop {
  const pbn = vios.allocatedPbn[agent]
  const back = hop(PhysicalOp.SharePacked, place.physicalZone(pbn))
  vios.aim(agent, IoKind.Compressed, pbn, vios.compressedAt(agent), 0, back)
  return hop(BioOp.Write, place.writer)
}

/** The data is at rest or shared (or could not be: status): the map comes next. */
export function afterWrite(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.ReadMapping, place.logicalZone(vios.lbn[vio]))
}

export const toJournal: Hop = hop(JournalOp.Append, 0)
export const treeToJournal: Hop = hop(JournalOp.AppendTree, 0)

/** The entry is durable. The new block is counted first; the old one's message follows it in every ring. */
export function toIncrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  const pbn = vios.newPbn[vio]
  return pbn === ZERO_BLOCK
    ? afterIncrement(vios, place, vio)
    : hop(PhysicalOp.Increment, place.physicalZone(pbn))
}

export function toDecrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(PhysicalOp.Decrement, place.physicalZone(vios.mappedPbn[vio]))
}

export function afterIncrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.Incremented, place.logicalZone(vios.lbn[vio]))
}

export function afterDecrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.Decremented, place.logicalZone(vios.lbn[vio]))
}

/** A tree page's entry is durable. */
export function treeToIncrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(PhysicalOp.IncrementTree, place.physicalZone(vios.newPbn[vio]))
}

export function afterTreeIncrement(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.TreeCounted, place.logicalZone(vios.lbn[vio]))
}
