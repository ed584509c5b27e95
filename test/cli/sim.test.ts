import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { buildMutant } from '../mutants/apply.js'
import { MUTANTS } from '../mutants/mutants.js'
import { type Outcome, ROOT, run, withTempDir } from '../tools.js'

/** The command of the engine that was compiled to a folder. */
function sim(words: string, folder = join(ROOT, 'dist')): Promise<Outcome> {
  return run(process.execPath, [join(folder, 'src/cli/sim.js'), ...words.split(' ')])
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n')

describe('npm run sim', function () {
  this.timeout(180_000)

  it('runs seeds for a time on several threads and says what they met, and what never', async () => {
    const { status, stdout, stderr } = await sim('--minutes 0.03 --steps 30 --jobs 2 --json')
    expect(status, stderr).to.equal(0)
    const told = linesOf(stdout).map((line) => JSON.parse(line) as Record<string, unknown>)
    const total = told.pop()!
    expect(told.map(({ seed }) => seed)).to.deep.equal(told.map((_, i) => i + 1))
    expect(total).to.include({ seeds: told.length })
    expect(total).to.include.keys('crashSeeds', 'messages', 'powerCuts', 'engineRecoveries', 'rare')
    expect(total['messages']).to.be.above(0)
    expect(total['failed']).to.deep.equal([])
    const rare = Object.entries(total['rare'] as Record<string, number>)
    expect(total['neverTaken']).to.deep.equal(rare.filter(([, count]) => count === 0).map(([name]) => name))
  })

  it('tells people the same in lines', async () => {
    const { stdout } = await sim('--seed 3 --seeds 2 --steps 30 --jobs 1')
    const lines = linesOf(stdout)
    expect(lines[0]).to.match(/^seed 3: trace [0-9a-f]{16}…, \d+ events, \d+ requests$/)
    expect(lines[2]).to.match(/^2 seeds were well, \d of them with power cuts: \d+ messages, \d+ requests/)
    expect(lines[4]).to.match(/^\d+ lies of disks .*; found out in \d+ volumes, misread in \d+ others$/)
    expect(lines.at(-2)).to.match(/^\d+ of \d+ rare branches were taken$/)
    expect(lines.at(-1)).to.match(/^never: \w+(, \w+)*$/)
  })

  it('runs for a time or a number of seeds, not both', async () => {
    const { status, stderr } = await sim('--minutes 1 --seeds 3')
    expect(status).to.equal(2)
    expect(stderr).to.match(/^sim: option '--minutes <n>' cannot be used with option '--seeds <n>'\n$/)
  })

  it('makes a seed that fails small, tells of it in a file, and how to see it again', async () => {
    const folder = join(ROOT, 'dist/mutant-of-a-test')
    try {
      buildMutant(MUTANTS.find(({ name }) => name === 'verify skipped')!, folder)
      await withTempDir(async (traces) => {
        const first = await sim(`--seeds 30 --steps 100 --jobs 1 --shrink 4 --trace-folder ${traces}`, folder)
        expect(first.status).to.equal(1)
        const [sentence, replay, trace] = linesOf(first.stderr).slice(-3)
        const path = /^trace: (.*\.trace)$/.exec(trace!)?.[1]
        const story = linesOf(readFileSync(path!, 'utf8'))
        expect(story.slice(0, 2)).to.deep.equal([sentence, replay])
        expect(replay).to.match(/^replay: npm run sim -- --seed \d+ --steps 100 --keep \d[-,\d]* /)
        const words = replay!.slice('replay: npm run sim -- '.length)
        const again = await sim(`${words} --shrink 0 --trace-folder ${traces}`, folder)
        expect(again.status).to.equal(1)
        expect(linesOf(again.stderr).at(-3)).to.equal(sentence)
        expect((await sim(words)).status).to.equal(0)
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
