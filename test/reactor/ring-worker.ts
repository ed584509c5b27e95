/**
 * One end of a pair of rings in a thread of its own, for ring.test.ts. The producer sends `count` words, never more
 * in flight than a ring holds; the echo sends each one back. Beside each word travels a value in a plain column,
 * which the ring's publish has to make visible.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Ring } from '../../src/reactor/ring.js'

export interface RingJob {
  readonly isProducer: boolean
  readonly count: number
  readonly capacity: number
  readonly there: Int32Array
  readonly back: Int32Array
  readonly column: Int32Array
}

const job = workerData as RingJob
const { count, capacity, column } = job
const outbound = new Ring(job.isProducer ? job.there : job.back)
const inbound = new Ring(job.isProducer ? job.back : job.there)
const pause = new Int32Array(new SharedArrayBuffer(4))
let spins = 0

function take(next: number): number {
  let taken = next
  while (inbound.isReady) {
    const word = inbound.take()
    if (word !== wordOf(taken)) throw new Error(`word ${taken} is ${word}`)
    if (column[taken % capacity] !== valueOf(taken)) throw new Error(`value ${taken} is not there yet`)
    taken++
  }
  if (taken !== next) inbound.release()
  // Lets the other thread run on a machine with one free core.
  else if (++spins % 64 === 0) Atomics.wait(pause, 0, 0, 0.05)
  return taken
}

const wordOf = (n: number) => Math.imul(n, 0x9e3779b1)
const valueOf = (n: number) => (n ^ 0x5a5a5a5a) | 0

if (job.isProducer) {
  let sent = 0
  let echoed = 0
  while (echoed < count) {
    while (sent < count && sent - echoed < capacity) {
      column[sent % capacity] = valueOf(sent)
      outbound.stage(wordOf(sent++))
    }
    outbound.publish()
    echoed = take(echoed)
  }
} else {
  let taken = 0
  while (taken < count) {
    const before = taken
    taken = take(taken)
    for (let n = before; n < taken; n++) outbound.stage(wordOf(n))
    outbound.publish()
  }
}
parentPort!.postMessage('done')
