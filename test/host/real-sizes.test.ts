/** The rare cases at VDO's own sizes, on real threads: what the simulator meets at small ones. */

import { expect } from 'chai'
import { type OpenOptions, openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { Mark } from '../../src/vio/marks.js'
import { codeOf } from '../outcomes.js'
import { auditClosed, BLOCK, GIB } from './chaos.js'
import { formatInMemory, type MemoryVolumeOptions, noise } from './memory-volume.js'
import { useVolume } from './use-volume.js'

const SLAB_DATA_BLOCKS = 8192 - 224 - 2

/** Compresses to about `size` bytes. */
function fluff(seed: number, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  block.set(noise(seed, size))
  return block
}

/** A volume in memory for the length of `use`, audited after it closes. */
async function withVolume(
  format: MemoryVolumeOptions,
  options: Omit<OpenOptions, 'device'>,
  use: (volume: VdoVolume) => Promise<void>,
): Promise<void> {
  const { segments } = formatInMemory(format)
  const volume = await openVolume({ ...options, device: segments })
  await useVolume(volume, use)
  auditClosed(segments, volume.statistics())
}

/** Calls `start` for 0 to `count` - 1, with many under way at once. */
async function all(count: number, start: (i: number) => Promise<unknown>): Promise<void> {
  const AT_ONCE = 512
  for (let first = 0; first < count; first += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - first)
    await Promise.all(Array.from({ length }, (_, i) => start(first + i)))
  }
}

async function used(volume: VdoVolume): Promise<number> {
  await volume.flush()
  return volume.statistics().dataBlocksUsed
}

/** Writes new blocks from `first` on until there is no room; gives how many were taken. */
async function fillUp(volume: VdoVolume, first: number): Promise<number> {
  const refused: number[] = []
  let written = 0
  for (let at = first; refused.length === 0; at += 256) {
    const codes = await Promise.all(
      Array.from({ length: 256 }, (_, i) => codeOf(volume.write((at + i) * BLOCK, noise(at + i)))),
    )
    for (const [i, code] of codes.entries()) {
      if (code === undefined) written++
      else {
        expect(code).to.equal('VDO_NO_SPACE')
        refused.push(at + i)
      }
    }
  }
  for (const block of refused) expect(await volume.read(block * BLOCK, 1)).to.deep.equal(new Uint8Array(1))
  return written
}

