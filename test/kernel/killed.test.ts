/** A server that is killed leaves a volume that we recover, and that the real kernel recovers, at the second try too. */

import { spawn } from 'node:child_process'
import { open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { VolumeState } from '../../src/format/super-block.js'
import { findProgram, requireTool, runOk, spawnServer, withTempDir } from '../tools.js'
import { BlockSource, Mirror, randomBytes } from './content.js'
import { readSums, requireGuest, runGuest } from './guest.js'
import { copyImage, cutShort, formatOurs, runUntilKilled } from './images.js'
import { compare, withVolume } from './judged-volume.js'
import { auditOk, requireRealTools } from './real-tools.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** Enough for half a dozen slabs. */
const UNSCRUBBED_MIB = 192
/** Where the super block of this volume keeps its state. */
const STATE_AT = 679128 * 4096 + 40

/** What was flushed before the end: it must all be there. */
const FLUSHED_MIB = 64

async function stateOf(image: string): Promise<number> {
  const file = await open(image)
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, STATE_AT)
  await file.close()
  return buffer.readUInt32LE(0)
}

describe('a volume whose server was killed', function () {
  this.timeout(600_000)

  it('is recovered with everything that was flushed, by us and by the kernel, also at the second try', async function () {
    requireRealTools(this)
    requireGuest(this)
    requireTool(this, 'nbdcopy', 'fio')
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'volume.raw'))

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
      expect(reports, 'reports of fio before the end').to.be.at.least(3)
      const once = await copyImage(image, 'once.raw')

      const flushed = { offset: 0, length: FLUSHED_MIB * MIB }
      // We recover what we left, after attempts of ours that were cut short.
      expect(await cutShort(image, 'tiny', 4), 'attempts that were cut short').to.be.above(0)
      const ours = await copyImage(image, 'ours.raw')
      await withVolume(ours, 'default', async (volume) => {
        expect((await volume.statistics()).completeRecoveries).to.be.above(0)
        await compare(volume, mirror, [flushed])
      })
      await auditOk(ours)
      await withVolume(ours, 'tiny', (volume) => compare(volume, mirror, [flushed]))
      await rm(ours)

      // So does the kernel, which is cut short as well; then we recover what that left, and it does.
      await runGuest({
        script: [
          `( volume_start /dev/vda ${GIB} compression on ) &`,
          'until dmesg | grep -q "vdo.*Replaying"; do :; done',
          'power_cut',
        ].join('\n'),
        images: [image],
        ends: 'by power cut',
      })
      const left = await copyImage(image, 'left.raw')
      await withVolume(left, 'wide', (volume) => compare(volume, mirror, [flushed]))
      await auditOk(left)
      await rm(left)

      // And so does the kernel: what crashed a second time, and what crashed only once.
      const output = await runGuest({
        script: ['vda', 'vdb']
          .flatMap((disk) => [
            `volume_start /dev/${disk} ${GIB} compression on`,
            'volume_recovered',
            `sums 0 ${FLUSHED_MIB / 16} 16`,
            'write_at /share/more 100',
            'volume_stop',
            'echo "=== next"',
          ])
          .join('\n'),
        files: { more: data.subarray(0, 4 * MIB) },
        images: [image, once],
      })
      for (const half of output.split('=== next').slice(0, 2)) {
        expect(half).to.match(/STATUS .* normal - /)
        const sums = readSums(half)
        expect(sums.size).to.equal(FLUSHED_MIB / 16)
        for (const [run, sum] of sums) expect(sum, `run ${run}`).to.equal(mirror.sum(run, 16))
      }
      await auditOk(once)
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

describe('a volume that was closed before it had recovered', function () {
  this.timeout(300_000)

  it('says so, and the kernel finishes what we began, and so do we', async function () {
    requireRealTools(this)
    requireGuest(this)
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'volume.raw'))
      const mirror = new Mirror(join(folder, 'mirror'), GIB)
      const whole = { offset: 0, length: UNSCRUBBED_MIB * MIB }
      mirror.write(0, randomBytes(63, whole.length))
      await runUntilKilled('write-and-die', image, 63, whole.length)
      // One slab after the other is scrubbed; the close waits for the one at hand.
      await withVolume(image, 'tiny', async () => {})
      expect(await stateOf(image)).to.equal(VolumeState.Recovering)

      const ours = await copyImage(image, 'ours.raw')
      await withVolume(ours, 'tiny', (volume) => compare(volume, mirror, [whole]))
      while ((await stateOf(ours)) !== VolumeState.Clean) await withVolume(ours, 'tiny', async () => {})
      await auditOk(ours)

      const output = await runGuest({
        script: [
          `volume_start /dev/vda ${GIB} compression on`,
          'volume_recovered',
          `sums 0 ${UNSCRUBBED_MIB / 16} 16`,
          'volume_stop',
        ].join('\n'),
        images: [image],
      })
      for (const [at, sum] of readSums(output)) expect(sum, `run ${at}`).to.equal(mirror.sum(at, 16))
      expect(readSums(output).size).to.equal(UNSCRUBBED_MIB / 16)
      await auditOk(image)
      mirror.close()
    })
  })
})
