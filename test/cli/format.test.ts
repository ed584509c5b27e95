import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { VdoError } from '../../src/base/errors.js'
import { ExitStatus, exitStatusOf } from '../../src/cli/exit-status.js'
import { ROOT, run, withTempDir } from '../tools.js'

const VDOFORMAT = join(ROOT, 'dist/src/cli/vdoformat.js')
const UUID = 'ee13cc3d-7887-4d31-aa08-db0e203a4b62'

function vdoformat(...args: string[]) {
  return run(process.execPath, [VDOFORMAT, ...args], 20_000)
}

describe('vdoformat', function () {
  this.timeout(60_000)

  it('makes a volume in one command and says what it made', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      const sizes = ['--size', '4700M', '--slab-bits', '13']
      const made = await vdoformat(path, ...sizes, '--verbose', '--uuid', UUID, '--nonce', '0x10')
      expect(made.stderr).to.equal('')
      expect(made.status).to.equal(ExitStatus.Ok)
      expect(made.stdout).to.contain('default logical and 1203200 physical blocks of 4096 bytes')
      expect(made.stdout).to.contain(`UUID ${UUID}, nonce 16`)
      expect(made.stdout).to.contain('The logical size is 469235 blocks (1.8G), the default.')
      expect(made.stdout).to.contain('1.8G in 59 slabs of 32M')
      expect(made.stdout).to.contain('It can grow to 256G of slabs')
      expect(statSync(path).size).to.equal(4700 * 2 ** 20)

      const again = await vdoformat(path, ...sizes)
      expect(again.status).to.equal(ExitStatus.WrongState)
      expect(again.stderr).to.match(/^vdoformat: Cannot format .*: it holds a VDO volume\. Use --force/)
      expect(again.stdout).to.equal('')

      const forced = await vdoformat(path, '-f', '-S', '17', '-l', '20G', '--json')
      expect(forced.status).to.equal(ExitStatus.Ok)
      expect(JSON.parse(forced.stdout)).to.include({
        path,
        dryRun: false,
        created: false,
        physicalBlocks: 1203200,
        logicalBlocks: 5242880,
        logicalDefaulted: false,
        slabBlocks: 131072,
        slabCount: 3,
        maximumSlabBytes: 4 * 2 ** 40,
        indexMemory: 0.25,
        indexSparse: false,
        indexBlocks: 679127,
      })
    })
  })

  it('refuses with a sentence and a status, and leaves no file', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      const cases: [string[], ExitStatus, string][] = [
        [[path], ExitStatus.CannotWork, 'does not exist'],
        [[path, '--size', '1G'], ExitStatus.CannotWork, '5063921664'],
        [[path, '--size', '12abc'], ExitStatus.BadArguments, '--size is "12abc"'],
        [[path, '--size', '8G', '--slab-bits', '12'], ExitStatus.BadArguments, '13 to 23'],
        [[path, '--size', '8G', '--uds-memory-size', '0.3'], ExitStatus.CannotWork, '0.25, 0.5, 0.75'],
        [[path, '--size', '8G', '--uuid', 'x'], ExitStatus.BadArguments, '--uuid is "x"'],
        [[path, '--size', '8G', '--nonce', '0'], ExitStatus.BadArguments, '--nonce is "0"'],
        [[path, '--sise', '8G'], ExitStatus.BadArguments, 'unknown option'],
        [[], ExitStatus.BadArguments, 'missing required argument'],
      ]
      const outcomes = await Promise.all(cases.map(([args]) => vdoformat(...args)))
      for (const [index, { status, stderr, stdout }] of outcomes.entries()) {
        const [, wanted, text] = cases[index]!
        expect(stderr).to.contain(text)
        expect(status, stderr).to.equal(wanted)
        expect(stdout).to.equal('')
      }
      expect(existsSync(path)).to.equal(false)
    })
  })

  it('accepts every spelling of the index memory', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      const memories = ['0.5', '0.50', '1']
      const outcomes = await Promise.all(
        memories.map((memory) => vdoformat(path, '--size', '16G', '--dry-run', '--json', '-m', memory)),
      )
      const found = outcomes.map(({ stdout }) => (JSON.parse(stdout) as { indexMemory: number }).indexMemory)
      expect(found).to.deep.equal([0.5, 0.5, 1])
    })
  })

  it('gives each kind of failure its status', () => {
    expect(exitStatusOf(new VdoError('VDO_IO_ERROR', ''))).to.equal(ExitStatus.SystemRefused)
    expect(exitStatusOf(new VdoError('VDO_SOMETHING', ''))).to.equal(ExitStatus.Failed)
    expect(exitStatusOf(Object.assign(new Error(''), { code: 'EACCES' }))).to.equal(ExitStatus.SystemRefused)
    expect(exitStatusOf(Object.assign(new Error(''), { code: 'ERR_INVALID_ARG_TYPE' }))).to.equal(
      ExitStatus.Defect,
    )
    expect(exitStatusOf(new TypeError(''))).to.equal(ExitStatus.Defect)
    expect(exitStatusOf('text')).to.equal(ExitStatus.Defect)
  })
})
