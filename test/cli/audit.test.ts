import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { unpackFixture } from '../fixtures.js'
import { ROOT } from '../tools.js'

const VDO = join(ROOT, 'dist/src/cli/vdo.js')
/** A reference counter that is 0, in the volume of the fixture (see test/repair/audit.test.ts). */
const COUNTER_AT = 687156 * 4096 + 3000

describe('vdo audit', function () {
  this.timeout(60_000)
  let folder: string
  let path: string

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), 'audit-'))
    path = await unpackFixture(this, 'clean', folder)
  })
  after(() => rmSync(folder, { recursive: true }))

  function vdo(...args: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [VDO, 'audit', ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    return { status, stdout, stderr }
  }

  it('says that a sound volume is consistent, and ends with 0', () => {
    const { status, stdout } = vdo(path)
    expect(status).to.equal(0)
    expect(stdout)
      .to.contain('The volume is consistent.')
      .and.match(/logical blocks used +2048/)
  })

  it('ends with 1 for a damaged one, and tells each problem when it is asked to', () => {
    const descriptor = openSync(path, 'r+')
    try {
      writeSync(descriptor, Uint8Array.of(7), 0, 1, COUNTER_AT)
      const summary = vdo(path)
      expect(summary.status).to.equal(1)
      expect(summary.stdout)
        .to.match(/reference count errors 1/)
        .and.match(/ 7 +1 \*{50}/)
      expect(vdo('--verbose', path).stdout).to.match(/^The counter of PBN \d+ is 7, it is mapped 0 times$/m)
      const json = JSON.parse(vdo('--json', path).stdout) as { consistent: boolean; problemCounts: object }
      expect(json.consistent).to.equal(false)
      expect(json.problemCounts).to.deep.equal({ REFERENCE_COUNT: 1 })
    } finally {
      writeSync(descriptor, Uint8Array.of(0), 0, 1, COUNTER_AT)
      closeSync(descriptor)
    }
  })

  it('refuses what is no volume in a sentence', () => {
    const { status, stderr } = vdo(VDO)
    expect(status).to.not.be.oneOf([0, 4])
    expect(stderr).to.match(/^vdo: Cannot [^\n]+\n$/)
  })
})
