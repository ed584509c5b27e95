/** What is asked of a simulated engine and waited for, in its own time. */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import type { Status } from '../base/status.js'
import type { ExportTarget } from '../engine/export-target.js'
import type { AdminCommand } from '../vio/opcodes.js'
import type { Oracle } from './oracle.js'
import type { SimStore } from './sim-store.js'
import type { Simulator } from './simulator.js'
import { Workload } from './workload.js'

const READ_BACK_DEPTH = 8

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

/** Has a client make requests, one at each event with a chance of `eagerness`. `between` runs before each event. */
export function work(
  simulator: Simulator,
  workload: Workload,
  prng: Prng,
  requests: readonly number[],
  eagerness: number,
  between: () => void = () => {},
): void {
  for (let issued = 0; issued < requests.length; ) {
    between()
    if (workload.inFlight < workload.depth && (workload.inFlight === 0 || prng.chance(eagerness))) {
      workload.issue(requests[issued++])
    }
    assert(simulator.step() || workload.inFlight === 0, 'the engine moves while requests are in flight')
  }
  finish(simulator, workload)
}

/** Reads every block that was ever written; with `settles`, what is found is what they hold. Gives how many answers. */
export function readBack(
  simulator: Simulator,
  target: ExportTarget,
  prng: Prng,
  oracle: Oracle,
  settles: boolean,
  isTolerant: () => boolean = () => false,
): number {
  const reader = new Workload(target, prng, oracle, READ_BACK_DEPTH, isTolerant)
  const blocks = oracle.writtenBlocks()
  for (let i = 0; i < blocks.length; ) {
    let count = 1
    while (count < READ_BACK_DEPTH && blocks[i + count] === blocks[i] + count) count++
    reader.readBack(blocks[i], count, settles)
    while (reader.inFlight > READ_BACK_DEPTH) {
      assert(simulator.step(), 'the engine moves while requests are in flight')
    }
    i += count
  }
  finish(simulator, reader)
  return reader.answered
}

/** An engine at rest asks nothing of the disk, whatever time passes. */
export function requireRest(simulator: Simulator, store: SimStore): void {
  const { requests } = store
  while (simulator.step()) assert(store.requests === requests, 'an engine at rest leaves the disk alone')
  assert(store.requests === requests, 'an engine at rest leaves the disk alone')
}
