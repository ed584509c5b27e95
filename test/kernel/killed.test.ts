/** A server that is killed leaves a volume that we recover, and that the real kernel recovers, at the second try too. */

import { spawn } from 'node:child_process'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { findProgram, ROOT, requireTool, run, runOk, spawnServer, vdo, withTempDir } from '../tools.js'
import { BlockSource, Mirror } from './content.js'
import { readSums, requireGuest, runGuest } from './guest.js'
import { compare, withVolume } from './judged-volume.js'
import { auditOk, requireRealTools } from './real-tools.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

const CUT_SHORT = join(ROOT, 'dist/test/kernel/cut-short.js')

/** What was flushed before the end: it must all be there. */
const FLUSHED_MIB = 64

async function copyImage(from: string, to: string): Promise<void> {
  await runOk('cp', ['--sparse=always', from, to])
}

describe('a volume whose server was killed', function () {
  this.timeout(300_000)

  it('is recovered with everything that was flushed, by us and by the kernel, also at the second try', async function () {
    requireRealTools(this)
    requireGuest(this)
    requireTool(this, 'nbdcopy', 'fio')
    await withTempDir(async (folder) => {
      const image = join(folder, 'volume.raw')
      await writeFile(image, '')
      await truncate(image, 4 * GIB)
      expect((await vdo(['format', image, '--logical-size=1G', '--slab-bits=13'])).status).to.equal(0)

      const mirror = new Mirror(join(folder, 'mirror'), GIB)
      const data = new BlockSource(61).blocks(FLUSHED_MIB * 256)
      mirror.write(0, data)
      await writeFile(join(folder, 'data'), data)
      const server = await spawnServer(image, `nbd+unix:///?socket=${join(folder, 's.sock')}`)
      await runOk('nbdcopy', ['--flush', join(folder, 'data'), server.uri])
      // Busy with writes elsewhere, new and over one another, when the end comes.
      const busy = spawn(
        findProgram('fio') ?? 'fio',
        [
          ...'--name=busy --ioengine=nbd --rw=randwrite --bs=4k --iodepth=64 --offset=256m --size=64m'.split(
            ' ',
          ),
          ...'--time_based --runtime=60 --buffer_compress_percentage=50 --status-interval=1'.split(' '),
          `--uri=${server.uri}`,
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      )
      const ended = new Promise((resolve) => busy.on('close', resolve))
      let reports = 0
      await new Promise<void>((resolve) => {
        busy.on('close', () => resolve())
        busy.stdout.on('data', () => {
          if (++reports === 3) resolve()
        })
      })
      await server.kill()
      busy.kill('SIGKILL')
      await ended

      const flushed = { offset: 0, length: FLUSHED_MIB * MIB }
      // We recover what we left, after attempts of ours that were cut short.
      for (const ms of [30, 60, 120, 240]) await run(process.execPath, [CUT_SHORT, image, 'tiny', String(ms)])
      const ours = join(folder, 'ours.raw')
      await copyImage(image, ours)
      await withVolume(ours, 'default', (volume) => compare(volume, mirror, [flushed]))
      await auditOk(ours)
      await withVolume(ours, 'tiny', (volume) => compare(volume, mirror, [flushed]))
      await rm(ours)

      // So does the kernel, which is cut short as well; then we recover what that left, and it does.
      await runGuest({
        script: [
          `( volume_start /dev/vda ${GIB} compression on ) &`,
          'until [ -e /sys/block/dm-0 ]; do :; done',
          'usleep 400000',
          'power_cut',
        ].join('\n'),
        images: [image],
        ends: 'by power cut',
      })
      const left = join(folder, 'left.raw')
      await copyImage(image, left)
      await withVolume(left, 'wide', (volume) => compare(volume, mirror, [flushed]))
      await auditOk(left)
      await rm(left)

      const output = await runGuest({
        script: [
          `volume_start /dev/vda ${GIB} compression on`,
          'volume_recovered',
          `sums 0 ${FLUSHED_MIB / 16} 16`,
          'write_at /share/more 100',
          'volume_stop',
        ].join('\n'),
        files: { more: data.subarray(0, 4 * MIB) },
        images: [image],
      })
      expect(output).to.match(/STATUS .* normal - /)
      const sums = readSums(output)
      expect(sums.size).to.equal(FLUSHED_MIB / 16)
      for (const [run, sum] of sums) expect(sum, `run ${run}`).to.equal(mirror.sum(run, 16))
      mirror.write(100 * MIB, data.subarray(0, 4 * MIB))
      await auditOk(image)

      await withVolume(image, 'default', (volume) =>
        compare(volume, mirror, [{ offset: 0, length: 110 * MIB }]),
      )
      await auditOk(image)
      mirror.close()
    })
  })
})
