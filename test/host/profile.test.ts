import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { MAX_THREADS, routesOf } from '../../src/engine/thread-plan.js'
import { BUILT_IN_PROFILES, loadProfile, parseProfile } from '../../src/host/profile.js'
import { hop, LogicalOp } from '../../src/vio/opcodes.js'
import { ROOT } from '../tools.js'

const ONE = 'zones: { logical: 1, physical: 1, hash: 1, cpu: 1, bio: 1, index: 1 }'
const REST = 'physical.0, hash.0, journal, admin, packer, flush, cpu.0, bio.0, index.0'

describe('thread profiles', () => {
  for (const name of BUILT_IN_PROFILES) {
    it(`${name} gives every zone a thread`, () => {
      const plan = loadProfile(name)
      expect(() => routesOf(plan)).not.to.throw()
      expect(plan.threads[0].name).to.equal('front')
      expect(plan.threads.length).to.be.at.most(MAX_THREADS)
    })
  }

  it('default gives logical, physical, hash, journal and packer zones a thread each', () => {
    const plan = loadProfile('default')
    const names = plan.threads.map((t) => t.name)
    expect(names).to.include.members(['logQ0', 'physQ0', 'hashQ0', 'journalQ', 'packerQ', 'cpuQ0', 'bioQ0'])
  })

  it('accepts a file of the user’s with several zones to a thread', () => {
    const text = `zones: { logical: 2, physical: 1, hash: 1, cpu: 1, bio: 1, index: 1 }\nthreads: { a: [logical.0, logical.1], b: [${REST}] }`
    const route = routesOf(parseProfile(text, 'mine.yaml'))
    expect(route(hop(LogicalOp.Launch, 0))).to.equal(1)
    expect(route(hop(LogicalOp.Launch, 1))).to.equal(1)
  })

  it('accepts the one of the documentation', () => {
    const text = readFileSync(join(ROOT, 'docs/using.md'), 'utf8')
    const plan = parseProfile(/```yaml\n(?<yaml>.*?)```/s.exec(text)?.groups?.['yaml'] ?? '', 'using.md')
    expect(plan.threads.map(({ name }) => name)).to.deep.equal(['front', 'logQ', 'physQ0', 'rest'])
  })

  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['text that is not YAML', 'zones: [', /mine\.yaml/],
    ['a missing zone', `${ONE}\nthreads: { a: [${REST}] }`, /no thread hosts logical\.0/],
    ['a zone on two threads', `${ONE}\nthreads: { a: [logical.0, ${REST}], b: [logical.0] }`, /two threads/],
    ['a zone that does not exist', `${ONE}\nthreads: { a: [logical.1, ${REST}] }`, /zones are 0 to 0/],
    ['an unknown kind', `${ONE}\nthreads: { a: [toString.0, ${REST}] }`, /none of/],
    ['too many zones', `${ONE.replace('logical: 1', 'logical: 61')}\nthreads: { a: [${REST}] }`, /logical/],
    [
      'a zone on two threads by two names',
      `${ONE}\nthreads: { a: [logical, ${REST}], b: [logical.0] }`,
      /a and b/,
    ],
    [
      'a zone twice on a thread',
      `${ONE}\nthreads: { a: [logical.0, logical.0, ${REST}] }`,
      /stands twice at a/,
    ],
    ['a number that is none', `${ONE}\nthreads: { a: [logical.0.5, ${REST}] }`, /"logical\.0\.5" is none of/],
    [
      'a count that is a text',
      `${ONE.replace('hash: 1', 'hash: two')}\nthreads: {}`,
      /zones\.hash is "two", wanted a whole number from 1 to 100/,
    ],
    [
      'a count that is broken',
      `${ONE.replace('cpu: 1', 'cpu: 1.5')}\nthreads: {}`,
      /zones\.cpu is 1\.5, wanted/,
    ],
    [
      'a count that is missing',
      `${ONE.replace('bio: 1, ', '')}\nthreads: {}`,
      /zones\.bio is missing, wanted/,
    ],
    ['threads that are a list', `${ONE}\nthreads: [a]`, /threads is a list, wanted threads by their names/],
    [
      'a thread without zones',
      `${ONE}\nthreads: { a: [] }`,
      /threads\.a is an empty list, wanted a list of zones/,
    ],
    [
      'a thread name with a space',
      `${ONE}\nthreads: { 'a b': [logical.0, ${REST}] }`,
      /a thread is named "a b"/,
    ],
    ['a key twice', `${ONE}\n${ONE}`, /line 2, column 1: Map keys must be unique/],
    ['an alias to nothing', 'zones: *nothing', /alias/],
    ['an empty file', '', /the document is nothing, wanted a mapping with zones and threads/],
    ['an unknown key', `${ONE}\nthread: {}\nthreads: { a: [logical.0, ${REST}] }`, /thread/],
  ]
  for (const [what, text, pattern] of refusals) {
    it(`refuses ${what}`, () => {
      expect(() => parseProfile(text, 'mine.yaml'))
        .to.throw(pattern)
        .with.property('code', 'VDO_BAD_PROFILE')
    })
  }

  it('names the profiles there are when a file does not exist', () => {
    expect(() => loadProfile('nothing.yaml')).to.throw(/default, tiny, wide/)
  })
})
