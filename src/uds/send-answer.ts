/** How the index sends a context back to its hash zone, in time or not. */
import { ContextState } from '../vio/dedupe-contexts.js'
import { HashOp, hop } from '../vio/opcodes.js'
import type { ZoneContext } from '../vio/zone-context.js'

export function sendAnswer({ contexts, post }: ZoneContext, contextsPerHashZone: number, row: number): void {
  if (!contexts.swap(row, ContextState.Pending, ContextState.Complete)) {
    contexts.swap(row, ContextState.TimedOut, ContextState.TimedOutComplete)
  }
  post.send(hop(HashOp.Answered, Math.floor(row / contextsPerHashZone)), row)
}
