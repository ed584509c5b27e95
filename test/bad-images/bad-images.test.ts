import { expect } from 'chai'
import { runFuzz } from './run-fuzz.js'

/** What the processes may take, with Node and the images themselves: the arenas are of a megabyte or some. */
const SIMULATED_MIB = 450
const REAL_MIB = 450
const SIMULATED = 300
const REAL = 8
const SEED = 20_261_125

describe('a damaged image', function () {
  this.timeout(240_000)

  it(`is opened, refused or read-only by every command: ${SIMULATED} in the simulator, ${REAL} on files`, async () => {
    const [simulated, real] = await Promise.all([
      runFuzz({ part: 'simulated', seed: SEED, runs: SIMULATED }, SIMULATED_MIB),
      runFuzz({ part: 'real', seed: SEED, runs: REAL }, REAL_MIB),
    ])
    expect([simulated.images, real.images]).to.deep.equal([SIMULATED, REAL])
    // Damage that no command notices, or that none survives, would show nothing.
    const { serve, audit } = simulated.tally
    expect(serve).to.include.keys('serves', 'is read-only', 'refused: VDO_BAD_CONFIGURATION')
    expect(audit).to.include.keys('is consistent', 'has problems')
    expect(simulated.tally['force-rebuild']).to.include.keys('serves')
  })
})
