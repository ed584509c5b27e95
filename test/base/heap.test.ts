import { expect } from 'chai'
import fc from 'fast-check'
import { DeadlineHeap, NO_TIMER } from '../../src/base/heap.js'

const TIMERS = 12

describe('a deadline heap', () => {
  it('gives due timers by deadline, then in the order armed', () => {
    const step = fc.record({
      do: fc.constantFrom('arm', 'arm', 'cancel', 'take'),
      timer: fc.nat(TIMERS - 1),
      time: fc.nat(6),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (script) => {
        const heap = new DeadlineHeap(TIMERS)
        let twin: { timer: number; deadline: number }[] = []
        for (const { do: what, timer, time } of script) {
          expect(heap.isArmed(timer)).to.equal(twin.some((each) => each.timer === timer))
          if (what === 'arm') {
            heap.arm(timer, time)
            twin = twin.filter((each) => each.timer !== timer)
            twin.push({ timer, deadline: time })
            twin.sort((a, b) => a.deadline - b.deadline)
          } else if (what === 'cancel') {
            heap.cancel(timer)
            twin = twin.filter((each) => each.timer !== timer)
          } else {
            const due = twin.length > 0 && twin[0]!.deadline <= time
            expect(heap.takeDue(time)).to.equal(due ? twin.shift()!.timer : NO_TIMER)
          }
          expect(heap.nextDeadline).to.equal(twin[0]?.deadline ?? Number.POSITIVE_INFINITY)
          expect(heap.size).to.equal(twin.length)
        }
      }),
      { seed: 6, numRuns: 300 },
    )
  })
})
