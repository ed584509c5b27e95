/**
 * Pure work on the blocks of a vio: naming, compressing, comparing, expanding, merging. A cpu zone keeps nothing
 * between messages, so any of them may serve any vio; each thread has the native helpers of its own.
 *
 * The vio that is here belongs to this thread, its three blocks included. The data block of a write may be read
 * by others meanwhile and is changed only by the merge, before anyone else may look.
 */
import { unreachable } from '../../base/assert.js'
import type { VioIndex } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import {
  FIRST_FRAGMENT_AT,
  findFragment,
  fragmentOfState,
  readFragmentSize,
} from '../../format/compressed-block.js'
import { BLOCK_SIZE, COMPRESSED_PAYLOAD_SIZE } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { toCleanup } from '../../vio/cleanup-path.js'
import { advanceCompression, CompressionStage } from '../../vio/compression.js'
import { CpuOp } from '../../vio/opcodes.js'
import { afterData, afterMerge, afterVerification } from '../../vio/read-path.js'
import { MappingState, VioFlag } from '../../vio/vio-table.js'
import { afterCompression, afterNaming } from '../../vio/write-path.js'
import type { ZoneContext } from '../../vio/zone-context.js'

/** A fragment that fills the payload leaves no room for a second one, so it is not worth packing. */
const LARGEST_FRAGMENT = COMPRESSED_PAYLOAD_SIZE - 1

export class CpuZone implements Zone {
  constructor(private readonly context: ZoneContext) {}

  receive(op: CpuOp, operand: number): void {
    const vio = operand as VioIndex
    switch (op) {
      case CpuOp.Name:
        return this.name(vio)
      case CpuOp.Compress:
        return this.compress(vio)
      case CpuOp.Verify:
        return this.verify(vio)
      case CpuOp.Uncompress:
        return this.uncompress(vio)
      case CpuOp.Merge:
        return this.merge(vio)
      default:
        return unreachable('a cpu zone knows its messages', op)
    }
  }

  private name(vio: VioIndex): void {
    const { vios, placement, native, post } = this.context
    if (vios.status[vio] !== Status.Success) return post.send(toCleanup(vios, placement, vio), vio)
    native.recordName(vios.dataAt(vio), vios.nameAt(vio))
    post.send(afterNaming(vios, placement, vio), vio)
  }

  private compress(vio: VioIndex): void {
    const { vios, placement, native, post } = this.context
    if (vios.status[vio] !== Status.Success) return post.send(toCleanup(vios, placement, vio), vio)
    // Whoever waits for this vio may have forbidden compression since it was sent here.
    const allowed = advanceCompression(vios.compression, vio) === CompressionStage.Compressing
    vios.fragmentSize[vio] = allowed
      ? native.compress(vios.dataAt(vio), vios.compressedAt(vio) + FIRST_FRAGMENT_AT, LARGEST_FRAGMENT)
      : 0
    post.send(afterCompression(vios, placement, vio), vio)
  }

  /** A candidate that cannot be read or decoded is not a duplicate; that is no fault of the write. */
  private verify(vio: VioIndex): void {
    const { vios, native, post } = this.context
    const wasRead = vios.status[vio] === Status.Success
    vios.status[vio] = Status.Success
    const state = vios.duplicateState[vio]
    const found =
      wasRead && (state === MappingState.Uncompressed || this.expand(vio, state, vios.scratchAt(vio)))
    vios.isDuplicate[vio] = found && native.equal(vios.dataAt(vio), vios.scratchAt(vio), BLOCK_SIZE) ? 1 : 0
    post.send(afterVerification(vios, vio), vio)
  }

  private uncompress(vio: VioIndex): void {
    const { vios, placement, post } = this.context
    if (vios.status[vio] === Status.Success && !this.expand(vio, vios.mappedState[vio], vios.dataAt(vio))) {
      vios.fail(vio, Status.InvalidFragment)
    }
    // A partial write is merged here and now: the next hop would lead back to a cpu zone.
    if (vios.has(vio, VioFlag.Unmerged)) return this.merge(vio)
    post.send(afterData(vios, placement, vio), vio)
  }

  private merge(vio: VioIndex): void {
    const { vios, placement, native, post } = this.context
    if (vios.status[vio] !== Status.Success) return post.send(toCleanup(vios, placement, vio), vio)
    const offset = vios.partialOffset[vio]
    native.copy(vios.dataAt(vio) + offset, vios.scratchAt(vio) + offset, vios.partialLength[vio])
    const zero = native.isZero(vios.dataAt(vio), BLOCK_SIZE) ? VioFlag.Zero : 0
    vios.flags[vio] = (vios.flags[vio] & ~(VioFlag.Unmerged | VioFlag.Zero)) | zero
    post.send(afterMerge(vios, placement, vio), vio)
  }

  /** Expands the fragment that a mapping state names out of the packed block in the compressed block. */
  private expand(vio: VioIndex, state: number, to: number): boolean {
    const { vios, native, arena } = this.context
    const block = vios.compressedAt(vio)
    const slot = fragmentOfState(state)
    const start = findFragment(arena, block, slot)
    return start >= 0 && native.decompress(block + start, readFragmentSize(arena, block, slot), to)
  }
}
