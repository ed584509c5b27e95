/**
 * Watches that each vio is in one place: with the thread that it was last sent to, or in one message, and in neither
 * case on anybody's wait queue; and that its data stand still from its entry into a hash zone to the end of its
 * write, since others compare with them and read them; and that the journal lets its entries go on in order. The
 * simulator tells it of every message when it is sent and when it arrives.
 *
 * Beside a vio's main message there may be others of it: an acknowledgement, its decrement, and, while it waits, the
 * request to evict whom it waits for. The members of a packed block travel with their agent.
 */
import { assert } from '../base/assert.js'
import { NO_VIO, type VioIndex } from '../base/ids.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { HashOp, hopOfWord, LogicalOp, operandOfWord, opOfHop, PhysicalOp } from '../vio/opcodes.js'
import type { VioTable } from '../vio/vio-table.js'
import { HANDS_OVER } from './hands-over.js'

const NOTHING = -1

/** Whose a vio is before it was ever sent: that of whoever sends it first. */
const NOBODY = -1

export class VioWatch {
  private readonly owners: Int32Array
  private readonly travels: Uint8Array
  /** What the data of a write add up to while they must not change; NOTHING for a vio without. */
  private readonly sums: Float64Array
  /** The newest place in the recovery journal whose entry has gone on to be counted. */
  private newestSequence = 0
  private newestEntry = 0

  constructor(
    private readonly vios: VioTable,
    private readonly arena: Uint8Array,
    rows: number,
  ) {
    this.sums = new Float64Array(rows).fill(NOTHING)
    this.owners = new Int32Array(rows).fill(NOBODY)
    this.travels = new Uint8Array(rows)
  }

  sent(thread: number, word: number): void {
    const op = opOfHop(hopOfWord(word))
    if (!HANDS_OVER[op]) return
    const vio = operandOfWord(word) as VioIndex
    assert(this.travels[vio] === 0, 'a vio is in one message at a time')
    if (op === PhysicalOp.Increment || op === PhysicalOp.IncrementTree) this.requireOrder(vio)
    const owner = this.owners[vio]
    assert(owner === NOBODY || owner === thread, 'a vio is sent on by the thread that has it')
    this.requireFree(vio)
    this.travels[vio] = 1
  }

  arrived(thread: number, word: number): void {
    const op = opOfHop(hopOfWord(word))
    if (!HANDS_OVER[op]) return
    const vio = operandOfWord(word) as VioIndex
    assert(this.travels[vio] === 1, 'a vio arrives that was sent')
    this.requireFree(vio)
    this.travels[vio] = 0
    this.owners[vio] = thread
    if (op === PhysicalOp.SharePacked) this.takeBatch(thread, vio)
    else if (op === LogicalOp.Launch) this.sums[vio] = NOTHING
    else if (op === HashOp.Enter) this.sums[vio] = this.sumOf(vio)
    else if (op === LogicalOp.Release) this.requireUnchanged(vio)
  }

  private requireOrder(vio: VioIndex): void {
    const sequence = this.vios.journalSequence[vio]
    const entry = this.vios.journalEntry[vio]
    const isNewer =
      sequence > this.newestSequence || (sequence === this.newestSequence && entry > this.newestEntry)
    assert(isNewer, 'entries go on in the order of the journal')
    this.newestSequence = sequence
    this.newestEntry = entry
  }

  private requireUnchanged(vio: VioIndex): void {
    const sum = this.sums[vio]
    assert(sum === NOTHING || sum === this.sumOf(vio), 'data that others may read stand still')
    this.sums[vio] = NOTHING
  }

  private sumOf(vio: VioIndex): number {
    const words = new Int32Array(this.arena.buffer, this.vios.dataAt(vio), BLOCK_SIZE / 4)
    let sum = 0
    for (const word of words) sum = (Math.imul(sum, 31) + word) >>> 0
    return sum
  }

  private takeBatch(thread: number, agent: VioIndex): void {
    for (let client = this.vios.packedNext[agent]; client !== NO_VIO; client = this.vios.packedNext[client]) {
      assert(this.travels[client] === 0, 'the members of a batch wait for their agent')
      this.owners[client] = thread
    }
  }

  private requireFree(vio: VioIndex): void {
    assert(this.vios.waiterNext[vio] === 0, 'a vio that is on its way waits on no queue')
  }
}
