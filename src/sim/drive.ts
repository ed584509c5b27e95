/** What is asked of a simulated engine and waited for, in its own time. */
import { assert } from '../base/assert.js'
import type { Status } from '../base/status.js'
import type { AdminCommand } from '../vio/opcodes.js'
import type { Simulator } from './simulator.js'
import type { Workload } from './workload.js'

/** Gives the answer to a command. */
export function administer(simulator: Simulator, command: AdminCommand): Status {
  let answer: Status | null = null
  simulator.frontEnd.administer(command, (status) => {
    answer = status
  })
  const answered = simulator.runUntil(() => answer !== null)
  assert(answered && answer !== null, 'an administrative command is answered')
  return answer
}

export function finish(simulator: Simulator, workload: Workload): void {
  const done = simulator.runUntil(() => workload.inFlight === 0)
  assert(done, 'every request is answered')
}

/** Every vio is home; every request that was taken is answered, unless its client is held. */
export function drain(simulator: Simulator, isHeld: boolean): void {
  const { frontEnd } = simulator
  let drained = false
  const done = () => {
    drained = true
  }
  if (isHeld) frontEnd.hold(done)
  else frontEnd.drain(done)
  assert(
    simulator.runUntil(() => drained),
    'the front end drains',
  )
}
