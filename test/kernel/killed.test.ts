/** A server that is killed leaves a volume that the real kernel recovers. */

import { spawn } from 'node:child_process'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { findProgram, requireTool, runOk, spawnServer, vdo, withTempDir } from '../tools.js'
import { BlockSource, Mirror } from './content.js'
import { readSums, requireGuest, runGuest } from './guest.js'
import { compare, withVolume } from './judged-volume.js'
import { auditOk, requireRealTools } from './real-tools.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** What was flushed before the end: it must all be there. */
const FLUSHED_MIB = 64

describe('a volume whose server was killed', function () {
  this.timeout(300_000)

  it('is recovered by the kernel with everything that was flushed', async function () {
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

      const refusal = await withVolume(image, 'tiny', async () => '').catch((error: Error) => error.message)
      expect(refusal).to.match(/dirty/i)

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
