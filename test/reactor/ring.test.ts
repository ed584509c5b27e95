import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import fc from 'fast-check'
import { RING_HEADER_WORDS, Ring, ringWords } from '../../src/reactor/ring.js'
import type { RingJob } from './ring-worker.js'

/** Memory for a ring whose counters stand `before` words short of where 32 bits end. */
function memory(capacity: number, before = 0): Int32Array {
  const words = new Int32Array(new SharedArrayBuffer(ringWords(capacity) * 4))
  words[0] = -before
  words[16] = -before
  return words
}

describe('a ring', () => {
  it('shows what was staged only after the publish, oldest first', () => {
    const shared = memory(4)
    const [producer, consumer] = [new Ring(shared), new Ring(shared)]
    producer.stage(-1)
    producer.stage(0x7fff_ffff)
    expect(consumer.isReady).to.equal(false)
    expect(producer.publish()).to.equal(true)
    expect(producer.publish()).to.equal(false)
    expect(consumer.length).to.equal(2)
    expect([consumer.take(), consumer.take()]).to.deep.equal([-1, 0x7fff_ffff])
    expect(consumer.isReady).to.equal(false)
  })

  it('has its places back when they are released, not when they are taken', () => {
    const shared = memory(2)
    const [producer, consumer] = [new Ring(shared), new Ring(shared)]
    producer.stage(1)
    producer.stage(2)
    producer.publish()
    expect(consumer.isReady).to.equal(true)
    consumer.take()
    expect(() => producer.stage(3)).to.throw('a ring has room for all that can be in it')
    consumer.release()
    producer.stage(3)
    expect(() => producer.stage(4)).to.throw('a ring has room for all that can be in it')
  })

  it('has a power of two of words', () => {
    expect(() => new Ring(new Int32Array(RING_HEADER_WORDS + 3))).to.throw('a power of two')
  })

  it('behaves like a queue, round and round, where 32 bits end too', () => {
    const step = fc.constantFrom('stage', 'stage', 'publish', 'take', 'take', 'release')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(20), (script, before) => {
        const shared = memory(8, before)
        const [producer, consumer] = [new Ring(shared), new Ring(shared)]
        const staged: number[] = []
        const published: number[] = []
        let unreleased = 0
        let next = 0
        for (const what of script) {
          if (what === 'stage' && staged.length + published.length + unreleased < 8) {
            producer.stage(next)
            staged.push(next++)
          } else if (what === 'publish') {
            expect(producer.publish()).to.equal(staged.length > 0)
            published.push(...staged.splice(0))
          } else if (what === 'take') {
            expect(consumer.isReady).to.equal(published.length > 0)
            if (published.length === 0) continue
            expect(consumer.take()).to.equal(published.shift())
            unreleased++
          } else if (what === 'release') {
            consumer.release()
            unreleased = 0
          }
          expect(consumer.length).to.equal(published.length)
        }
      }),
      { seed: 3, numRuns: 300 },
    )
  })

  it('keeps order and publishes columns between two threads, round and round', async function () {
    this.timeout(60_000)
    const capacity = 64
    const job = {
      count: 100_000,
      capacity,
      there: memory(capacity, 50_000),
      back: memory(capacity, 30_000),
      column: new Int32Array(new SharedArrayBuffer(capacity * 4)),
    }
    const start = (isProducer: boolean) => {
      const workerData: RingJob = { ...job, isProducer }
      return new Worker(new URL('./ring-worker.js', import.meta.url), { workerData })
    }
    const workers = [start(true), start(false)]
    const ends = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0] as unknown),
    )
    expect(ends).to.deep.equal(['done', 'done'])
    await Promise.all(workers.map((worker) => worker.terminate()))
  })
})
