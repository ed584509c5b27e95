import { expect } from 'chai'
import fc from 'fast-check'
import { NO_ROW, PriorityTable } from '../../src/base/priority-table.js'

const ROWS = 10

describe('a priority table', () => {
  it('gives the oldest of the highest priority', () => {
    const step = fc.record({
      do: fc.constantFrom('enqueue', 'enqueue', 'dequeue', 'remove'),
      row: fc.nat(ROWS - 1),
      priority: fc.oneof(fc.constantFrom(0, 31, 32, 63), fc.nat(63)),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (script) => {
        const table = new PriorityTable(ROWS)
        let twin: { row: number; priority: number }[] = []
        for (const { do: what, row, priority } of script) {
          const queued = twin.some((each) => each.row === row)
          expect(table.has(row)).to.equal(queued)
          if (what === 'enqueue' && !queued) {
            table.enqueue(row, priority)
            twin.push({ row, priority })
            twin.sort((a, b) => b.priority - a.priority)
          } else if (what === 'dequeue') {
            expect(table.dequeue()).to.equal(twin.shift()?.row ?? NO_ROW)
          } else if (what === 'remove') {
            table.remove(row)
            twin = twin.filter((each) => each.row !== row)
          }
          expect(table.highest).to.equal(twin[0]?.priority ?? -1)
          expect(table.isEmpty).to.equal(twin.length === 0)
        }
      }),
      { seed: 5, numRuns: 200 },
    )
  })

  it('refuses a priority beyond 63', () => {
    expect(() => new PriorityTable(1).enqueue(0, 64)).to.throw('0 to 63')
  })
})
