/**
 * The packer joins fragments of many writes into packed blocks. A fragment waits in a bin until the bin is full,
 * a flush or an admin command empties it, or someone who waits for its write takes it out.
 *
 * One zone, one thread. A fragment that is here belongs to the packer; only its compression word may change under
 * it. What keeps waiters from missing each other:
 * - a bin is chosen before the vio advances to `Packing`, and filled at once, so that a canceler who found it in
 *   `Packing` finds it in a bin;
 * - a fragment that was canceled when its bin is emptied cannot go on: its canceler's message is on the way and
 *   names it. It waits in the canceled bin.
 */
import { assert, unreachable } from '../../base/assert.js'
import { NO_VIO, type VioIndex, ZERO_BLOCK } from '../../base/ids.js'
import { Status } from '../../base/status.js'
import { FIRST_FRAGMENT_AT, openCompressedBlock, writeFragmentSize } from '../../format/compressed-block.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import type { Zone } from '../../reactor/zone.js'
import { toCleanup } from '../../vio/cleanup-path.js'
import { advanceCompression, CompressionStage, mayCompress } from '../../vio/compression.js'
import { Counter } from '../../vio/counters.js'
import { Mark } from '../../vio/marks.js'
import { AdminCommand, PackerOp } from '../../vio/opcodes.js'
import { toPackedWrite, toPlainWrite } from '../../vio/write-path.js'
import { phaseDone, type ZoneContext } from '../../vio/zone-context.js'
import { Bins, NO_BIN } from './bins.js'

enum AdminState {
  Normal = 0,
  /** Nothing may linger, for the front end waits for all that is in flight. */
  LettingGo = 1,
  Draining = 2,
  Quiescent = 3,
}

export class PackerZone implements Zone {
  private readonly bins: Bins
  private state = AdminState.Normal
  private readOnly = false
  /** Writes of older generations are not packed: a flush waits for them. */
  private generation = 0

  constructor(private readonly context: ZoneContext) {
    const { shape } = context
    this.bins = new Bins(shape.packerBins, shape.packerSlots, shape.dataVios)
  }

  receive(op: PackerOp, operand: number): void {
    switch (op) {
      case PackerOp.Pack:
        return this.pack(operand as VioIndex)
      case PackerOp.Evict:
        return this.evict(operand as VioIndex)
      case PackerOp.CloseGeneration:
        return this.closeGeneration()
      case PackerOp.SetCompression:
        return this.setCompression(operand !== 0)
      case PackerOp.LetGo:
        return this.letGo()
      case PackerOp.Administer:
        return this.administer(operand as AdminCommand)
      case PackerOp.EnterReadOnly:
        return this.enterReadOnly()
      default:
        return unreachable('the packer knows its messages', op)
    }
  }

  private pack(vio: VioIndex): void {
    const { vios, placement, post, counters } = this.context
    if (vios.status[vio] !== Status.Success) return post.send(toCleanup(vios, placement, vio), vio)
    assert(vios.allocatedPbn[vio] !== ZERO_BLOCK, 'whoever may carry a packed block has a place for it')
    const bin = this.mayPack(vio) ? this.bins.select(vios.fragmentSize[vio]) : NO_BIN
    if (bin === NO_BIN) return this.writePlain(vio)
    if (advanceCompression(vios.compression, vio) !== CompressionStage.Packing) {
      counters[Mark.PackingForbidden]++
      return this.writePlain(vio)
    }
    this.putInto(bin, vio)
  }

  private mayPack(vio: VioIndex): boolean {
    return (
      this.state === AdminState.Normal &&
      !this.readOnly &&
      this.context.boards.compressing &&
      this.context.vios.flushGeneration[vio] >= this.generation
    )
  }

  private putInto(bin: number, vio: VioIndex): void {
    const { bins } = this
    const { vios, counters } = this.context
    const size = vios.fragmentSize[vio]
    if (bins.freeBytes(bin) < size) {
      counters[Mark.BinMakesRoom]++
      this.empty(bin)
    }
    bins.add(bin, vio, size)
    counters[Counter.CompressedFragmentsInPacker]++
    if (bins.isFull(bin)) this.empty(bin)
    bins.settle(bin)
  }

