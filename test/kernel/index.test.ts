/** An index that goes back and forth between the kernel and us: each finds the duplicates that the other knows of. */

import { join } from 'node:path'
import { expect } from 'chai'
import { statistic } from '../fixtures.js'
import { withIndex } from '../host/use-volume.js'
import { withTempDir } from '../tools.js'
import { randomBytes } from './content.js'
import { readStats, requireGuest, runGuest } from './guest.js'
import { formatOurs } from './images.js'
import { auditOk, requireRealTools } from './real-tools.js'

const BLOCK = 4096
const MIB = 2 ** 20
const GIB = 2 ** 30
const LOGICAL = GIB
/** Data that fill a chapter of 65,536 records, and some of the next. */
const CHUNK = 4 * MIB
const CHUNKS = 68

/** Incompressible, and like no other chunk. */
const chunk = (number: number): Buffer => randomBytes(7000 + number, CHUNK)

describe('an index', function () {
  this.timeout(600_000)

  for (const [kind, sparse, size] of [
    ['dense', false, 4 * GIB],
    ['sparse', true, 26 * GIB],
  ] as const) {
    it(`that we wrote is the kernel’s at once, and the other way round (${kind})`, async function () {
      requireRealTools(this)
      requireGuest(this)
      await withTempDir(async (folder) => {
        const image = await formatOurs(join(folder, 'index.raw'), size, sparse ? ['--uds-sparse'] : [])
        const first = await withIndex({ device: image, threads: 'default' }, async (volume) => {
          for (let i = 0; i < CHUNKS; i++) await volume.write(i * CHUNK, chunk(i))
          await volume.flush()
        })
        expect(first).to.deep.equal([])

        // Of a chapter on disk, and of the open one; then something that only the kernel will know.
        const known = Buffer.concat([chunk(1), chunk(CHUNKS - 1)])
        const fresh = chunk(5000)
        const output = await runGuest({
          script: [
            `volume_start /dev/vda ${LOGICAL} compression on`,
            'volume_stats',
            'echo "=== known"',
            'write_at /share/known 600',
            'volume_stats',
            'echo "=== fresh"',
            'write_at /share/fresh 640',
            'volume_stats',
            'volume_stop',
            'dmesg | grep -iE "index|chapter|rebuil|replay" || true',
          ].join('\n'),
          files: { known, fresh },
          images: [image],
        })
        const [started = '', afterKnown = '', afterFresh = ''] = output.split(/=== (?:known|fresh)/)
        expect(output).to.match(/ online /)
        expect(output).to.include('loaded index from chapter 0 through chapter 0')
        expect(output).not.to.match(/replaying|creating index/i)
        const records = (CHUNKS * CHUNK) / BLOCK
        expect(statistic(readStats(started), 'index.entriesIndexed')).to.equal(records)
        const found = readStats(afterKnown)
        expect(statistic(found, 'index.postsFound')).to.equal(known.length / BLOCK)
        expect(statistic(found, 'hashLock.dedupeAdviceValid')).to.equal(known.length / BLOCK)
        expect(statistic(found, 'dataBlocksUsed')).to.equal(records)
        expect(statistic(readStats(afterFresh), 'index.entriesIndexed')).to.equal(records + CHUNK / BLOCK)

        const back = await withIndex({ device: image, threads: 'default' }, async (volume) => {
          const before = volume.statistics()
          expect(before.index.entriesIndexed).to.equal(records + CHUNK / BLOCK)
          await volume.write(700 * MIB, fresh)
          await volume.write(720 * MIB, known)
          await volume.flush()
          const { hashLock, index, dataBlocksUsed } = volume.statistics()
          expect(hashLock.dedupeAdviceValid).to.equal((fresh.length + known.length) / BLOCK)
          expect(index.postsFound).to.equal((fresh.length + known.length) / BLOCK)
          expect(dataBlocksUsed).to.equal(before.dataBlocksUsed)
        })
        expect(back).to.deep.equal([])
        await auditOk(image)
      })
    })
  }
})
