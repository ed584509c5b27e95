import { expect } from 'chai'
import { withTempDir } from '../tools.js'
import { cutAgainAndAgain } from './cuts.js'

describe('a volume in a file when the power fails', function () {
  this.timeout(120_000)

  it('comes up with all that was promised, whatever of the writes since the last sync is there', () =>
    withTempDir(async (folder) => {
      const { spoiled, recoveries, promises } = await cutAgainAndAgain(folder, {
        seed: 1,
        requests: 500,
        cuts: 6,
      })
      expect(spoiled, 'blocks that lost something').to.be.above(20)
      expect(recoveries, 'power failures in a recovery').to.be.above(0)
      expect(promises, 'promises').to.be.above(20)
    }))
})
