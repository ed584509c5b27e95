import { expect } from 'chai'
import { codeOf, filesUnder, lineAt } from './source-tree.js'

/** The one place that skips, with a reason: where tools are required it fails instead. */
const DOOR = 'test/tools.ts'

describe('tests', () => {
  it('are left out by nobody but the shared tools, and none is run alone', () => {
    const pattern =
      /(?<!\w)(?:x(?:it|describe|context)\s*\(|(?:it|describe|context|this)\s*\.\s*(?:skip|only)\s*\()/g
    const found = filesUnder('test', '.ts').flatMap(({ path, text }) => {
      const code = codeOf(text)
      return [...code.matchAll(pattern)].map((match) => `${path}:${lineAt(code, match.index)}`)
    })
    expect(found.filter((place) => !place.startsWith(`${DOOR}:`))).to.deep.equal([])
    expect(found).to.have.length(1)
  })
})
