import { expect } from 'chai'
import fc from 'fast-check'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import * as summary from '../../src/format/slab-summary.js'
import { expectedOf, goldenBlock, inSharedMemory, PLACE, takeBlock } from './golden.js'

describe('slab summary', () => {
  const { entries } = expectedOf<{ entries: [number, number, number, number][] }>('clean-summary-block')

  it('reads what the kernel wrote', () => {
    const bytes = inSharedMemory(goldenBlock('clean-summary-block'))
    const found = entries.map((_, slab) => {
      const entry = summary.readSummaryEntry(bytes, PLACE, summary.summaryIndexOf(slab))
      const flags = [summary.summaryLoad(entry) ? 1 : 0, summary.summaryDirty(entry) ? 1 : 0]
      return [summary.summaryTail(entry), summary.summaryHint(entry), ...flags]
    })
    expect(found).to.deep.equal(entries)
  })

  it('writes the same bytes as the kernel', () => {
    const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
    for (let index = 0; index < 2048; index++) {
      summary.writeSummaryEntry(bytes, PLACE, index, summary.defaultSummaryEntry(7966, 13))
    }
    const [tail, hint, load, dirty] = entries[0]
    summary.writeSummaryEntry(bytes, PLACE, 0, summary.packSummaryEntry(tail, hint, load === 1, dirty === 1))
    expect(takeBlock(bytes)).to.deep.equal(goldenBlock('clean-summary-block'))
  })

  it('gives the hint of an empty slab of each size', () => {
    const hints = [
      [8, 16, 4],
      [9, 256, 32],
      [10, 799, 49],
      [13, 7966, 62],
      [14, 16155, 63],
      [19, 523934, 63],
      [23, 8386303, 63],
    ]
    for (const [bits, free, hint] of hints) expect(summary.fullnessHint(free, bits)).to.equal(hint)
    expect(summary.fullnessHint(0, 13)).to.equal(0)
    expect(summary.fullnessHint(1, 13)).to.equal(1)
    expect(summary.fullnessHint(127, 13)).to.equal(1)
    expect(summary.fullnessHint(256, 13)).to.equal(2)
    expect(summary.fullnessHint(3, 4)).to.equal(3)
  })

  it('finds the entry of a slab in the copy of a zone', () => {
    expect(summary.summaryBlockOf(0, 0)).to.equal(0)
    expect(summary.summaryBlockOf(2047, 1)).to.equal(4)
    expect(summary.summaryBlockOf(2048, 1)).to.equal(5)
    expect(summary.summaryBlockOf(8191, 15)).to.equal(63)
    expect(summary.summaryIndexOf(2049)).to.equal(1)
    expect(summary.summaryZoneOf(7, 0)).to.equal(0)
    expect(summary.summaryZoneOf(7, 3)).to.equal(1)
  })

  it('keeps all fields of an entry', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(63), fc.boolean(), fc.boolean(), (tail, hint, load, dirty) => {
        const entry = summary.packSummaryEntry(tail, hint, load, dirty)
        expect(entry).to.be.within(0, 0xffff)
        expect(summary.summaryTail(entry)).to.equal(tail)
        expect(summary.summaryHint(entry)).to.equal(hint)
        expect(summary.summaryLoad(entry)).to.equal(load)
        expect(summary.summaryDirty(entry)).to.equal(dirty)
      }),
      { seed: 5 },
    )
  })
})
