/**
 * A hundred kills and more than a hundred power failures, each of a real run on a real file: `npm run test:long`.
 * UVDO_SEED starts with another seed, UVDO_SEEDS says how many of each there are.
 */

import { expect } from 'chai'
import { cutAgainAndAgain } from '../host/cuts.js'
import { killAgainAndAgain } from '../host/kills.js'
import { auditOk, canAskRealTools } from '../kernel/real-tools.js'
import { withTempDir } from '../tools.js'

const FIRST_SEED = Number(process.env['UVDO_SEED'] ?? 1000)
const SEEDS = Number(process.env['UVDO_SEEDS'] ?? 5)
const SEED_NUMBERS = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i)

const KILLS = 20
const CUTS = 24
/** Volumes of each run that the real audit looks at too. */
const LOOKS = 2

describe('a volume on a file that crashes again and again', function () {
  this.timeout(30 * 60_000)

  for (const seed of SEED_NUMBERS) {
    it(`comes up with all that was promised after each of ${KILLS} kills (seed ${seed})`, () =>
      withTempDir(async (folder) => {
        const { servers, threads, recoveries } = await killAgainAndAgain(folder, seed, KILLS)
        expect(servers + threads).to.equal(KILLS)
        expect(recoveries, 'recoveries that were killed').to.be.above(0)
      }))

    it(`comes up with all that was promised after each of ${CUTS} power failures (seed ${seed})`, () =>
      withTempDir(async (folder) => {
        let looks = canAskRealTools() ? LOOKS : 0
        const { spoiled, recoveries } = await cutAgainAndAgain(folder, {
          seed,
          requests: 2000,
          cuts: CUTS,
          async look(image) {
            if (looks-- > 0) await auditOk(image)
          },
        })
        expect(spoiled, 'blocks that lost something').to.be.above(CUTS)
        expect(recoveries, 'power failures in a recovery').to.be.above(0)
      }))
  }
})
