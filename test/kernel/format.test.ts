/** Our formatter beside the real one, and the real kernel's first start of what ours made. */

import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { statistic } from '../fixtures.js'
import { ROOT, requireTool, run, runOk, withTempDir } from '../tools.js'
import { BlockSource } from './content.js'
import { readStats, requireGuest, runGuest } from './guest.js'
import { emptyImage } from './images.js'
import { auditOk, formatReal, realTool, requireFormatter, requireRealTools } from './real-tools.js'

const GIB = 2 ** 30

const OUR_FORMATTER = join(ROOT, 'dist/src/cli/vdoformat.js')

/** Size of the device, and what both formatters are told. */
const CASES: readonly (readonly [number, string])[] = [
  [4, '--slab-bits=13'],
  [4, '--slab-bits=17'],
  [20, '--slab-bits=19'],
  [20, '--slab-bits=19 --uds-memory-size=0.5'],
  [20, '--slab-bits=19 --uds-memory-size=0.75'],
  [32, '--slab-bits=19 --uds-sparse'],
  [4, '--slab-bits=15 --logical-size=3G'],
]

/** The nonce and UUID that the real formatter drew, from their places in the geometry block. */
async function identityOf(image: string): Promise<{ nonce: string; uuid: string }> {
  const file = await open(image)
  const block = Buffer.alloc(4096)
  await file.read(block, 0, 4096, 0)
  await file.close()
  const uuid = block.toString('hex', 40, 56).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  return { nonce: block.readBigUInt64LE(32).toString(), uuid }
}

describe('our formatter and the real one', function () {
  this.timeout(120_000)

  for (const [gibibytes, options] of CASES) {
    it(`write the same bytes: ${gibibytes} GiB, ${options}`, async function () {
      requireFormatter(this)
      requireTool(this, 'qemu-img')
      await withTempDir(async (folder) => {
        const theirs = await emptyImage(join(folder, 'theirs.raw'), gibibytes * GIB)
        const ours = await emptyImage(join(folder, 'ours.raw'), gibibytes * GIB)
        await formatReal(theirs, options.split(' '))
        const { nonce, uuid } = await identityOf(theirs)
        const identity = [`--nonce=${nonce}`, `--uuid=${uuid}`]
        await runOk(process.execPath, [OUR_FORMATTER, ours, ...options.split(' '), ...identity])
        const { status, stdout } = await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', theirs, ours])
        expect(stdout.trim()).to.equal('Images are identical.')
        expect(status).to.equal(0)
        expect(await runOk(realTool('vdolistmetadata'), [ours])).to.equal(
          await runOk(realTool('vdolistmetadata'), [theirs]),
        )
      })
    })
  }

  it('make volumes that the kernel starts, writes and closes', async function () {
    requireRealTools(this)
    requireGuest(this)
    await withTempDir(async (folder) => {
      const image = await emptyImage(join(folder, 'ours.raw'), 4 * GIB)
      await runOk(process.execPath, [OUR_FORMATTER, image, '--logical-size=1G', '--slab-bits=13'])
      const data = new BlockSource(51).blocks(512)
      const output = await runGuest({
        script: [
          `volume_start /dev/vda ${GIB} compression on`,
          'write_at /share/data 5',
          'write_at /share/data 500',
          'dd if=/dev/dm-0 bs=1M skip=500 count=2 iflag=direct 2>/dev/null | cmp - /share/data',
          'volume_stats',
          'volume_stop',
        ].join('\n'),
        files: { data },
        images: [image],
      })
      const audit = await auditOk(image)
      expect(audit.logicalBlocks).to.equal(statistic(readStats(output), 'logicalBlocksUsed'))
      expect(audit.logicalBlocks).to.be.above(800)
    })
  })
})
