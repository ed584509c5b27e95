/**
 * Minutes of what `npm test` does for seconds, and what takes minutes by itself: `npm run test:long`. The seeds are
 * fixed; UVDO_SEED starts elsewhere, UVDO_SEEDS says how many.
 */

import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { Counter } from '../../src/vio/counters.js'
import { Mark } from '../../src/vio/marks.js'
import type { VolumeShape } from '../../src/vio/volume-shape.js'
import { auditClosed, BLOCK, drawProfile, live, MIB } from '../host/chaos.js'
import { formatInMemory } from '../host/memory-volume.js'
import { withTempDir } from '../tools.js'

const FIRST_SEED = Number(process.env['UVDO_SEED'] ?? 1000)
const SEEDS = Number(process.env['UVDO_SEEDS'] ?? 25)

/** Sizes at which pools run dry, caches evict and bins are few, in the middle of everything. */
function drawShape(prng: Prng): Partial<VolumeShape> {
  if (prng.chance(0.4)) return {}
  const dataVios = prng.pick([32, 100, 300])
  return {
    dataVios,
    discardVios: Math.ceil(dataVios * 0.75),
    flushVios: prng.between(1, 4),
    maxDiscardBlocks: prng.between(1, 100),
    cachePages: prng.pick([48, 480, 2000]),
    blockMapVios: prng.between(2, 20),
    allocatorVios: prng.between(6, 24),
    pbnLocks: 2 * dataVios,
    dedupeContexts: prng.pick([2, 100]),
    queryTimeoutMs: prng.pick([100, 5000]),
    packerBins: 2,
    packerSlots: prng.between(2, 12),
    allocationsPerZone: prng.between(1, 20),
    indexNames: prng.pick([16, 1000]),
  }
}

async function oneSeed(seed: number, folder: string): Promise<void> {
  const prng = new Prng(seed)
  const oracle = new Oracle()
  const { segments } = formatInMemory({
    slabs: prng.pick([4, 5, 8, 16]),
    logicalBlocks: prng.pick([3000, 40_000, 200_000]),
  })
  for (let life = 0; life < 4; life++) {
    const drawn = drawProfile(prng, folder)
    const threads = prng.chance(0.7) ? drawn : prng.pick(['default', 'tiny', 'wide'])
    await live({ device: segments, threads, shape: drawShape(prng) }, prng, oracle, 4000)
  }
}

/** Keeps `depth` calls of `start` under way until `going` says no. */
async function keepBusy(depth: number, going: () => boolean, start: () => Promise<void>): Promise<void> {
  const one = async (): Promise<void> => {
    while (going()) await start()
  }
  await Promise.all(Array.from({ length: depth }, one))
}

describe('the engine on threads, for minutes', function () {
  this.timeout(30 * 60_000)

  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    it(`keeps every promise (seed ${seed})`, () => withTempDir((folder) => oneSeed(seed, folder)))
  }

  for (const threads of ['default', 'tiny']) {
    it(`wraps the recovery journal at its real size (${threads})`, async () => {
      const logicalBlocks = 200_000
      const { segments } = formatInMemory({ slabs: 8, logicalBlocks })
      const volume = await openVolume({ device: segments, threads })
      const total = (counter: Counter | Mark): number => volume.host.arena.total(counter)
      const zeros = new Uint8Array(256 * BLOCK)
      const noise = new Uint8Array(16 * BLOCK)
      const prng = new Prng(1)
      let requests = 0
      await keepBusy(
        12,
        () => total(Mark.JournalWraps) < 2,
        async () => {
          requests++
          const at = prng.below(logicalBlocks - 256) * BLOCK
          if (requests % 500 !== 0) return volume.write(at, zeros)
          prng.fill(noise)
          await volume.write(at, noise.slice())
        },
      )
      expect(total(Mark.JournalReaps)).to.be.above(0)
      expect(total(Counter.JournalCommitsRequested)).to.be.above(0)
      await volume.close()
      auditClosed(segments, volume.statistics())
      const again = await openVolume({ device: segments, threads: 'tiny' })
      expect(await again.read(0, BLOCK)).to.have.lengthOf(BLOCK)
      await again.close()
    })
  }

  it('needs no more memory after a million requests than after the first', async () => {
    const { segments } = formatInMemory({ slabs: 16, logicalBlocks: 60_000 })
    const volume = await openVolume({ device: segments, threads: 'default' })
    const prng = new Prng(3)
    // Contents come again and again, so that the index knows all of them soon.
    const contents = Array.from({ length: 5000 }, (_, i) => {
      const block = new Uint8Array(BLOCK)
      new Prng(i).fill(i % 3 === 0 ? block.subarray(0, 500) : block)
      return block
    })
    const requests = (count: number) => run(volume, prng, contents, count)
    // The store's own memory is committed when it is first written.
    for (const segment of segments) new Uint8Array(segment).subarray(0).forEach(() => {})
    await requests(300_000)
    const before = process.memoryUsage()
    await requests(1_000_000)
    const after = process.memoryUsage()
    expect(after.rss - before.rss, 'resident bytes').to.be.below(64 * MIB)
    expect(after.heapUsed - before.heapUsed, 'heap of the main thread').to.be.below(32 * MIB)
    await volume.close()
    auditClosed(segments, volume.statistics())
  })
})

async function run(volume: VdoVolume, prng: Prng, contents: readonly Uint8Array[], count: number) {
  let left = count
  await keepBusy(
    256,
    () => left > 0,
    async () => {
      left--
      const at = prng.below(60_000) * BLOCK
      const roll = prng.below(100)
      if (roll < 55) return volume.write(at, prng.pick(contents), { fua: roll === 0 })
      if (roll < 90) return void (await volume.read(at, BLOCK))
      if (roll < 99) return volume.discard(at, BLOCK)
      return volume.flush()
    },
  )
}