describe('the engine at real sizes', function () {
  this.timeout(60_000)

  for (const threads of ['default', 'wide']) {
    it(`stores one content at 600 addresses in three blocks, and lets go of them again (${threads})`, () =>
      withVolume({ slabs: 4 }, { threads }, async (volume) => {
        const same = noise(1)
        const before = await used(volume)
        await all(600, (i) => volume.write(i * 7 * BLOCK, same))
        expect((await used(volume)) - before).to.equal(3)
        expect(volume.host.arena.total(Mark.HashRollOvers)).to.be.above(0)
        // One at a time, by way of the index.
        for (let i = 0; i < 300; i++) await volume.write((5000 + i) * BLOCK, same, { fua: i % 50 === 0 })
        expect((await used(volume)) - before).to.be.within(4, 5)
        await all(600, async (i) => expect(await volume.read(i * 7 * BLOCK, BLOCK)).to.deep.equal(same))
        await all(600, (i) => volume.write(i * 7 * BLOCK, noise(100 + i)))
        await volume.discard(5000 * BLOCK, 300 * BLOCK)
        expect((await used(volume)) - before).to.equal(600)
      }))
  }

  it('shares fragments of packed blocks with their duplicates', () =>
    withVolume({ slabs: 4 }, { threads: 'default' }, async (volume) => {
      const before = await used(volume)
      const fragments = () => volume.statistics().packer.compressedFragmentsWritten
      // A flush lets half-full bins go, so there is none until bins have filled by themselves.
      let count = 0
      for (; fragments() < 1000; count += 256) {
        const first = count
        await all(256, (i) => volume.write((first + i) * BLOCK, fluff(first + i, 150)))
      }
      const packed = (await used(volume)) - before
      expect(packed).to.be.below(count - 900)
      for (const copy of [10_000, 20_000, 30_000]) {
        await all(count, (i) => volume.write((copy + i) * BLOCK, fluff(i, 150)))
      }
      // A packed block takes 254 references, and some advice comes too late or leads to a block that went away.
      expect((await used(volume)) - before).to.be.below(packed + count / 4)
      for (let i = 0; i < 400; i++) await volume.write((50_000 + i) * BLOCK, fluff(7, 150))
      await all(count, (i) => volume.write(i * BLOCK, noise(i)))
      await volume.discard(10_000 * BLOCK, count * BLOCK)
      for (const copy of [20_000, 30_000]) {
        await all(count, async (i) => {
          expect(await volume.read((copy + i) * BLOCK, BLOCK)).to.deep.equal(fluff(i, 150))
        })
      }
      await volume.discard(20_000 * BLOCK, 40_000 * BLOCK)
      expect((await used(volume)) - before).to.equal(count)
    }))

  for (const threads of ['default', 'tiny', 'wide']) {
    it(`fills to the last block, refuses, and goes on after discards (${threads})`, () =>
      withVolume({ slabs: 3, logicalBlocks: 812 * 60 }, { threads, compression: false }, async (volume) => {
        // Every leaf exists before the data comes, so that each block that is left is for data.
        await all(60, (i) => volume.write(i * 812 * BLOCK, noise(1_000_000)))
        const pages =
          volume.statistics().overheadBlocksUsed - (volume.statistics().physicalBlocks - 3 * SLAB_DATA_BLOCKS)
        const written = await fillUp(volume, 1)
        const full = await used(volume)
        expect(full + pages).to.equal(3 * SLAB_DATA_BLOCKS)
        expect(written).to.be.above(20_000)

        // An overwrite needs a block before it frees one: it is refused, whole or in part, and harms nothing.
        const refused = await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            codeOf(volume.write((100 + i) * BLOCK + (i % 2) * 512, noise(9_000_000 + i, 1024))),
          ),
        )
        expect([...new Set(refused)]).to.deep.equal(['VDO_NO_SPACE'])
        await all(100, async (i) => {
          expect(await volume.read((100 + i) * BLOCK, BLOCK)).to.deep.equal(noise(100 + i))
        })

        // What needs no block succeeds: duplicates, zeros, discards.
        await all(600, (i) => volume.write((40_000 + i) * BLOCK, noise(2000 + i)))
        await all(600, (i) => volume.write((1000 + i) * BLOCK, noise(5000 + i)))
        expect(await volume.read(1300 * BLOCK, BLOCK)).to.deep.equal(noise(5300))
        await volume.write(10_000 * BLOCK, new Uint8Array(500 * BLOCK))
        const after = await used(volume)
        expect(full - after).to.be.above(900)
        await volume.discard(8000 * BLOCK, 1000 * BLOCK)
        await all(1500, (i) => volume.write((20_500 + i) * BLOCK, noise(3_000_000 + i)))
        await volume.flush()
        expect(await volume.read(21_999 * BLOCK, BLOCK)).to.deep.equal(noise(3_001_499))
        expect(await volume.read(8500 * BLOCK, BLOCK)).to.deep.equal(new Uint8Array(BLOCK))
      }))
  }

  it('evicts pages when more leaves are in use than the cache holds', () =>
    withVolume(
      { slabs: 4, logicalBlocks: (64 * GIB) / BLOCK },
      { threads: 'default', shape: { cachePages: 4096 } },
      async (volume) => {
        const leaves = 5000
        for (let round = 0; round < 2; round++) {
          await all(leaves, (i) => volume.write((i * 812 + round * 400) * BLOCK, noise(i % 1000)))
          await volume.flush()
        }
        expect(volume.host.arena.total(Mark.PageEvictions)).to.be.at.least(2 * (leaves - 4096))
        await all(leaves, async (i) => {
          expect(await volume.read((i * 812 + 400) * BLOCK, BLOCK)).to.deep.equal(noise(i % 1000))
        })
        expect(volume.statistics().logicalBlocksUsed).to.equal(2 * leaves)
      },
    ))

  it('discards a GiB, and all of 64 GiB, in one request', () =>
    withVolume({ slabs: 4, logicalBlocks: (64 * GIB) / BLOCK }, { threads: 'default' }, async (volume) => {
      const before = await used(volume)
      await all(1000, (i) => volume.write(i * 12_345 * BLOCK, noise(i)))
      await volume.write(GIB, noise(5, 4000 * BLOCK))
      await volume.discard(GIB + 1, GIB)
      expect(await volume.read(GIB, 2)).to.deep.equal(Uint8Array.of(noise(5, 1)[0], 0))
      expect(await volume.read(GIB + 3999 * BLOCK, BLOCK)).to.deep.equal(new Uint8Array(BLOCK))
      await volume.discard(0, volume.logicalSize)
      expect(await used(volume)).to.equal(before)
      expect(volume.statistics().logicalBlocksUsed).to.equal(0)
    }))

  it('answers flushes in their order, however many come', () =>
    withVolume({ slabs: 4 }, { threads: 'default' }, async (volume) => {
      const answered: number[] = []
      let flushes = 0
      await all(2000, (i) => {
        if (i % 3 === 0) return volume.write(i * BLOCK, noise(i), { fua: i % 2 === 0 })
        const order = flushes++
        return volume.flush().then(() => void answered.push(order))
      })
      expect(answered).to.deep.equal(Array.from({ length: flushes }, (_, i) => i))
    }))
})
