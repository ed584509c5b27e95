/**
 * The index's side of a question: takes dedupe contexts, asks the index, and sends each context back to its hash
 * zone. It sees names and never a vio.
 *
 * Every context is sent back, one that was given up meanwhile too (as `TimedOutComplete`), so that its hash zone
 * knows when it may be used again. A zone with an index that answers at once is never in the middle of anything.
 */
import { unreachable } from '../base/assert.js'
import type { Pbn } from '../base/ids.js'
import { Status } from '../base/status.js'
import type { Zone } from '../reactor/zone.js'
import { Counter } from '../vio/counters.js'
import { ContextState, contextsPerZone, IndexRequestKind } from '../vio/dedupe-contexts.js'
import { HashOp, hop, IndexOp } from '../vio/opcodes.js'
import { phaseDone, type ZoneContext } from '../vio/zone-context.js'
import { MemoryIndex } from './memory-index.js'
import type { Advice, NameIndex } from './name-index.js'

export class IndexZone implements Zone {
  private readonly index: NameIndex
  private readonly advice: Advice = { pbn: 0, state: 0 }
  private readonly perHashZone: number

  constructor(
    private readonly context: ZoneContext,
    index?: NameIndex,
  ) {
    const share = Math.max(1, Math.floor(context.shape.indexNames / context.counts.index))
    this.perHashZone = contextsPerZone(context.shape, context.counts)
    this.index = index ?? new MemoryIndex(share)
  }

  receive(op: IndexOp, operand: number): void {
    switch (op) {
      case IndexOp.Request:
        return this.answer(operand)
      case IndexOp.Administer:
        // Nothing is kept across runs and nothing is in flight between messages: every command is done already.
        return phaseDone(this.context, Status.Success)
      default:
        return unreachable('an index zone knows its messages', op)
    }
  }

  private answer(row: number): void {
    const { contexts, counters, post } = this.context
    const { index, advice } = this
    const found = this.perform(row)
    contexts.found[row] = found ? 1 : 0
    contexts.advicePbn[row] = advice.pbn as Pbn
    contexts.adviceState[row] = advice.state
    counters[Counter.IndexEntries] = index.size
    counters[Counter.IndexEntriesDiscarded] = index.discarded
    if (!contexts.swap(row, ContextState.Pending, ContextState.Complete)) {
      contexts.swap(row, ContextState.TimedOut, ContextState.TimedOutComplete)
    }
    post.send(hop(HashOp.Answered, Math.floor(row / this.perHashZone)), row)
  }

  private perform(row: number): boolean {
    const { contexts } = this.context
    const { index, advice } = this
    const { name } = contexts
    const at = row * 4
    const pbn = contexts.offeredPbn[row]
    const state = contexts.offeredState[row]
    const kind: IndexRequestKind = contexts.kind[row]
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
