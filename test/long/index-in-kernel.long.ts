/**
 * The real kernel on index regions that we wrote: loaded without a rebuild, rebuilt, and sparse with chapters that
 * are. `npm run test:long`; needs the guest of test/kernel.
 */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { RECORD_NAME_SEED } from '../../src/base/native.js'
import { Prng } from '../../src/base/prng.js'
import { decodeGeometry } from '../../src/format/geometry-block.js'
import { indexShapeOf } from '../../src/format/index-region.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { createLayout, type IndexPlace, openLayout } from '../../src/uds/index-layout.js'
import { murmur3 } from '../../src/uds/index-nonces.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { readManifest, statistic, unpackFixture } from '../fixtures.js'
import { randomBytes } from '../kernel/content.js'
import { readStats, requireGuest, runGuest } from '../kernel/guest.js'
import { formatOurs } from '../kernel/images.js'
import { withTempDir } from '../tools.js'
import { recordsOf } from '../uds/index-content.js'
import { LocalIndex } from '../uds/local-index.js'
import { MapStorage } from '../uds/uds-samples.js'

const BLOCK = 4096
const GIB = 2 ** 30
const LOGICAL = GIB

/** The blocks of an image. */
class ImageStorage extends MapStorage {
  constructor(private readonly file: number) {
    super()
  }

  override read(block: number, count: number, bytes: Uint8Array, at: number): void {
    const size = count * BLOCK
    const got = readSync(this.file, bytes, at, size, block * BLOCK)
    bytes.fill(0, at + got, at + size)
  }

  override write(block: number, count: number, bytes: Uint8Array, at: number): void {
    writeSync(this.file, bytes, at, count * BLOCK, block * BLOCK)
  }
}

function withImage<T>(image: string, body: (storage: ImageStorage, place: IndexPlace) => T): T {
  const file = openSync(image, 'r+')
  try {
    const first = new Uint8Array(BLOCK)
    readSync(file, first, 0, BLOCK, 0)
    const geometry = decodeGeometry(first, (bytes, seed) => crc32(bytes, seed))
    const place = {
      shape: indexShapeOf(geometry.indexMemory | 0, geometry.indexSparse === 1),
      start: geometry.indexRegionStart - geometry.bioOffset,
      blocks: geometry.dataRegionStart - geometry.indexRegionStart,
      nonce: geometry.nonce,
    }
    return body(new ImageStorage(file), place)
  } finally {
    fsyncSync(file)
    closeSync(file)
  }
}

/** Makes a new index of ours in an image, with the records of the kernel's open chapter and others after them. */
function replaceIndex(
  image: string,
  zones: number,
  others: number,
  last: (index: LocalIndex) => void,
): number {
  return withImage(image, (storage, place) => {
    const old = storage.run(openLayout(place))
    const content = IndexContent.empty(old.geometry, 1)
    storage.run(content.load(old))
    const records = recordsOf(content).map((record) => Buffer.from(record, 'hex'))
    const birth = { nanoseconds: old.latest!.save!.time * 1_000_000n + 1n, chance: 12_345 }
    const index = new LocalIndex(storage, storage.run(createLayout(place, birth)), { zones })
    for (const record of records) index.ask(IndexRequest.Post, record.subarray(0, 16), record.subarray(16))
    const prng = new Prng(5)
    const name = new Uint8Array(16)
    for (let i = 0; i < others; i++) {
      prng.fill(name)
      index.ask(IndexRequest.Post, name, name)
    }
    index.settle()
    last(index)
    return records.length
  })
}

/** Has the kernel start the volume, write what is at its start once more farther on, and stop. */
async function writeAgain(image: string, mebibytes: number): Promise<{ says: string; stats: string }> {
  const says = await runGuest({
    script: [
      `volume_start /dev/vda ${LOGICAL}`,
      'dmesg | grep dedupeQ',
      `dd if=/dev/dm-0 of=/dev/dm-0 bs=64k count=${16 * mebibytes} seek=8192 iflag=direct oflag=direct conv=fsync 2>&1`,
      'volume_stats',
      'volume_stop',
    ].join('\n'),
    images: [image],
  })
  return { says, stats: readStats(says) }
}

