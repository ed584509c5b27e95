/** What clients may ask of a volume that is read-only: it serves reads, refuses writes, and can be closed. */
import { assert } from '../base/assert.js'
import type { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { AdminCommand } from '../vio/opcodes.js'
import { administer, drain, finish } from './drive.js'
import { Undecided } from './oracle.js'
import type { Simulator } from './simulator.js'
import { Workload } from './workload.js'

const REQUESTS = 30
const DEPTH = 8

/** Asks for everything, and closes the volume. */
export function useReadOnly(simulator: Simulator, prng: Prng): void {
  const workload = new Workload(simulator.frontEnd, prng, new Undecided(), DEPTH, () => true)
  for (let issued = 0; issued < REQUESTS; issued++) {
    workload.issue()
    while (workload.inFlight === workload.depth) {
      assert(simulator.step(), 'the engine moves while requests are in flight')
    }
  }
  finish(simulator, workload)
  simulator.frontEnd.write(0, new Uint8Array(BLOCK_SIZE).fill(1), false, (status) =>
    assert(status === Status.ReadOnly, 'a read-only volume refuses writes'),
  )
  drain(simulator, false)
  assert(administer(simulator, AdminCommand.Save) === Status.Success, 'a read-only volume can be closed')
}
