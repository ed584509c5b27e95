import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { RULES } from '../../../src/sim/order/rules.js'
import { ROOT } from '../../tools.js'

describe('the rules of writing', () => {
  const rules = Object.values(RULES).flat()

  it('each have a name of their own', () => {
    expect(new Set(rules.map(({ name }) => name)).size).to.equal(rules.length)
  })

  it('are told in the documents as they stand in the code', () => {
    const page = readFileSync(join(ROOT, 'docs/write-order.md'), 'utf8')
    for (const { name, section, says } of rules) expect(page).to.contain(`| ${name} | ${section} | ${says} |`)
  })
})