describe('the kernel, given an index of ours', function () {
  this.timeout(600_000)

  before(function () {
    requireGuest(this)
  })

  it('loads it without a rebuild and finds what it knows, and we load what it saves', async function () {
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      let saved = 0
      const count = replaceIndex(image, 3, 140_000, (index) => {
        saved = index.zones.reduce((sum, { volumeIndex }) => sum + volumeIndex.entries, 0)
        expect(index.keeper.newest).to.equal(2)
        index.save(Date.now())
      })
      expect(count).to.equal(statistic(readManifest('clean').kernelStats, 'index.entriesIndexed'))
      const { says, stats } = await writeAgain(image, 4)
      expect(says).to.contain('loaded index from chapter 0 through chapter 1')
      expect(statistic(stats, 'hashLock.dedupeAdviceStale')).to.equal(0)
      expect(statistic(stats, 'index.postsFound')).to.be.greaterThan(200)
      expect(statistic(stats, 'hashLock.dedupeAdviceValid')).to.equal(statistic(stats, 'index.postsFound'))
      const entries = statistic(stats, 'index.entriesIndexed')
      expect(entries).to.equal(saved + statistic(stats, 'index.postsNotFound'))
      withImage(image, (storage, place) => {
        const layout = storage.run(openLayout(place))
        expect(layout.latest!.slot.number).to.equal(1)
        const content = IndexContent.empty(layout.geometry, 2)
        expect(storage.run(content.load(layout))).to.deep.equal({ newest: 2, oldest: 0 })
        expect(content.entries).to.equal(entries)
      })
    })
  })

  it('rebuilds it when it was not saved', async function () {
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      replaceIndex(image, 2, 140_000, (index) => {
        index.save(Date.now())
        index.storage.run(index.layout.discardOpenChapter())
      })
      const { says, stats } = await writeAgain(image, 4)
      expect(says).to.contain('Replaying volume from chapter 0 through chapter 2')
      expect(statistic(stats, 'hashLock.dedupeAdviceStale')).to.equal(0)
      expect(statistic(stats, 'index.postsFound')).to.be.greaterThan(200)
    })
  })

  it('finds in a chapter that is sparse what it finds there with us', async function () {
    await withTempDir(async (folder) => {
      const options = ['--slab-bits=17', '--uds-sparse']
      const image = await formatOurs(join(folder, 'sparse.raw'), 30 * GIB, options)
      const content = randomBytes(9, 24 * 2 ** 20)
      await runGuest({
        script: `volume_start /dev/vda ${LOGICAL}\nwrite_at /share/content 0\nvolume_stop`,
        files: { content },
        images: [image],
      })
      const count = replaceIndex(image, 3, 59_500, (index) => {
        // Chapter 0 is closed. Nobody asks what 599 chapters after it would hold, so they need not be written.
        expect(index.keeper.newest).to.equal(1)
        for (const { volumeIndex } of index.zones) volumeIndex.openChapter(600)
        index.begin({ oldest: 0, newest: 600 })
        index.save(Date.now())
      })
      expect(count).to.equal(6144)
      const ours = withImage(image, (storage, place) => {
        const index = new LocalIndex(storage, storage.run(openLayout(place)), { zones: 1 })
        index.load()
        let found = 0
        for (let at = 0; at < content.length; at += BLOCK) {
          const name = murmur3(content.subarray(at, at + BLOCK), RECORD_NAME_SEED)
          if (index.ask(IndexRequest.QueryNoUpdate, name) === IndexLocation.Sparse) found++
        }
        return found
      })
      const { says, stats } = await writeAgain(image, 24)
      expect(says).to.contain('loaded index from chapter 0 through chapter 599')
      expect(statistic(stats, 'hashLock.dedupeAdviceStale')).to.equal(0)
      // All but those before the first sample; several blocks are on their way at once, so not to the very block.
      expect(statistic(stats, 'index.postsFound')).to.be.within(ours - 16, ours + 16)
      expect(ours).to.be.within(6000, 6144)
    })
  })
})
