/**
 * Writes the super block, one write at a time. It keeps what the volume said when it was opened and replaces what
 * the journal's boards know better. Owned by the admin zone.
 */
import { assert } from '../../base/assert.js'
import type { Pbn, VioIndex } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import {
  encodeSuperBlockInto,
  reversedPartitions,
  type SuperBlock,
  VolumeState,
} from '../../format/super-block.js'
import { AdminOp, BioOp, hop } from '../../vio/opcodes.js'
import { IoFlag, IoKind } from '../../vio/vio-table.js'
import type { ZoneContext } from '../../vio/zone-context.js'

export class SuperBlockWriter {
  private superBlock: SuperBlock
  private readonly block: Uint8Array
  private writing = false
  /** What the super block says now; null while it is what it was when the volume was opened. */
  lastState: VolumeState | null = null

  constructor(
    private readonly context: ZoneContext,
    private readonly vio: VioIndex,
    superBlock: SuperBlock,
  ) {
    // The kernel turns the list of partitions around once each time it loads a volume; so does this.
    this.superBlock = { ...superBlock, partitions: reversedPartitions(superBlock) }
    const at = context.vios.bufferAt(vio)
    this.block = context.arena.subarray(at, at + BLOCK_SIZE)
  }

  get isWriting(): boolean {
    return this.writing
  }

  /** Answered by AdminOp.SuperBlockWritten. */
  write(state: VolumeState): void {
    assert(!this.writing, 'one write of the super block at a time')
    this.writing = true
    const { boards, counts, native, placement, post, vios, volume } = this.context
    this.superBlock = {
      ...this.superBlock,
      state,
      completeRecoveries: boards.completeRecoveries,
      readOnlyRecoveries: boards.readOnlyRecoveries,
      journalStart: boards.journalNext,
      logicalBlocksUsed: boards.logicalBlocksUsed,
      blockMapDataBlocks: boards.blockMapDataBlocks,
      // A load that fails may not have written the summary copies of its own zones yet.
      zoneCount: state === VolumeState.ReadOnly ? this.superBlock.zoneCount : counts.physical,
    }
    encodeSuperBlockInto(this.block, this.superBlock, (bytes, seed) => native.crc32(bytes, seed))
    // That the volume is damaged is said whether or not earlier writes can be made stable.
    const flags = state === VolumeState.ReadOnly ? IoFlag.Fua : IoFlag.Preflush | IoFlag.Fua
    const { vio } = this
    vios.status[vio] = Status.Success
    const back = hop(AdminOp.SuperBlockWritten, 0)
    vios.aim(vio, IoKind.Metadata, volume.superBlockPbn as Pbn, vios.bufferAt(vio), flags, back)
    post.send(hop(BioOp.Write, placement.writer), vio)
  }

  /** The write came back. */
  written(): Status {
    assert(this.writing, 'a write that is done was started')
    this.writing = false
    const status = this.context.vios.status[this.vio]
    if (status === Status.Success) this.lastState = this.superBlock.state
    return status
  }
}
