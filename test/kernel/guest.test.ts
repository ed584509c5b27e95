/** The judges themselves: before they say anything about us, they must agree with each other. */

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { readManifest, statistic, unpackFixture } from '../fixtures.js'
import { runOk, withTempDir } from '../tools.js'
import { readStats, readSums, requireGuest, runGuest } from './guest.js'
import { emptyImage } from './images.js'
import {
  auditOk,
  countDataBlocks,
  formatReal,
  realTool,
  requireFormatter,
  requireRealTools,
} from './real-tools.js'

const GIB = 2 ** 30

describe('the real kernel and its tools', function () {
  this.timeout(300_000)

  it('agree on what a volume of the kernel holds', async function () {
    requireRealTools(this)
    requireGuest(this)
    await withTempDir(async (folder) => {
      const manifest = readManifest('clean')
      const image = await unpackFixture(this, 'clean', folder)
      expect(await countDataBlocks(image)).to.equal(statistic(manifest.kernelStats, 'dataBlocksUsed'))
      const before = await auditOk(image)
      const output = await runGuest({
        script: `volume_start /dev/vda ${manifest.logicalBytes}\nsums 0 24\nvolume_stats\nvolume_stop`,
        images: [image],
      })
      expect([...readSums(output).values()]).to.deep.equal(manifest.sha256PerMiB)
      expect(statistic(readStats(output), 'logicalBlocksUsed')).to.equal(before.logicalBlocks)
      expect(await auditOk(image)).to.include({ logicalBlocks: before.logicalBlocks })
    })
  })

  it('keep what a script wrote, and survive a power cut', async function () {
    requireFormatter(this)
    requireGuest(this)
    await withTempDir(async (folder) => {
      const image = await emptyImage(join(folder, 'new.raw'), 4 * GIB)
      await formatReal(image, ['--logical-size=1G', '--slab-bits=13'])
      expect(await runOk(realTool('vdolistmetadata'), [image])).to.include('0 .. 0: geometry block')
      const block = new Uint8Array(65536).fill(7)
      await runGuest({
        script: `volume_start /dev/vda ${GIB}\nwrite_at /share/block 3\nsync\npower_cut`,
        files: { block },
        images: [image],
        ends: 'by power cut',
      })
      const output = await runGuest({
        script: `volume_start /dev/vda ${GIB}\ndd if=/dev/dm-0 bs=64k skip=48 count=1 2>/dev/null | cmp - /share/block\nvolume_stop`,
        files: { block },
        images: [image],
      })
      expect(output).to.include('STATUS ')
      await auditOk(image)
    })
  })

  it('notice one wrong reference count', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      const layout = await runOk(realTool('vdolistmetadata'), [image])
      const first = Number(/^(\d+) \.\. \d+: slab 0 reference blocks$/m.exec(layout)?.[1])
      const file = await open(image, 'r+')
      // The first counter behind the eight bytes of a sector's commit point.
      const at = first * 4096 + 8
      const counter = Buffer.alloc(1)
      await file.read(counter, 0, 1, at)
      await file.write(Buffer.of((counter[0] ?? 0) + 1), 0, 1, at)
      await file.close()
      const complaint = await auditOk(image).then(
        () => '',
        (error: Error) => error.message,
      )
      expect(complaint).to.match(/exit status is [1-9]|mismatch|[Rr]eference/)
    })
  })

  it('report a script that fails', async function () {
    requireGuest(this)
    const failure = await runGuest({ script: 'echo before\nfalse\necho after' }).then(
      () => '',
      (error: Error) => error.message,
    )
    expect(failure).to.include('exit status is 1').and.include('before').and.not.include('after')
  })
})
