/**
 * The index's side of a question with an index in memory, for tests and benchmarks: it answers at once, and nothing
 * outlives the volume's run. It sees names and never a vio.
 *
 * Every context is sent back, one that was given up meanwhile too (as `TimedOutComplete`), so that its hash zone
 * knows when it may be used again.
 */
import { unreachable } from '../base/assert.js'
import { Status } from '../base/status.js'
import { advicePbn, adviceState, encodeAdvice } from '../format/advice.js'
import type { Zone } from '../reactor/zone.js'
import { Counter } from '../vio/counters.js'
import { CONTEXT_BYTES, contextsPerZone, IndexRequestKind } from '../vio/dedupe-contexts.js'
import { AdminCommand, hop, IndexOp } from '../vio/opcodes.js'
import { phaseDone, type ZoneContext } from '../vio/zone-context.js'
import { IndexLifecycle } from './index-lifecycle.js'
import { MemoryIndex } from './memory-index.js'
import type { Advice, NameIndex } from './name-index.js'
import { sendAnswer } from './send-answer.js'

export class MemoryIndexZone implements Zone {
  private index: NameIndex
  private readonly advice: Advice = { pbn: 0, state: 0 }
  private readonly perHashZone: number
  private readonly share: number
  /** In zone 0, which speaks for all. */
  private readonly lifecycle: IndexLifecycle | null

  constructor(private readonly context: ZoneContext) {
    this.share = Math.max(1, Math.floor(context.shape.indexNames / context.counts.index))
    this.perHashZone = contextsPerZone(context.shape, context.counts)
    this.index = new MemoryIndex(this.share)
    this.lifecycle = context.zone === 0 ? this.makeLifecycle() : null
  }

  receive(op: IndexOp, operand: number): void {
    switch (op) {
      case IndexOp.Request:
        return this.answer(operand)
      case IndexOp.Control:
        return this.lifecycle?.control(operand)
      case IndexOp.Order:
        // The only order there is: forget everything.
        this.index = new MemoryIndex(this.share)
        return
      case IndexOp.Administer:
        return this.administer(operand)
      case IndexOp.PageRead:
      case IndexOp.Worked:
      case IndexOp.FromKeeper:
      case IndexOp.ToKeeper:
      case IndexOp.OrderDone:
        return unreachable('an index in memory has no other messages', op as never)
      default:
        return unreachable('an index zone knows its messages', op)
    }
  }

  private makeLifecycle(): IndexLifecycle {
    const { post, counts } = this.context
    const lifecycle: IndexLifecycle = new IndexLifecycle(this.context, {
      open: () => lifecycle.opened(),
      close: () => {
        for (let zone = 0; zone < counts.index; zone++) post.send(hop(IndexOp.Order, zone), 0)
        lifecycle.closed()
      },
    })
    return lifecycle
  }

  /** Nothing is in flight between messages. */
  private administer(command: AdminCommand): void {
    if (command === AdminCommand.Load) this.lifecycle?.begin()
    else if (command === AdminCommand.Resume) this.lifecycle?.goOn()
    else this.lifecycle?.rest()
    phaseDone(this.context, Status.Success)
  }

  private answer(row: number): void {
    const { contexts, counters } = this.context
    const { index, advice } = this
    const found = this.perform(row)
    contexts.locations[row] = found ? 1 : 0
    if (found) encodeAdvice(contexts.known, row * CONTEXT_BYTES, advice.pbn, advice.state)
    counters[Counter.IndexEntries] = index.size
    counters[Counter.IndexEntriesDiscarded] = index.discarded
    sendAnswer(this.context, this.perHashZone, row)
  }

  private perform(row: number): boolean {
    const { contexts } = this.context
    const { index, advice } = this
    const { nameWords: name, offered } = contexts
    const at = row * 4
    const pbn = advicePbn(offered, row * CONTEXT_BYTES)
    const state = adviceState(offered, row * CONTEXT_BYTES)
    const kind: IndexRequestKind = contexts.kinds[row]
    switch (kind) {
      case IndexRequestKind.Query: {
        const found = index.query(name[at], name[at + 1], name[at + 2], name[at + 3], advice)
        return this.count(found, Counter.IndexQueriesFound, Counter.IndexQueriesNotFound)
      }
      case IndexRequestKind.Post: {
        const found = index.post(name[at], name[at + 1], name[at + 2], name[at + 3], pbn, state, advice)
        return this.count(found, Counter.IndexPostsFound, Counter.IndexPostsNotFound)
      }
      case IndexRequestKind.Update: {
        // What was offered is what is known from now on; nobody looks at what was known before.
        const found = index.update(name[at], name[at + 1], name[at + 2], name[at + 3], pbn, state)
        return this.count(found, Counter.IndexUpdatesFound, Counter.IndexUpdatesNotFound)
      }
      default:
        return unreachable('an index knows its requests', kind)
    }
  }

  private count(found: boolean, yes: Counter, no: Counter): boolean {
    this.context.counters[found ? yes : no]++
    return found
  }
}
