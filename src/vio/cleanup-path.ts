/**
 * The way home, for success and failure alike: out of the hash lock, out of the allocation, out of the lbn lock.
 * Each stage may be entered by a vio that never held what it gives back; the itinerary skips it then.
 */
import { type VioIndex, ZERO_BLOCK } from '../base/ids.js'
import { HashOp, type Hop, hop, LogicalOp, PhysicalOp } from './opcodes.js'
import type { Placement } from './placement.js'
import type { VioTable } from './vio-table.js'

/** The map is updated, or the vio failed somewhere after it entered a hash lock, or it never entered one. */
export function toCleanup(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return vios.hashLock[vio] >= 0 ? hop(HashOp.Continue, vios.hashZone[vio]) : afterHashLock(vios, place, vio)
}

/** No hash lock is held (any more). */
export function afterHashLock(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  const pbn = vios.allocatedPbn[vio]
  return pbn === ZERO_BLOCK
    ? afterAllocationLock(vios, place, vio)
    : hop(PhysicalOp.ReleaseAllocation, place.physicalZone(pbn))
}

/** No block is held (any more). */
export function afterAllocationLock(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.Release, place.logicalZone(vios.lbn[vio]))
}
