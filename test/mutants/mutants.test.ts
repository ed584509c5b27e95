import { expect } from 'chai'
import { applyEdit, textsOf } from './apply.js'
import { MUTANTS } from './mutants.js'

describe('the mutants', () => {
  it('each have a name of their own', () => {
    const names = MUTANTS.map(({ name }) => name)
    expect(new Set(names).size).to.equal(names.length)
  })

  for (const { name, edits } of MUTANTS) {
    it(`still apply: ${name}`, () => {
      for (const edit of edits) {
        for (const text of textsOf(edit)) expect(applyEdit(text, edit)).to.not.equal(text)
      }
    })
  }

  it('are refused where their text stands twice or not at all', () => {
    const edit = { file: 'a', find: 'x', replace: 'y' }
    expect(applyEdit('axb', edit)).to.equal('ayb')
    expect(() => applyEdit('ab', edit)).to.throw('0 times')
    expect(() => applyEdit('axbx', edit)).to.throw('2 times')
  })
})
