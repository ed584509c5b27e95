/**
 * The way of a read: lbn lock and map slot (logical), the block (bio), the fragment (cpu) if it is packed, home.
 * A partial write reads first, is merged (cpu), and goes on as a write.
 */
import type { VioIndex } from '../base/ids.js'
import { BioOp, CpuOp, HashOp, type Hop, hop, LogicalOp } from './opcodes.js'
import type { Placement } from './placement.js'
import { IoKind, MappingState, VioFlag, type VioTable } from './vio-table.js'

/** Aims a vio at the block it is mapped to (`mappedPbn`, `mappedState`; not the zero block). */
export function toMappedRead(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  const packed = vios.mappedState[vio] > MappingState.Uncompressed
  const at = packed ? vios.compressedAt(vio) : vios.dataAt(vio)
  const back = packed ? hop(CpuOp.Uncompress, place.cpu(vio)) : afterData(vios, place, vio)
  vios.aim(vio, packed ? IoKind.Compressed : IoKind.Data, vios.mappedPbn[vio], at, 0, back)
  return hop(BioOp.Read, place.reader(vio))
}

/** The old data is in the data block: a read is done, a partial write is merged. */
export function afterData(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  if (vios.has(vio, VioFlag.Unmerged)) return hop(CpuOp.Merge, place.cpu(vio))
  return hop(LogicalOp.Release, place.logicalZone(vios.lbn[vio]))
}

export function afterMerge(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  return hop(LogicalOp.ReadDone, place.logicalZone(vios.lbn[vio]))
}

/** An agent reads its candidate into the scratch block, or the packed block that holds it, to compare. */
export function toVerify(vios: VioTable, place: Placement, vio: VioIndex): Hop {
  const packed = vios.duplicateState[vio] > MappingState.Uncompressed
  const at = packed ? vios.compressedAt(vio) : vios.scratchAt(vio)
  const kind = packed ? IoKind.Compressed : IoKind.Data
  vios.aim(vio, kind, vios.duplicatePbn[vio], at, 0, hop(CpuOp.Verify, place.cpu(vio)))
  return hop(BioOp.Read, place.reader(vio))
}

/** The verdict is in `isDuplicate`: the hash lock goes on. */
export function afterVerification(vios: VioTable, vio: VioIndex): Hop {
  return hop(HashOp.Verified, vios.hashZone[vio])
}
