/** Random clients over the engine on real threads: every read is checked, every store audited. */

import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { openVolume } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { readManifest, statistic } from '../fixtures.js'
import { BlockSource } from '../kernel/content.js'
import { auditOk, canAskRealTools } from '../kernel/real-tools.js'
import { withTempDir } from '../tools.js'
import { auditClosed, drawProfile, GIB, live, type TestDevice } from './chaos.js'
import { formatInMemory } from './memory-volume.js'
import { formatSparse } from './sparse-volume.js'

/** A life with each profile, one after the other. */
async function liveWith(profiles: readonly string[], device: TestDevice, seed: number, requests: number) {
  const prng = new Prng(seed)
  const oracle = new Oracle()
  for (const threads of profiles) await live({ device, threads }, prng, oracle, requests)
}

describe('the engine on threads, under random clients', function () {
  this.timeout(60_000)

  for (const seed of [1, 2, 3]) {
    it(`keeps every promise on the profiles of the package and drawn ones (memory, seed ${seed})`, () =>
      withTempDir(async (folder) => {
        const { segments } = formatInMemory({ slabs: 8, logicalBlocks: 40_000 })
        const prng = new Prng(seed)
        const named = prng.pick(['default', 'tiny', 'wide'])
        await liveWith([named, drawProfile(prng, folder), drawProfile(prng, folder)], segments, seed, 1500)
      }))
  }

  it('keeps every promise on a sparse file', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'volume.img')
      await formatSparse(device, { logicalBytes: 64 * GIB })
      const prng = new Prng(4)
      await liveWith(['default', drawProfile(prng, folder)], device, 4, 1500)
      if (canAskRealTools()) expect((await auditOk(device)).logicalBlocks).to.be.above(0)
    }))

  it('survives as many zones as the format allows', () =>
    withTempDir(async (folder) => {
      const { segments } = formatInMemory({ slabs: 16, logicalBlocks: 100_000 })
      const prng = new Prng(5)
      const most = { logical: 60, physical: 16, hash: 100, cpu: 8, bio: 8, index: 16 }
      await liveWith([drawProfile(prng, folder, most, 31), 'tiny'], segments, 5, 1000)
    }))

  it('shares the work of four clients between all threads, with no more metadata than the kernel writes', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'volume.img')
      await formatSparse(device, { logicalBytes: 4 * GIB })
      const volume = await openVolume({ device, threads: 'default' })
      const before = volume.statistics()
      const client = async (seed: number): Promise<void> => {
        const source = new BlockSource(seed)
        for (let i = 0; i < 60; i++) {
          const at = seed * 2 ** 27 + i * 2 ** 16
          await volume.write(at, source.blocks(16))
          if (i % 3 === 0) await volume.read(at, 2 ** 16)
        }
      }
      await Promise.all([1, 2, 3, 4].map(client))
      await volume.flush()
      const after = volume.statistics()
      for (const { name, moved } of await volume.host.health()) expect(moved, name).to.be.above(100)
      await volume.close()
      auditClosed(device, volume.statistics())

      const { kernelStats } = readManifest('clean')
      const kernel = (path: string): number => statistic(kernelStats, path)
      const kernelBlocks = kernel('biosIn.write') + kernel('biosIn.discard')
      const writes = kernel('biosMeta.write') / kernelBlocks
      const flushes = kernel('biosMeta.flush') / kernelBlocks
      const blocks = after.biosIn.write - before.biosIn.write
      expect((after.biosMeta.write - before.biosMeta.write) / blocks).to.be.below(2 * writes)
      expect((after.biosMeta.flush - before.biosMeta.flush) / blocks).to.be.below(2 * flushes)
    }))
})
