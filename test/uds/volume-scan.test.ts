import { expect } from 'chai'
import fc from 'fast-check'
import { type IndexShape, regionOfShape } from '../../src/format/index-region.js'
import { ChapterIndex } from '../../src/uds/chapter-index.js'
import { IndexGeometry, PAGE_BYTES } from '../../src/uds/geometry.js'
import { createLayout, IndexLayout } from '../../src/uds/index-layout.js'
import { VolumePages } from '../../src/uds/volume-pages.js'
import { type FoundChapters, findChapters } from '../../src/uds/volume-scan.js'
import { indexRefusal } from './index-refusal.js'
import { BIRTH } from './small-index.js'
import { MapStorage } from './uds-samples.js'

/** One record page and one index page a chapter. */
const SHAPE: IndexShape = { recordPagesPerChapter: 1, baseChapters: 8, sparse: false, reduced: false }

/** A volume with the index pages of these chapters, written in this order. */
class Chapters {
  readonly storage = new MapStorage()
  readonly layout: IndexLayout
  private readonly page = new Uint8Array(PAGE_BYTES)
  private readonly index: ChapterIndex

  constructor(readonly geometry: IndexGeometry) {
    const { shape } = geometry
    const place = { shape, start: 1, blocks: regionOfShape(shape).blockCount, nonce: 1n }
    const { superBlock } = this.storage.run(createLayout(place, BIRTH))
    this.layout = new IndexLayout(geometry, superBlock)
    this.index = new ChapterIndex(geometry, this.layout.nonce)
  }

  write(chapter: number, slot = this.geometry.physicalChapter(chapter)): void {
    this.index.packPage(chapter, 0, true, this.page, 0)
    this.storage.write(this.blockOf(slot), 8, this.page, 0)
  }

  tear(slot: number): void {
    this.storage.read(this.blockOf(slot), 8, this.page, 0)
    this.page[PAGE_BYTES - 1] = 0
    this.storage.write(this.blockOf(slot), 8, this.page, 0)
  }

  find(): FoundChapters | undefined {
    const { volumeStart, nonce } = this.layout
    return this.storage.run(findChapters(this.layout, new VolumePages(volumeStart, nonce, 4)))
  }

  private blockOf(slot: number): number {
    return this.layout.volumeStart + 8 * this.geometry.volumePage(slot, 0)
  }
}

describe('the chapters of a volume', () => {
  it('are found, however far it has gone round and whatever was torn where it was written last', () => {
    const run = fc.property(fc.nat(40), fc.nat(3), fc.nat(3), (written, torn, before) => {
      // What is torn goes on to the place where the next would be written.
      fc.pre(torn >= before)
      const chapters = new Chapters(new IndexGeometry(SHAPE))
      for (let chapter = 0; chapter < written; chapter++) chapters.write(chapter)
      const good = new Set<number>()
      for (let chapter = Math.max(written - 8, 0); chapter < written; chapter++) good.add(chapter)
      // Chapters that were about to be written over, and the last ones, whose writes were on their way.
      for (let i = 0; i < torn; i++) {
        const chapter = written - before + i
        // Nobody writes to slot 0 again before all others were written.
        if (chapter < 0 || (chapter >= 8 && written < 8)) continue
        chapters.tear(chapter % 8)
        good.delete(chapter)
        good.delete(chapter - 8)
      }
      const wanted = good.size === 0 ? undefined : { lowest: Math.min(...good), highest: Math.max(...good) }
      expect(chapters.find()).to.deep.equal(wanted)
    })
    fc.assert(run, { seed: 321, numRuns: 400 })
  })

  it('are found beside one that was moved, from when it was on', () => {
    for (let newest = 2; newest < 24; newest++) {
      const whole = new IndexGeometry(SHAPE)
      const moved = newest - (newest % 8)
      const slot = (newest + 1) % 8
      if (slot === 0 || moved === newest) continue
      const geometry = new IndexGeometry({ ...SHAPE, reduced: true }, moved, slot - 1)
      const chapters = new Chapters(geometry)
      let oldest = Math.max(newest - 6, 0)
      for (let chapter = oldest; chapter < newest; chapter++) {
        // The moved one, and the others a slot lower than they were.
        chapters.write(chapter, chapter === moved ? slot - 1 : whole.physicalChapter(chapter) - 1)
      }
      for (let chapter = newest; chapter < newest + 30; chapter++) {
        const found = chapters.find()!
        expect(found.highest, `${chapter} after ${newest}`).to.equal(chapter - 1)
        expect(found.lowest, `${chapter} after ${newest}`).to.be.within(oldest - 2, oldest)
        chapters.write(chapter)
        oldest += geometry.expiringChapters(chapter + 1)
      }
    }
  })

  it('are none in a volume of zeros, or of another index', () => {
    const chapters = new Chapters(new IndexGeometry(SHAPE))
    expect(chapters.find()).to.equal(undefined)
    for (let chapter = 0; chapter < 12; chapter++) chapters.write(chapter)
    const { volumeStart, nonce } = chapters.layout
    const others = new VolumePages(volumeStart, { ...nonce, high: nonce.high ^ 1 }, 4)
    expect(chapters.storage.run(findChapters(chapters.layout, others))).to.equal(undefined)
  })

  it('are not guessed at when too many slots are bad', () => {
    const chapters = new Chapters(new IndexGeometry({ ...SHAPE, baseChapters: 256 }))
    for (let chapter = 0; chapter < 300; chapter++) chapters.write(chapter)
    expect(chapters.find()).to.deep.equal({ lowest: 44, highest: 299 })
    for (let slot = 44; slot < 144; slot++) chapters.tear(slot)
    expect(chapters.find()).to.deep.equal({ lowest: 144, highest: 299 })
    chapters.tear(144)
    const { code, message } = indexRefusal(() => chapters.find())
    expect(code).to.equal('VDO_INDEX_CORRUPT')
    expect(message).to.equal(
      'Cannot read the volume of chapters: more than 100 slots before slot 145 are bad',
    )
  })

  it('are not believed when they make no sense', () => {
    const chapters = new Chapters(new IndexGeometry(SHAPE))
    for (const [slot, chapter] of [16, 1, 26, 3, 12, 5, 6, 15].entries()) chapters.write(chapter, slot)
    expect(indexRefusal(() => chapters.find()).message).to.match(/its chapters seem to be \d+ to \d+$/)
    // A chapter in a slot that is not its own is none.
    const strange = new Chapters(new IndexGeometry(SHAPE))
    strange.write(5, 4)
    expect(strange.find()).to.equal(undefined)
    // Nor is one that nobody gets to: the next would be too many.
    const far = new Chapters(new IndexGeometry(SHAPE))
    far.write(2 ** 32 - 8)
    expect(far.find()).to.equal(undefined)
    far.write(2 ** 31 - 8)
    expect(far.find()).to.deep.equal({ lowest: 2 ** 31 - 8, highest: 2 ** 31 - 8 })
  })
})