  /** Writes what a bin holds as one packed block; a lone fragment goes to its own block, uncompressed. */
  private empty(bin: number): void {
    const { vios, arena, native, placement, post, counters } = this.context
    const agent = this.takeFrom(bin)
    if (agent === NO_VIO) return
    let client = this.takeFrom(bin)
    if (client === NO_VIO) {
      counters[Mark.LoneFragment]++
      return this.writePlain(agent)
    }

    const block = vios.compressedAt(agent)
    openCompressedBlock(arena, block)
    writeFragmentSize(arena, block, 0, vios.fragmentSize[agent])
    vios.packedSlot[agent] = 0
    let end = FIRST_FRAGMENT_AT + vios.fragmentSize[agent]
    let last = agent
    let slot = 1
    while (client !== NO_VIO) {
      const size = vios.fragmentSize[client]
      writeFragmentSize(arena, block, slot, size)
      native.copy(block + end, vios.compressedAt(client) + FIRST_FRAGMENT_AT, size)
      end += size
      vios.packedSlot[client] = slot++
      vios.packedNext[last] = client
      last = client
      client = this.takeFrom(bin)
    }
    vios.packedNext[last] = NO_VIO
    assert(slot <= this.bins.slots && end <= BLOCK_SIZE, 'the fragments of a bin fit one block')
    counters[Counter.CompressedFragmentsWritten] += slot
    counters[Counter.CompressedBlocksWritten]++
    post.send(toPackedWrite(vios, placement, agent), agent)
  }

  /** The next fragment of a bin that nobody waits for; those that someone waits for go to the canceled bin. */
  private takeFrom(bin: number): VioIndex {
    const { vios, counters } = this.context
    for (;;) {
      const vio = this.bins.pop(bin)
      if (vio === NO_VIO) return NO_VIO
      // From here on nobody can cancel it any more.
      advanceCompression(vios.compression, vio)
      if (mayCompress(vios.compression, vio)) {
        counters[Counter.CompressedFragmentsInPacker]--
        return vio
      }
      counters[Mark.FragmentCanceled]++
      this.bins.cancel(vio)
    }
  }

  private emptyAll(): void {
    for (let bin = 0; bin < this.bins.count; bin++) {
      if (this.bins.usedSlots(bin) === 0) continue
      this.empty(bin)
      this.bins.settle(bin)
    }
  }

  private evict(canceler: VioIndex): void {
    const { vios, counters } = this.context
    const holder = vios.lockHolder[canceler]
    this.bins.remove(holder, vios.fragmentSize[holder])
    counters[Counter.CompressedFragmentsInPacker]--
    counters[Mark.PackerEvictions]++
    this.writePlain(holder)
    this.finishDrain()
  }

  private writePlain(vio: VioIndex): void {
    const { vios, placement, post } = this.context
    post.send(toPlainWrite(vios, placement, vio), vio)
  }

  private closeGeneration(): void {
    this.generation = this.context.boards.closingGeneration + 1
    this.emptyAll()
  }

  private setCompression(on: boolean): void {
    this.context.boards.compressing = on
    if (!on) this.emptyAll()
  }

  /** Without this, a fragment that was acknowledged would wait for company that does not come. */
  private letGo(): void {
    this.state = AdminState.LettingGo
    this.emptyAll()
  }

  /** What waits in bins would otherwise wait for a flush that may never come. */
  private enterReadOnly(): void {
    this.readOnly = true
    this.emptyAll()
  }

  private administer(command: AdminCommand): void {
    switch (command) {
      case AdminCommand.Load:
      case AdminCommand.Resume:
        this.state = AdminState.Normal
        return phaseDone(this.context, Status.Success)
      case AdminCommand.Suspend:
      case AdminCommand.Save:
        this.state = AdminState.Draining
        this.emptyAll()
        return this.finishDrain()
      default:
        return unreachable('the packer knows the commands', command)
    }
  }

  /** Drained when nobody is left for whom a canceler is on the way. */
  private finishDrain(): void {
    if (this.state !== AdminState.Draining || this.bins.canceledCount > 0) return
    const left = this.context.counters[Counter.CompressedFragmentsInPacker]
    assert(left === 0, 'each fragment that came is counted out again')
    this.state = AdminState.Quiescent
    phaseDone(this.context, Status.Success)
  }
}
