import { expect } from 'chai'
import fc from 'fast-check'
import { NO_WAITER, WaitQueues } from '../../src/base/wait-queue.js'

const ROWS = 8
const QUEUES = 3

function contents(queues: WaitQueues, queue: number): number[] {
  const rows: number[] = []
  for (let row = queues.first(queue); row !== NO_WAITER; row = queues.after(row)) rows.push(row)
  return rows
}

describe('wait queues', () => {
  it('behave like arrays of rows', () => {
    const step = fc.record({
      do: fc.constantFrom('push', 'push', 'shift', 'transfer', 'notify'),
      queue: fc.nat(QUEUES - 1),
      other: fc.nat(QUEUES - 1),
      row: fc.nat(ROWS - 1),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (script) => {
        const queues = WaitQueues.create(new Int32Array(ROWS), QUEUES)
        const twin: number[][] = Array.from({ length: QUEUES }, () => [])
        for (const { do: what, queue, other, row } of script) {
          const waiting = twin.some((rows) => rows.includes(row))
          expect(queues.isWaiting(row)).to.equal(waiting)
          if (what === 'push' && !waiting) {
            queues.push(queue, row)
            twin[queue]!.push(row)
          } else if (what === 'shift') {
            expect(queues.shift(queue)).to.equal(twin[queue]!.shift() ?? NO_WAITER)
          } else if (what === 'transfer' && queue !== other) {
            queues.transferAll(queue, queues, other)
            twin[other]!.push(...twin[queue]!.splice(0))
          } else if (what === 'notify') {
            const woken: number[] = []
            queues.notifyAll(queue, (waiter) => woken.push(waiter))
            expect(woken).to.deep.equal(twin[queue]!.splice(0))
          }
          for (let q = 0; q < QUEUES; q++) {
            expect(contents(queues, q)).to.deep.equal(twin[q])
            expect(queues.isEmpty(q)).to.equal(twin[q]!.length === 0)
          }
        }
      }),
      { seed: 3, numRuns: 200 },
    )
  })

  it('wake each waiter once, though it goes back to waiting', () => {
    const queues = WaitQueues.create(new Int32Array(ROWS), 1)
    for (const row of [4, 2, 6]) queues.push(0, row)
    const woken: number[] = []
    queues.notifyAll(0, (row) => {
      woken.push(row)
      if (row !== 2) queues.push(0, row)
    })
    expect(woken).to.deep.equal([4, 2, 6])
    expect(contents(queues, 0)).to.deep.equal([4, 6])
  })

  it('move waiters between sets that link the same column', () => {
    const next = new Int32Array(new SharedArrayBuffer(ROWS * 4))
    const locks = WaitQueues.create(next, 2)
    const pages = WaitQueues.create(next, 5)
    pages.push(4, 1)
    locks.push(1, 0)
    locks.push(1, 7)
    locks.transferAll(1, pages, 4)
    expect(contents(pages, 4)).to.deep.equal([1, 0, 7])
    expect(locks.isEmpty(1)).to.equal(true)
  })

  it('refuse a row that already waits', () => {
    const queues = WaitQueues.create(new Int32Array(ROWS), 2)
    queues.push(0, 3)
    expect(() => queues.push(1, 3)).to.throw('one queue at a time')
  })
})
