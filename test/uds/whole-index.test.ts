import { expect } from 'chai'
import { openLayout } from '../../src/uds/index-layout.js'
import { placeOfSample } from './index-content.js'
import { LocalIndex } from './local-index.js'
import { answersOf } from './sample-sequences.js'
import { openSample, readExpected, type SampleName } from './uds-samples.js'

describe('an index that others left', () => {
  const cases: readonly [SampleName, zones: number, rebuilt: boolean][] = [
    ['dense1-clean', 1, false],
    ['dense3-clean', 1, false],
    ['dense1-rebuilt', 1, false],
    ['dense1-unclean', 1, true],
    ['dense1-unclean', 3, true],
    ['sparse1-clean', 1, false],
    ['sparse1-rebuilt', 1, false],
  ]
  for (const [name, zones, rebuilt] of cases) {
    it(`answers as ${name} should${rebuilt ? `, rebuilt by ${zones}` : ''}`, function () {
      this.timeout(60_000)
      const sample = openSample(this, name)
      const { storage, facts } = sample
      const layout = storage.run(openLayout(placeOfSample(sample)))
      const index = new LocalIndex(storage, layout, { zones })
      if (rebuilt) index.rebuild()
      else index.load()
      const { count, found } = facts.expect!
      const answers = answersOf(index, count)
      const wanted = readExpected(this, name)
      const wrong: string[] = []
      for (let i = 0; i < count; i++) {
        const [given, expected] = [answers, wanted].map((from) => from.subarray(11 * i, 11 * i + 11).join())
        if (given !== expected) wrong.push(`name ${i}: ${given}, wanted ${expected}`)
      }
      expect(wrong).to.deep.equal([])
      expect(answers.filter((byte, i) => i % 11 === 0 && byte !== 0).length).to.equal(found)
    })
  }
})
