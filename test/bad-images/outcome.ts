/** How a command may end on an image that may be anything, and what an error must be to count as a refusal. */
import { VdoError } from '../../src/base/errors.js'

type Command = 'audit' | 'format' | 'serve' | 'read-only' | 'force-rebuild'

/** How each command ended: `serves`, `is read-only`, `refused: CODE` and the like. */
export type Outcomes = Readonly<Record<Command, string>>

/** What a rebuild cannot mend: data that are no compressed block any more. */
export const LOST_DATA: ReadonlySet<string> = new Set(['BAD_FRAGMENT'])

/** For what was thrown: that it was a refusal which says why. Anything else is thrown again. */
export function refusal(error: unknown): string {
  if (!(error instanceof VdoError)) throw error
  requireSaying(error)
  return `refused: ${error.code}`
}

/** An error names what it is by a code, and says what could not be done, and why. */
export function requireSaying(error: VdoError): void {
  const isSaid = /^VDO_[A-Z_]+$/.test(error.code) && /^Cannot .+: .+/s.test(error.message)
  const isUnexpected = error.code === 'VDO_ENGINE_HALTED' || error.code === 'VDO_SUCCESS'
  if (!isSaid || isUnexpected) throw new Error(`a refusal says no more than ${error.code}: ${error.message}`)
}
