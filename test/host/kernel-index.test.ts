/** The kernel's own indexes behind our engine: what the kernel knew of its blocks, we find by it. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { RECORD_NAME_SEED } from '../../src/base/native.js'
import { auditFile } from '../../src/host/audit-file.js'
import { formatFile } from '../../src/host/format-file.js'
import { openVolume } from '../../src/host/open-volume.js'
import { murmur3 } from '../../src/uds/index-nonces.js'
import { readManifest, statistic, unpackFixture } from '../fixtures.js'
import { withTempDir } from '../tools.js'
import { areasOfSave, openSample, type Sample, type SampleName } from '../uds/uds-samples.js'
import { withIndex } from './use-volume.js'

const BLOCK = 4096
const MIB = 2 ** 20
const GIB = 2 ** 30
/** One chapter on disk: pages of 32 KiB, of which the first are its index. */
const CHAPTER = { blocks: 560, indexBlocks: 48, first: 11 }

/** Block number `i` of those that the kernel wrote when it made the samples. */
function kernelBlock(i: number): Uint8Array {
  const word = (value: bigint): bigint => BigInt.asUintN(64, value)
  const block = new BigUint64Array(BLOCK / 8)
  const gamma = 0x9e37_79b9_7f4a_7c15n
  let state = word(BigInt(i) * gamma + 12_345n)
  for (let w = 0; w < block.length; w++) {
    state = word(state + gamma)
    let z = word((state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n)
    z = word((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn)
    block[w] = z ^ (z >> 31n)
  }
  return new Uint8Array(block.buffer)
}

/** Where the records of a sample say that blocks lie, by name; read as bytes, by no code of the index. */
function placesOf({ storage, facts, geometry }: Sample): Map<string, number> {
  const places = new Map<string, number>()
  const take = (bytes: Uint8Array, from: number, to: number): void => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    for (let at = from; at < to; at += 32) {
      places.set(view.toString('hex', at, at + 16), Number(view.readBigUInt64LE(at + 18)))
    }
  }
  // Later chapters say what is true now.
  for (let first = CHAPTER.first; storage.blocks.has(first); first += CHAPTER.blocks) {
    const blocks = CHAPTER.blocks - CHAPTER.indexBlocks
    take(storage.area({ block: first + CHAPTER.indexBlocks, blocks }), 0, blocks * BLOCK)
  }
  if (facts.open_chapter_records !== null && facts.open_chapter_records !== undefined) {
    const { openChapter } = areasOfSave(geometry, 0, 1)
    take(storage.area(openChapter), 14, 14 + facts.open_chapter_records * 32)
  }
  return places
}

/**
 * A volume with the kernel's index and the data of some of the blocks that it knows. Nothing refers to these: only
 * the index leads there.
 */
async function makeVolume(path: string, sample: Sample, blocks: readonly Uint8Array[]): Promise<void> {
  const { facts, storage } = sample
  await formatFile({
    path,
    sizeBytes: facts.blocks * BLOCK + 5 * GIB,
    logicalBytes: 64 * MIB,
    slabBits: 20,
    indexMemory: facts.memory_size,
    indexSparse: facts.sparse,
    nonce: BigInt(facts.config.nonce),
    uuid: new Uint8Array(16).fill(5),
  })
  // A volume that was never loaded does not look for an index.
  await (await openVolume({ device: path, threads: 'tiny', deduplication: false })).close()
  const places = placesOf(sample)
  const file = openSync(path, 'r+')
  for (const [block, bytes] of storage.blocks) writeSync(file, bytes, 0, BLOCK, block * BLOCK)
  for (const [i, bytes] of blocks.entries()) {
    const pbn = places.get(Buffer.from(murmur3(bytes, RECORD_NAME_SEED)).toString('hex'))
    if (pbn === undefined) throw new Error(`the kernel's index has no record of block ${i}`)
    writeSync(file, bytes, 0, BLOCK, pbn * BLOCK)
  }
  closeSync(file)
}

describe('an index of the kernel’s behind the engine', function () {
  this.timeout(120_000)

  /**
   * Blocks of each chapter, the open one included where it was saved; but none of those that the kernel put where our
   * first writes get their places, which nobody may share for as long.
   */
  const samples: readonly [SampleName, threads: string, rebuilt: boolean, firsts: readonly number[]][] = [
    ['kernel-clean1', 'default', false, [20_000, 100_000, 139_800]],
    ['kernel-crash', 'default', true, [20_000, 100_000, 400_000]],
    ['kernel-sparse', 'tiny', false, [20_000, 69_800]],
  ]
  for (const [name, threads, rebuilt, firsts] of samples) {
    it(`leads to the blocks of its chapters${rebuilt ? ', once it is rebuilt' : ''} (${name}, ${threads})`, async function () {
      const sample = openSample(this, name)
      const blocks = firsts.flatMap((first) => Array.from({ length: 200 }, (_, i) => kernelBlock(first + i)))
      const data = Buffer.concat(blocks)
      await withTempDir(async (folder) => {
        const image = join(folder, 'kernel.img')
        await makeVolume(image, sample, blocks)
        const reports = await withIndex({ device: image, threads }, async (volume) => {
          expect(volume.indexState).to.equal('online')
          await volume.write(0, data)
          await volume.flush()
          const { index, hashLock, biosOut, dataBlocksUsed } = volume.statistics()
          expect(index.postsFound).to.equal(blocks.length)
          expect(hashLock.dedupeAdviceValid).to.equal(blocks.length)
          expect(hashLock.dedupeAdviceStale).to.equal(0)
          // Each is used where the kernel had it: nothing was written anew.
          expect([biosOut.write, dataBlocksUsed]).to.deep.equal([0, blocks.length])
          expect(Buffer.compare(await volume.read(0, data.length), data)).to.equal(0)
        })
        expect(reports.map((report) => report.includes('is rebuilt'))).to.deep.equal(rebuilt ? [true] : [])
        expect(auditFile(image).consistent).to.equal(true)
      })
    })
  }

  it('is loaded with the volume that the kernel closed, and finds its blocks', async function () {
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      const known = statistic(readManifest('clean').kernelStats, 'index.entriesIndexed')
      const reports = await withIndex({ device: image, threads: 'default' }, async (volume) => {
        const before = volume.statistics()
        expect(before.index.entriesIndexed).to.equal(known)
        const data = await volume.read(0, 4 * MIB)
        await volume.write(512 * MIB, data)
        await volume.flush()
        const { index, hashLock } = volume.statistics()
        // These data are 581 different blocks, and zeros; the kernel knows 173 of them. Of those that come more than
        // once, some find themselves in flight instead.
        expect(index.entriesIndexed).to.equal(known + 581 - 173)
        expect(index.postsFound).to.be.at.least(173)
        expect(hashLock.dedupeAdviceValid).to.be.at.least(173)
        expect(hashLock.dedupeAdviceStale).to.equal(0)
        expect(Buffer.compare(await volume.read(512 * MIB, data.length), data)).to.equal(0)
      })
      expect(reports).to.deep.equal([])
    })
  })

  it('that has no chapter yet is rebuilt with the volume that the kernel was writing when it was reset', async function () {
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'crash', folder)
      const reports = await withIndex({ device: image, threads: 'default' }, async (volume) => {
        const data = await volume.read(0, 4 * MIB)
        await volume.write(512 * MIB, data)
        await volume.flush()
        const { dataBlocksUsed, index } = volume.statistics()
        await volume.write(600 * MIB, data)
        await volume.flush()
        const after = volume.statistics()
        expect(after.dataBlocksUsed).to.equal(dataBlocksUsed)
        expect(after.index.postsNotFound).to.equal(index.postsNotFound)
      })
      expect(reports).to.deep.equal([
        'Deduplication: the index is rebuilt from its chapters: Cannot load the index: it has no save',
      ])
    })
  })
})
