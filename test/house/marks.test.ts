import { expect } from 'chai'
import { COUNTER_COUNT } from '../../src/vio/counters.js'
import { Mark, RARE, ROW_WORDS } from '../../src/vio/marks.js'
import { codeOf, filesUnder } from './source-tree.js'

const MARKS = Object.keys(Mark).filter((name) => !/^\d+$/.test(name))
const HOME = 'src/vio/marks.ts'

/** Every place in the sources that passes a mark. */
function placements(): string[] {
  return filesUnder('src', '.ts')
    .filter(({ path }) => path !== HOME)
    .flatMap(({ text }) => [...codeOf(text).matchAll(/\bMark\.(\w+)/g)].map((match) => match[1]!))
}

describe('the mark of a rare branch', () => {
  it('stands at one place of the code', () => {
    expect(placements().sort()).to.deep.equal([...MARKS].sort())
  })

  it('is told in a sentence', () => {
    const home = filesUnder('src/vio', 'marks.ts')[0]!.text
    const told = [...home.matchAll(/\/\*\* [A-Z][^*]*\. \*\/\n {2}(\w+)(?: = \d+)?,/g)].map(
      (match) => match[1],
    )
    expect(told).to.deep.equal(MARKS)
  })

  it('has a word of its own, behind those of the counters, and is reported', () => {
    const words = MARKS.map((name) => Mark[name as keyof typeof Mark])
    expect(Math.min(...words)).to.be.at.least(COUNTER_COUNT)
    expect(new Set(words).size).to.equal(words.length)
    expect(ROW_WORDS).to.equal(Math.max(...words) + 1)
    expect(RARE).to.include.members(words)
  })
})
