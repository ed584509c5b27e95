/**
 * 10,000 damaged images, each opened by every command: most of them in the simulator, with the same zones and the same
 * checks as `openVolume` has, and 1,000 by the real engine, audit and formatter on files, among them the volumes of the real
 * kernel.
 */
import { expect } from 'chai'
import { runFuzz } from '../bad-images/run-fuzz.js'
import { unpackFixture } from '../fixtures.js'
import { withTempDir } from '../tools.js'

const SIMULATED = 9_000
const REAL = 1_000
const SIMULATED_MIB = 600
/** An engine of VDO's own sizes has an arena of 350 MiB with its index. */
const REAL_MIB = 900
const SEED = 4

describe('a damaged image', function () {
  this.timeout(60 * 60_000)

  it(`is opened, refused or read-only: ${SIMULATED} in the simulator, ${REAL} on files`, async function () {
    await withTempDir(async (folder) => {
      const fixtures: Record<string, string> = {}
      for (const name of ['formatted', 'clean', 'crash'] as const) {
        fixtures[name] = await unpackFixture(this, name, folder)
      }
      const reports = await Promise.all([
        runFuzz({ part: 'simulated', seed: SEED, runs: SIMULATED }, SIMULATED_MIB),
        runFuzz({ part: 'real', seed: SEED, runs: REAL, fixtures }, REAL_MIB),
      ])
      expect(reports.map(({ images }) => images)).to.deep.equal([SIMULATED, REAL])
      process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
    })
  })
})
