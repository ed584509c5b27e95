/** The way of a request's data into vios, a block at most in each, and of what was read back to its reader. */
import { unreachable } from '../base/assert.js'
import { lbn, type VioIndex, vioIndex, ZERO_BLOCK } from '../base/ids.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { resetCompression } from '../vio/compression.js'
import { VioFlag } from '../vio/vio-table.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { type Request, RequestKind, VIOS_PER_REQUEST } from './request.js'

/** Blocks that a vio of a discard may always walk. */
const SHORT_WALK = 8

export class VioLoader {
  /** Of each vio: its data block. */
  private readonly blocks: readonly Uint8Array[]

  constructor(private readonly context: ZoneContext) {
    const { shape, vios, arena } = context
    this.blocks = Array.from({ length: shape.dataVios }, (_, i) => {
      const at = vios.dataAt(vioIndex(i))
      return arena.subarray(at, at + BLOCK_SIZE)
    })
  }

  /** Makes of a vio what the request has at byte `start`. Gives how many bytes that is: of a discard, many blocks. */
  load(vio: VioIndex, request: Request, start: number): number {
    const { vios } = this.context
    const block = Math.floor(start / BLOCK_SIZE)
    const offset = start - block * BLOCK_SIZE
    const length = Math.min(BLOCK_SIZE - offset, request.end - start)
    vios.status[vio] = Status.Success
    vios.lbn[vio] = lbn(block)
    vios.partialOffset[vio] = offset
    vios.partialLength[vio] = length
    vios.remainingBlocks[vio] = 0
    vios.acknowledged[vio] = 0
    vios.allocatedPbn[vio] = ZERO_BLOCK
    vios.hashLock[vio] = -1
    vios.duplicateLock[vio] = -1
    vios.duplicatePbn[vio] = ZERO_BLOCK
    vios.journalSequence[vio] = 0
    resetCompression(vios.compression, vio)
    Atomics.store(vios.allocationSucceeded, vio, 0)
    const isPartial = length < BLOCK_SIZE
    switch (request.kind) {
      case RequestKind.Read:
        vios.flags[vio] = VioFlag.Read | (isPartial ? VioFlag.Partial : 0)
        return length
      case RequestKind.Write:
        this.takeData(vio, request, start, length, isPartial)
        if (request.fua) vios.flags[vio] |= VioFlag.Fua
        return length
      case RequestKind.Discard:
        return this.takeDiscard(vio, request, start, length, isPartial)
      default:
        return unreachable('a request has a kind', request.kind)
    }
  }

  /** Copies what was read to its reader. */
  giveRead(vio: VioIndex, request: Request): void {
    const { vios } = this.context
    const offset = vios.partialOffset[vio]
    const to = vios.lbn[vio] * BLOCK_SIZE + offset - request.start
    const length = vios.partialLength[vio]
    request.bytes.set(
      length === BLOCK_SIZE ? this.blocks[vio] : this.blocks[vio].subarray(offset, offset + length),
      to,
    )
  }

  private takeDiscard(
    vio: VioIndex,
    request: Request,
    start: number,
    length: number,
    isPartial: boolean,
  ): number {
    const { vios, native } = this.context
    vios.flags[vio] = VioFlag.Write | VioFlag.Discard | (request.fua ? VioFlag.Fua : 0)
    if (isPartial) {
      vios.flags[vio] |= VioFlag.Partial | VioFlag.Unmerged
      native.fill(vios.scratchAt(vio) + vios.partialOffset[vio], 0, length)
      return length
    }
    const whole = Math.min(Math.floor((request.end - start) / BLOCK_SIZE), this.walkOf(request))
    vios.remainingBlocks[vio] = whole - 1
    return whole * BLOCK_SIZE
  }

  /**
   * Blocks that one vio of a discard walks. Where they are mapped each step waits for the journal, so that many short
   * walks at a time end soonest; where they are not, few long ones cost least.
   */
  private walkOf({ start, end }: Request): number {
    const share = Math.ceil((end - start) / BLOCK_SIZE / VIOS_PER_REQUEST)
    return Math.min(Math.max(share, SHORT_WALK), this.context.shape.maxDiscardBlocks)
  }

  private takeData(vio: VioIndex, request: Request, start: number, length: number, isPartial: boolean): void {
    const { vios, native, arena } = this.context
    const from = start - request.start
    if (isPartial) {
      arena.set(request.bytes.subarray(from, from + length), vios.scratchAt(vio) + vios.partialOffset[vio])
      vios.flags[vio] = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
      return
    }
    const whole = from === 0 && request.bytes.length === BLOCK_SIZE
    this.blocks[vio].set(whole ? request.bytes : request.bytes.subarray(from, from + BLOCK_SIZE))
    const isZero = native.isZero(vios.dataAt(vio), BLOCK_SIZE)
    vios.flags[vio] = isZero ? VioFlag.Write | VioFlag.Zero : VioFlag.Write
  }
}
