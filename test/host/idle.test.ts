/** What a volume costs while nobody asks for anything. */

import { setTimeout as elapse } from 'node:timers/promises'
import { expect } from 'chai'
import { openVolume } from '../../src/host/open-volume.js'
import { BLOCK } from './chaos.js'
import { formatInMemory } from './memory-volume.js'

/** CPU time of the whole process in a while, as a share of it: the least of several. */
async function leastUse(windows: number, windowMs: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < windows; i++) {
    const before = process.cpuUsage()
    await elapse(windowMs)
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000 / windowMs)
  }
  return least
}

describe('an idle volume', function () {
  this.timeout(30_000)

  it('uses less than a hundredth of a core, with work behind it or none', async () => {
    const volume = await openVolume({ device: formatInMemory().segments, threads: 'default' })
    try {
      expect(await leastUse(3, 300)).to.be.below(0.01)
      // Fragments wait in bins, pages are dirty, the deadline of a question is still set.
      await volume.write(0, new Uint8Array(500 * BLOCK).fill(1))
      await volume.write(BLOCK * 1000, new Uint8Array(300 * BLOCK).fill(7, 0, 300 * BLOCK - 100))
      expect(await leastUse(5, 300)).to.be.below(0.01)
    } finally {
      await volume.close()
    }
  })
})
