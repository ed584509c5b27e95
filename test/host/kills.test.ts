import { expect } from 'chai'
import { withTempDir } from '../tools.js'
import { killAgainAndAgain } from './kills.js'

describe('a volume whose server or thread is killed under load', function () {
  this.timeout(120_000)

  it('comes up with all that was promised, five times in a row, after recoveries that were killed too', () =>
    withTempDir(async (folder) => {
      const { servers, threads, recoveries } = await killAgainAndAgain(folder, 2, 5)
      expect(servers, 'servers').to.be.above(0)
      expect(threads, 'threads').to.be.above(0)
      expect(recoveries, 'recoveries').to.be.above(0)
    }))
})
