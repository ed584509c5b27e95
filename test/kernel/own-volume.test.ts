/** Volumes that we format, fill and close, judged by the real tools, and carried on by the real kernel. */

import { join } from 'node:path'
import { expect } from 'chai'
import { statistic } from '../fixtures.js'
import { requireShared, runOk, withTempDir } from '../tools.js'
import { BlockSource, fill, Mirror, randomBytes } from './content.js'
import { readStats, readSums, requireGuest, runGuest } from './guest.js'
import { formatOurs } from './images.js'
import { compare, statisticsOf, withVolume } from './judged-volume.js'
import { auditOk, countDataBlocks, requireRealTools } from './real-tools.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

const LOGICAL = GIB
const NEAR = { offset: 0, length: 240 * MIB }
const FAR = { offset: LOGICAL - 16 * MIB, length: 16 * MIB }
const REGIONS = [NEAR, FAR]

/** What is compared by checksum: runs of this many mebibytes. */
const RUN = 16

async function expectCountsAgree(image: string): Promise<void> {
  const audit = await auditOk(image)
  const statistics = await statisticsOf(image)
  expect(statistics.logicalBlocksUsed, 'logical blocks').to.equal(audit.logicalBlocks)
  expect(statistics.dataBlocksUsed, 'data blocks').to.equal(await countDataBlocks(image))
}

describe('a volume that we formatted and filled', function () {
  this.timeout(600_000)

  it('is sound to the real tools, and the kernel reads it, writes it and gives it back', async function () {
    requireRealTools(this)
    requireGuest(this)
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'ours.raw'))
      const mirror = new Mirror(join(folder, 'mirror'), LOGICAL)
      await withVolume(image, 'default', async (volume) => {
        expect(volume.logicalSize).to.equal(LOGICAL)
        expect(await fill(volume, mirror, REGIONS, 224 * MIB, 21)).to.be.at.least(200 * MIB)
        await compare(volume, mirror, REGIONS)
      })
      await expectCountsAgree(image)

      // The kernel's turn: new data, data that is ours already, a discard, and the same checksums.
      const fresh = Buffer.concat([new BlockSource(22).blocks(512), randomBytes(22, 2 * MIB)])
      const known = mirror.read(100 * MIB, 4 * MIB)
      const runs = (LOGICAL / MIB / RUN) | 0
      const output = await runGuest({
        script: [
          `volume_start /dev/vda ${LOGICAL} compression on`,
          `sums 0 ${NEAR.length / MIB / RUN} ${RUN}`,
          `sums ${runs - 1} 1 ${RUN}`,
          'volume_stats',
          'echo "=== writing"',
          'write_at /share/fresh 20',
          'write_at /share/known 300',
          `blkdiscard -o ${40 * MIB} -l ${MIB} /dev/dm-0`,
          `sums 1 2 ${RUN}`,
          'volume_stats',
          'volume_stop',
          'vdoaudit --verbose /dev/vda',
        ].join('\n'),
        files: { fresh, known },
        images: [image],
      })
      const [before = '', after = ''] = output.split('=== writing')
      const sums = readSums(before)
      expect(sums.size).to.equal(NEAR.length / MIB / RUN + 1)
      for (const [run, sum] of sums) expect(sum, `run ${run}`).to.equal(mirror.sum(run, RUN))
      expect(statistic(readStats(before), 'readOnlyRecoveries')).to.equal(0)

      mirror.write(20 * MIB, fresh)
      mirror.write(300 * MIB, known)
      mirror.zero(40 * MIB, MIB)
      for (const [run, sum] of readSums(after)) expect(sum, `run ${run}`).to.equal(mirror.sum(run, RUN))

      // And back: what the kernel left reads the same, takes more, and is sound once more.
      const all = [...REGIONS, { offset: 300 * MIB, length: 8 * MIB }]
      await withVolume(image, 'wide', async (volume) => {
        await compare(volume, mirror, all)
        await fill(volume, mirror, REGIONS, 24 * MIB, 23)
        await compare(volume, mirror, all)
      })
      await expectCountsAgree(image)
      mirror.close()
    })
  })

  it('goes through many short lives', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'short.raw'))
      const mirror = new Mirror(join(folder, 'mirror'), LOGICAL)
      for (const [life, threads] of ['tiny', 'default', 'wide', 'tiny'].entries()) {
        await withVolume(image, threads, async (volume) => {
          await compare(volume, mirror, [FAR])
          await fill(volume, mirror, [FAR], 6 * MIB, 31 + life)
        })
        await expectCountsAgree(image)
      }
      mirror.close()
    })
  })

  it('satisfies the independent decoder', async function () {
    const shared = requireShared(this)
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'decoded.raw'))
      const mirror = new Mirror(join(folder, 'mirror'), LOGICAL)
      await withVolume(image, 'default', async (volume) => {
        await fill(volume, mirror, REGIONS, 32 * MIB, 41)
      })
      mirror.close()
      await runOk('python3', [join(shared, 'tools/format-check.py'), image])
    })
  })
})
