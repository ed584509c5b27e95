/** The index on real threads: it outlives the volume's run, and comes and goes while clients are served. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { indexShapeOf } from '../../src/format/index-region.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { serveNbd } from '../../src/server/nbd/nbd-server.js'
import { Counter } from '../../src/vio/counters.js'
import { randomBytes } from '../kernel/content.js'
import { refusalOf } from '../outcomes.js'
import { requireTool, runOk, withTempDir } from '../tools.js'
import { formatInMemory } from './memory-volume.js'
import { useVolume, withIndex } from './use-volume.js'

const BLOCK = 4096
const MIB = 2 ** 20

/** Three index zones on two threads, beside one for everything else. */
const THREE_ZONES = `
zones: { logical: 1, physical: 1, hash: 2, cpu: 1, bio: 2, index: 3 }
threads:
  reqQ: [admin, journal, flush, packer, logical.0, physical.0, hash.0, hash.1, cpu.0, bio.0]
  bioQ1: [bio.1]
  dedupeQ0: [index.0, index.2]
  dedupeQ1: [index.1]
`

describe('the index of a volume on threads', function () {
  this.timeout(60_000)

  for (const [threads, sparse] of [
    ['default', false],
    ['tiny', true],
    ['three zones', false],
    ['three zones', true],
  ] as const) {
    it(`finds after a restart what was written before (${threads}, ${sparse ? 'sparse' : 'dense'})`, () =>
      withTempDir(async (folder) => {
        const profile = join(folder, 'three.yaml')
        writeFileSync(profile, THREE_ZONES)
        const options = {
          device: formatInMemory({ indexSparse: sparse }).segments,
          threads: threads === 'three zones' ? profile : threads,
        }
        // More than two chapters of 32,768 records would take too long; one is written, one is open.
        const data = randomBytes(11, 144 * MIB)
        const blocks = data.length / BLOCK
        let used = 0
        const first = await withIndex(options, async (volume) => {
          expect(volume.indexState).to.equal('online')
          await volume.write(0, data)
          await volume.flush()
          const { index, dataBlocksUsed } = volume.statistics()
          used = dataBlocksUsed
          expect(index.entriesIndexed).to.equal(blocks)
          expect(index.postsNotFound).to.equal(blocks)
        })
        const second = await withIndex({ ...options, threads: 'tiny' }, async (volume) => {
          expect(volume.statistics().index.entriesIndexed).to.equal(blocks)
          await volume.write(200 * MIB, data.subarray(0, 16 * MIB))
          await volume.write(240 * MIB, data.subarray(data.length - 4 * MIB))
          await volume.flush()
          const { index, hashLock, dataBlocksUsed } = volume.statistics()
          expect(index.postsFound).to.equal((20 * MIB) / BLOCK)
          expect(hashLock.dedupeAdviceValid).to.equal((20 * MIB) / BLOCK)
          expect(dataBlocksUsed).to.equal(used)
        })
        expect([...first, ...second]).to.deep.equal([])
      }))
  }

  it('lets a client copy the same data once more, after a restart, at no cost', async function () {
    requireTool(this, 'nbdcopy')
    await withTempDir(async (folder) => {
      const { segments } = formatInMemory()
      const source = join(folder, 'source')
      writeFileSync(source, randomBytes(12, 32 * MIB))
      const used: number[] = []
      for (let life = 0; life < 2; life++) {
        await withIndex({ device: segments, threads: 'default' }, async (volume) => {
          const server = await serveNbd({
            uri: `nbd+unix:///?socket=${join(folder, `s${life}`)}`,
            exports: [{ name: '', description: '', target: volume.target }],
          })
          await runOk('nbdcopy', ['--connections=2', '--flush', source, server.uri])
          await server.close()
          const { dataBlocksUsed, hashLock, index } = volume.statistics()
          used.push(dataBlocksUsed)
          expect(hashLock.dedupeAdviceValid).to.equal(life * ((32 * MIB) / BLOCK))
          expect(index.entriesIndexed).to.equal((32 * MIB) / BLOCK)
        })
      }
      expect(used[1]).to.equal(used[0])
    })
  })

  it('comes and goes while clients write, and stays right', async () => {
    const { segments } = formatInMemory()
    const data = randomBytes(13, 8 * MIB)
    const reports = await withIndex({ device: segments, threads: 'default' }, async (volume) => {
      let going = true
      let round = 0
      const client = (async () => {
        while (going) await volume.write(((round++ % 8) + 1) * 8 * MIB, data)
      })()
      const acts = [
        () => volume.disableIndex(),
        () => volume.enableIndex(),
        () => volume.closeIndex(),
        () => volume.enableIndex(),
        () => volume.createIndex(),
      ]
      const states: string[] = []
      for (let i = 0; i < 15; i++) {
        await acts[i % acts.length]!()
        states.push(volume.indexState)
      }
      expect(states.slice(0, 5)).to.deep.equal(['offline', 'online', 'closed', 'online', 'online'])
      // Who asks twice gets both, and the last holds.
      await Promise.all([
        volume.createIndex(),
        volume.closeIndex(),
        volume.suspend().then(() => volume.resume()),
      ])
      expect(volume.indexState).to.equal('closed')
      expect(volume.statistics().index.entriesIndexed).to.equal(0)
      await volume.enableIndex()
      going = false
      await client
      for (let place = 1; place <= Math.min(8, round); place++) {
        expect(Buffer.compare(await volume.read(place * 8 * MIB, data.length), data)).to.equal(0)
      }
    })
    expect(reports).to.deep.equal([])
  })

  it('is rebuilt behind the volume after a crash', async () => {
    const { segments } = formatInMemory()
    const data = randomBytes(14, 136 * MIB)
    await withIndex(
      { device: segments, threads: 'default' },
      async (volume) => {
        await volume.write(0, data)
        await volume.flush()
        // A chapter is written behind the clients' backs.
        while (volume.host.arena.total(Counter.IndexChaptersWritten) === 0) await turn()
      },
      'halt',
    )
    const reports = await withIndex({ device: segments, threads: 'default' }, async (volume) => {
      expect(volume.indexState).to.equal('online')
      // What was in the open chapter is lost; the chapter before it is found again.
      expect(volume.statistics().index.entriesIndexed).to.equal(32_768)
      await volume.write(200 * MIB, data.subarray(0, 4 * MIB))
      await volume.flush()
      expect(volume.statistics().hashLock.dedupeAdviceValid).to.equal(1024)
    })
    expect(reports.filter((report) => report.includes('rebuilt')).length).to.equal(1)
  })

  it('that is too large for its region is refused, and the volume serves', async () => {
    const { segments } = formatInMemory()
    const shape = { index: indexShapeOf(-256, false) }
    const volume = await openVolume({ device: segments, threads: 'tiny', shape, report: () => {} })
    const error = await refusalOf(volume.indexSettled())
    expect(error.code).to.equal('VDO_INDEX_ERROR')
    expect(error.message).to.match(/has 1879 blocks, wanted 679127/)
    expect(volume.statistics().index.state).to.equal('error')
    await volume.write(0, new Uint8Array(BLOCK).fill(1))
    await volume.close()
  })

  it('that is too large for any machine is refused before anything is opened', async () => {
    const { segments } = formatInMemory()
    const options = { device: segments, threads: 'tiny', shape: { index: indexShapeOf(1024, false) } }
    const { code, message } = await refusalOf(openVolume(options))
    expect(code).to.equal('VDO_INDEX_TOO_LARGE')
    expect(message).to.match(
      /takes 12\d{11} bytes of memory, and 16 zones of 4294901760 bytes hold 68718428160/,
    )
    const reports: string[] = []
    const report = (sentence: string) => void reports.push(sentence)
    const without = await openVolume({ device: segments, threads: 'tiny', deduplication: false, report })
    expect(without.indexState).to.equal('closed')
    await without.enableIndex()
    expect(without.indexState).to.equal('online')
    await without.close()
    expect(reports).to.deep.equal([])
  })

  it('that was not to be used at first has the zones that it needs later, or is refused then', async () => {
    const open = (memory: number): Promise<VdoVolume> => {
      const { segments } = formatInMemory()
      const shape = { index: indexShapeOf(memory, false) }
      return openVolume({ device: segments, threads: 'tiny', shape, deduplication: false, report: () => {} })
    }
    await useVolume(await open(8), async (volume) => {
      expect(volume.host.config.plan.counts.index).to.equal(2)
      // It fits: what it lacks is room in the region, which is looked at before memory is taken.
      expect((await refusalOf(volume.enableIndex())).message).to.match(/has 1879 blocks, wanted 22251355/)
    })
    await useVolume(await open(64), async (volume) => {
      for (const [act, what] of [
        [volume.enableIndex(), 'enable'],
        [volume.disableIndex(), 'disable'],
        [volume.createIndex(), 'create'],
      ] as const) {
        const { code, message } = await refusalOf(act)
        expect(code).to.equal('VDO_INDEX_TOO_LARGE')
        expect(message).to.equal(
          `Cannot ${what} index: the index takes 71709097984 bytes of memory, and 16 zones of 4294901760 bytes hold 68718428160`,
        )
      }
      expect(volume.indexState).to.equal('closed')
      await volume.closeIndex()
      await volume.write(0, new Uint8Array(BLOCK).fill(1))
    })
  })
})
