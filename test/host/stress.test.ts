/** Random clients over the engine on real threads: every read is checked, every store audited. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { formatFile } from '../../src/host/format-file.js'
import { openVolume } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { auditOk, realTool } from '../kernel/real-tools.js'
import { auditClosed, drawProfile, GIB, readAllBack, type TestDevice, withFolder, work } from './chaos.js'
import { formatInMemory } from './memory-volume.js'

/** One life of a volume: opened, worked on, closed, audited; then opened with another profile, and so on. */
async function live(device: TestDevice, profiles: readonly string[], seed: number, requests: number) {
  const prng = new Prng(seed)
  const oracle = new Oracle()
  for (const threads of profiles) {
    const volume = await openVolume({ device, threads })
    try {
      await readAllBack(volume, oracle)
      await work(volume, prng.fork(), oracle, { requests, depth: prng.pick([1, 17, 256, 3000]) })
    } catch (error) {
      await volume.halt()
      throw error
    }
    await volume.close()
    auditClosed(device, volume.statistics())
  }
}

describe('the engine on threads, under random clients', function () {
  this.timeout(60_000)

  for (const seed of [1, 2, 3]) {
    it(`keeps every promise on the profiles of the package and drawn ones (memory, seed ${seed})`, () =>
      withFolder(async (folder) => {
        const { segments } = formatInMemory({ slabs: 8, logicalBlocks: 40_000 })
        const prng = new Prng(seed)
        const named = prng.pick(['default', 'tiny', 'wide'])
        await live(segments, [named, drawProfile(prng, folder), drawProfile(prng, folder)], seed, 1500)
      }))
  }

  it('keeps every promise on a sparse file', () =>
    withFolder(async (folder) => {
      const device = join(folder, 'volume.img')
      await formatFile({
        path: device,
        sizeBytes: 4 * GIB,
        logicalBytes: 64 * GIB,
        slabBits: 13,
        indexMemory: -256,
        indexSparse: false,
        nonce: 7n,
        uuid: new Uint8Array(16).fill(9),
      })
      const prng = new Prng(4)
      await live(device, ['default', drawProfile(prng, folder)], 4, 1500)
      if (existsSync(realTool('vdoaudit'))) expect((await auditOk(device)).logicalBlocks).to.be.above(0)
    }))

  it('survives as many zones as the format allows', () =>
    withFolder(async (folder) => {
      const { segments } = formatInMemory({ slabs: 16, logicalBlocks: 100_000 })
      const prng = new Prng(5)
      const most = { logical: 60, physical: 16, hash: 100, cpu: 8, bio: 8, index: 16 }
      await live(segments, [drawProfile(prng, folder, most, 31), 'tiny'], 5, 1000)
    }))
})
