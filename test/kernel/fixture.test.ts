/** Our engine on volumes that the real kernel made. */

import { join } from 'node:path'
import { expect } from 'chai'
import { readManifest, statistic, unpackFixture } from '../fixtures.js'
import { requireShared, runOk, withTempDir } from '../tools.js'
import { fill, Mirror, sha256 } from './content.js'
import { cutShort } from './images.js'
import { compare, type JudgedVolume, statisticsOf, withVolume } from './judged-volume.js'
import { auditOk, countDataBlocks, requireRealTools } from './real-tools.js'

const BLOCK = 4096
const MIB = 2 ** 20

const manifest = readManifest('clean')
const crashed = readManifest('crash')

async function expectManifest(volume: JudgedVolume, wanted = manifest): Promise<void> {
  expect(volume.logicalSize).to.equal(wanted.logicalBytes)
  expect(volume.physicalSize).to.equal(wanted.physicalBytes)
  const sums: string[] = []
  for (let run = 0; run < wanted.sha256PerMiB.length; run++) {
    sums.push(sha256(await volume.read(run * MIB, MIB)))
  }
  expect(sums).to.deep.equal(wanted.sha256PerMiB)
  for (const { firstBlock, blocks, sha256: sum } of wanted.sha256OfBlocks) {
    expect(sha256(await volume.read(firstBlock * BLOCK, blocks * BLOCK))).to.equal(sum)
  }
}

describe('a volume that the kernel closed', function () {
  this.timeout(120_000)

  for (const threads of ['tiny', 'default']) {
    it(`reads as the kernel read it, and stays sound (${threads})`, async function () {
      requireRealTools(this)
      await withTempDir(async (folder) => {
        const image = await unpackFixture(this, 'clean', folder)
        await withVolume(image, threads, async (volume) => {
          await expectManifest(volume)
          const { logicalBlocksUsed, dataBlocksUsed } = await volume.statistics()
          expect(logicalBlocksUsed).to.equal((await auditOk(image)).logicalBlocks)
          expect(dataBlocksUsed).to.equal(statistic(manifest.kernelStats, 'dataBlocksUsed'))
        })
        await auditOk(image)
      })
    })
  }

  it('takes more writes beside and over the kernel’s, and the real audit finds nothing', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      const mirror = new Mirror(join(folder, 'mirror'), manifest.logicalBytes)
      const kept = { offset: 0, length: 24 * MIB }
      const far = { offset: manifest.logicalBytes - 16 * MIB, length: 16 * MIB }
      await withVolume(image, 'default', async (volume) => {
        await expectManifest(volume)
        for (const { offset, length } of [kept, far]) {
          mirror.write(offset, await volume.read(offset, length))
        }
        // What is there already, once more elsewhere: the reference counts of the kernel's blocks change.
        await volume.write(64 * MIB, mirror.read(0, 8 * MIB))
        mirror.write(64 * MIB, mirror.read(0, 8 * MIB))
        await fill(volume, mirror, [kept, far, { offset: 32 * MIB, length: 24 * MIB }], 48 * MIB, 11)
        await volume.flush()
      })
      const audit = await auditOk(image)
      const statistics = await statisticsOf(image)
      expect(statistics.logicalBlocksUsed).to.equal(audit.logicalBlocks)
      expect(statistics.dataBlocksUsed).to.equal(await countDataBlocks(image))
      await withVolume(image, 'tiny', (volume) =>
        compare(volume, mirror, [kept, far, { offset: 32 * MIB, length: 40 * MIB }]),
      )
      await auditOk(image)
      mirror.close()
    })
  })

  it('is opened by any count of threads in turn', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      for (const threads of ['wide', 'tiny', 'default']) {
        await withVolume(image, threads, async (volume) => {
          await expectManifest(volume)
          await volume.write(200 * MIB, await volume.read(0, MIB))
        })
        await auditOk(image)
      }
    })
  })

  it('satisfies the independent decoder after our writes', async function () {
    const shared = requireShared(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      const mirror = new Mirror(join(folder, 'mirror'), manifest.logicalBytes)
      await withVolume(image, 'default', (volume) =>
        fill(volume, mirror, [{ offset: 32 * MIB, length: 16 * MIB }], 16 * MIB, 12).then(() => {}),
      )
      mirror.close()
      await runOk('python3', [join(shared, 'tools/format-check.py'), image])
    })
  })
})

describe('a volume that the kernel was writing when the machine was reset', function () {
  this.timeout(120_000)

  for (const threads of ['tiny', 'default', 'wide']) {
    it(`is recovered with everything that was flushed, and stays sound (${threads})`, async function () {
      requireRealTools(this)
      await withTempDir(async (folder) => {
        const image = await unpackFixture(this, 'crash', folder)
        await withVolume(image, threads, async (volume) => {
          await expectManifest(volume, crashed)
          const { completeRecoveries, logicalBlocksUsed } = await volume.statistics()
          // What an independent decoder's recovery gives.
          expect({ completeRecoveries, logicalBlocksUsed }).to.deep.equal({
            completeRecoveries: 1,
            logicalBlocksUsed: 2064,
          })
        })
        expect((await auditOk(image)).logicalBlocks).to.equal(2064)
        await withVolume(image, 'tiny', (volume) => expectManifest(volume, crashed))
      })
    })
  }

  it('is recovered after attempts that were cut short', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'crash', folder)
      expect(await cutShort(image, 'tiny', 4), 'attempts that were cut short').to.be.above(0)
      await withVolume(image, 'default', (volume) => expectManifest(volume, crashed))
      expect((await auditOk(image)).logicalBlocks).to.equal(2064)
    })
  })
})
