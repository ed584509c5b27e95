/** Waking threads, looked at from the one that rings. */
import { expect } from 'chai'
import { HostDoorbell, Sleep } from '../../src/host/doorbell.js'

const EVENT_LOOP = 0
const WORKER = 1

function made() {
  const words = new Int32Array(new SharedArrayBuffer(2 * 32 * 4))
  let pings = 0
  const worker = new HostDoorbell(words, { postMessage: () => pings++ })
  const front = new HostDoorbell(words, null)
  return { worker, front, stateOf: (thread: number) => words[thread * 32], pings: () => pings }
}

const idle = () => false
const busy = () => true

describe('the doorbell of a worker', () => {
  it('pings a sleeping event loop when it pays, once for all that was published', () => {
    const { worker, front, stateOf, pings } = made()
    expect(front.sleepInEventLoop(EVENT_LOOP, idle)).to.equal(true)
    worker.ring(EVENT_LOOP)
    worker.ring(EVENT_LOOP)
    expect([pings(), stateOf(EVENT_LOOP)]).to.deep.equal([0, Sleep.EventLoop])
    worker.pay()
    worker.pay()
    expect([pings(), stateOf(EVENT_LOOP)]).to.deep.equal([1, Sleep.Awake])
  })

  it('owes nothing to an event loop that is awake, or woke up by itself', () => {
    const { worker, front, pings } = made()
    worker.ring(EVENT_LOOP)
    worker.pay()
    front.sleepInEventLoop(EVENT_LOOP, idle)
    worker.ring(EVENT_LOOP)
    expect(front.sleepInEventLoop(EVENT_LOOP, busy)).to.equal(false)
    worker.pay()
    expect(pings()).to.equal(0)
  })

  it('lets nobody sleep for whom there is work', () => {
    const { worker, front, stateOf } = made()
    expect(front.sleepInEventLoop(EVENT_LOOP, busy)).to.equal(false)
    worker.park(WORKER, busy, Number.POSITIVE_INFINITY)
    expect([stateOf(EVENT_LOOP), stateOf(WORKER)]).to.deep.equal([Sleep.Awake, Sleep.Awake])
  })

  it('is rung when a control call is announced, which is owed until it is forgotten', () => {
    const { worker, front } = made()
    // Rung after the worker says that it sleeps: it must not.
    worker.park(
      WORKER,
      () => {
        front.demand(WORKER)
        return idle()
      },
      Number.POSITIVE_INFINITY,
    )
    expect(worker.attention(WORKER)).to.equal(1)
    front.forget(WORKER)
    expect(worker.attention(WORKER)).to.equal(0)
  })
})
