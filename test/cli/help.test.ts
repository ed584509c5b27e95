/** What `--help` tells of every verb: of each value its range and what it is when it is left out. */

import { expect } from 'chai'
import { runOk, VDO } from '../tools.js'

/** Values that nothing stands in for. */
const WITHOUT_DEFAULT = ['--run <command>']
const NUMBERS = /<(?:size|bits|GiB|number|depths|n)>/
const RANGE = /\d\S* to \d|up to \d/

const help = (...verb: string[]): Promise<string> => runOk(process.execPath, [VDO, ...verb, '--help'])

/** The entries of a section, each on one line; what does not fit a line is continued further in. */
function entriesOf(text: string, section: string): string[] {
  const body = new RegExp(`^${section}:\n((?:  .*\n?)*)`, 'm').exec(text)?.[1] ?? ''
  return body
    .split(/\n(?= {2}\S)/)
    .map((entry) => entry.replaceAll(/\s+/g, ' ').trim())
    .filter((entry) => entry !== '')
}

describe('help', function () {
  this.timeout(60_000)
  const texts = new Map<string, string>()

  before(async () => {
    const verbs = entriesOf(await help(), 'Commands')
      .map((entry) => entry.split(' ')[0]!)
      .filter((verb) => verb !== 'help')
    await Promise.all(verbs.map(async (verb) => texts.set(verb, await help(verb))))
  })

  it('is there for every verb', () => {
    expect([...texts.keys()]).to.include.members(['format', 'serve', 'stats', 'audit', 'bench'])
    for (const [verb, text] of texts) expect(text).to.match(new RegExp(`^Usage: vdo ${verb} `))
  })

  it('tells the range and the default of every value', () => {
    let values = 0
    for (const [verb, text] of texts) {
      for (const entry of entriesOf(text, 'Options')) {
        const option = /^(?:-\w, )?(--[\w-]+ <\w+>)/.exec(entry)?.[1]
        if (option === undefined) continue
        values++
        if (!WITHOUT_DEFAULT.includes(option)) expect(entry, verb).to.match(/\(default: /)
        if (NUMBERS.test(option)) expect(entry, verb).to.match(RANGE)
      }
    }
    expect(values).to.be.above(20)
  })
})
