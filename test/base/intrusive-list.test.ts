import { expect } from 'chai'
import fc from 'fast-check'
import { IntrusiveLists, NO_ENTRY } from '../../src/base/intrusive-list.js'

const ENTRIES = 8
const LISTS = 3

function contents(lists: IntrusiveLists, list: number): number[] {
  const entries: number[] = []
  for (let entry = lists.first(list); entry !== NO_ENTRY; entry = lists.next(entry)) entries.push(entry)
  return entries
}

describe('intrusive lists', () => {
  it('behave like arrays of entries', () => {
    const step = fc.record({
      do: fc.constantFrom('append', 'append', 'remove', 'move', 'shift', 'transfer'),
      list: fc.nat(LISTS - 1),
      other: fc.nat(LISTS - 1),
      entry: fc.nat(ENTRIES - 1),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (script) => {
        const lists = new IntrusiveLists(ENTRIES, LISTS)
        let twin: number[][] = Array.from({ length: LISTS }, () => [])
        const without = (entry: number) => twin.map((entries) => entries.filter((each) => each !== entry))
        for (const { do: what, list, other, entry } of script) {
          const linked = twin.some((entries) => entries.includes(entry))
          expect(lists.isLinked(entry)).to.equal(linked)
          if (what === 'append' && !linked) {
            lists.append(list, entry)
            twin[list]!.push(entry)
          } else if (what === 'remove') {
            lists.remove(entry)
            twin = without(entry)
          } else if (what === 'move') {
            lists.moveToTail(list, entry)
            twin = without(entry)
            twin[list]!.push(entry)
          } else if (what === 'shift') {
            expect(lists.shift(list)).to.equal(twin[list]!.shift() ?? NO_ENTRY)
          } else if (what === 'transfer' && list !== other) {
            lists.transferAll(list, other)
            twin[other]!.push(...twin[list]!.splice(0))
          }
          for (let l = 0; l < LISTS; l++) {
            expect(contents(lists, l)).to.deep.equal(twin[l])
            expect(lists.isEmpty(l)).to.equal(twin[l]!.length === 0)
          }
        }
      }),
      { seed: 4, numRuns: 200 },
    )
  })

  it('refuse an entry that is on a list already', () => {
    const lists = new IntrusiveLists(ENTRIES, LISTS)
    lists.append(0, 1)
    expect(() => lists.append(1, 1)).to.throw('one list at most')
    expect(() => lists.append(1, ENTRIES)).to.throw('one of the set')
  })
})
