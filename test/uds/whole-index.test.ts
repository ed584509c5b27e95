import { expect } from 'chai'
import { openLayout } from '../../src/uds/index-layout.js'
import { IndexRequest } from '../../src/uds/index-requests.js'
import { rebuildIndex } from '../../src/uds/rebuild.js'
import { placeOfSample } from './index-content.js'
import { LocalIndex } from './local-index.js'
import { sampleName } from './sample-names.js'
import { openSample, readExpected, type SampleName } from './uds-samples.js'

/** An index's location as the expectations have it: nothing, open, dense, sparse. */
const EXPECTED_LOCATIONS = [0, 4, 5, 6]

/** Asks for every name in turn and compares with what the original said. Returns how many were found. */
function compareAll(index: LocalIndex, expected: Uint8Array, count: number): number {
  let found = 0
  const wrong: string[] = []
  for (let i = 0; i < count; i++) {
    const location = EXPECTED_LOCATIONS[index.ask(IndexRequest.QueryNoUpdate, sampleName(i))]
    const wanted = expected.subarray(i * 11, i * 11 + 11)
    const data = index.requests.known.subarray(0, 10)
    const isSame =
      location === wanted[0] && (location === 0 || data.every((byte, j) => byte === wanted[j + 1]))
    if (!isSame) wrong.push(`name ${i}: ${location}, wanted ${wanted[0]}`)
    if (location !== 0) found++
  }
  expect(wrong).to.deep.equal([])
  return found
}

describe('an index that others left', () => {
  const cases: readonly [SampleName, zones: number, rebuilt: boolean][] = [
    ['dense1-clean', 1, false],
    ['dense3-clean', 1, false],
    ['dense1-rebuilt', 1, false],
    ['dense1-unclean', 1, true],
    ['sparse1-clean', 1, false],
    ['sparse1-rebuilt', 1, false],
  ]
  for (const [name, zones, rebuilt] of cases) {
    it(`answers as ${name} should${rebuilt ? ' after it is rebuilt' : ''}`, function () {
      this.timeout(60_000)
      const sample = openSample(this, name)
      const { storage, facts } = sample
      const layout = storage.run(openLayout(placeOfSample(sample)))
      const index = new LocalIndex(storage, layout, { zones })
      if (rebuilt) {
        const indexes = index.zones.map(({ volumeIndex }) => volumeIndex)
        index.begin(storage.run(rebuildIndex(layout, indexes, index.content.pageMap)))
      } else index.load()
      expect(compareAll(index, readExpected(this, name), facts.expect!.count)).to.equal(facts.expect!.found)
    })
  }
})
