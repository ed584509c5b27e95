import { expect } from 'chai'
import fc from 'fast-check'
import { geometryOfMemory, IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'

describe('the geometry of an index', () => {
  it('divides a chapter as the format has it', () => {
    const table = [
      [-256, 64, 6, 70, 65536, 1024, 6, 2_293_760],
      [-512, 128, 13, 141, 131072, 2048, 7, 4_620_288],
      [-768, 192, 20, 212, 196608, 4096, 8, 6_946_816],
      [1, 256, 26, 282, 262144, 4096, 8, 9_240_576],
      [1024, 256, 26, 282, 262144, 4096, 8, 9_240_576],
    ]
    for (const [memory, records, index, pages, count, lists, payload, bytes] of table) {
      const geometry = geometryOfMemory(memory!, false)
      expect(geometry.recordPagesPerChapter).to.equal(records)
      expect(geometry.indexPagesPerChapter).to.equal(index)
      expect(geometry.pagesPerChapter).to.equal(pages)
      expect(geometry.recordsPerChapter).to.equal(count)
      expect(geometry.listsPerChapter).to.equal(lists)
      expect(geometry.chapterCoding.payloadBits).to.equal(payload)
      expect(geometry.pagesPerChapter * 32768).to.equal(bytes)
      expect(geometry.chapterCoding).to.include({ minBits: 16, minKeys: 20110, incrKeys: 45426 })
    }
  })

  it('gives the parts of the region their sizes, for every kind of memory', () => {
    const K = 1024
    const table: [memory: number, sparse: boolean, ...sizes: number[]][] = [
      [-256, false, K, 0, 67_108_864, 573_448, 52_321, 3, 513, 679_127],
      [-256, true, 10 * K, 9728, 671_088_640, 5_734_408, 43_380, 26, 513, 5_822_251],
      [-512, false, K, 0, 134_217_728, 1_155_080, 104_625, 7, 1025, 1_366_399],
      [-512, true, 10 * K, 9728, 1_342_177_280, 11_550_728, 86_727, 61, 1025, 11_726_359],
      [-768, false, K, 0, 201_326_592, 1_736_712, 156_929, 10, 1537, 2_053_669],
      [-768, true, 10 * K, 9728, 2_013_265_920, 17_367_048, 130_074, 96, 1537, 17_630_467],
      [1, false, K, 0, 268_435_456, 2_310_152, 209_233, 13, 2049, 2_732_747],
      [1, true, 10 * K, 9728, 2_684_354_560, 23_101_448, 173_421, 126, 2049, 23_452_645],
      [2, false, 2 * K, 0, 2 ** 29, 4_620_296, 435_889, 26, 2049, 5_496_229],
      [2, true, 20 * K, 19456, 5_368_709_120, 46_202_888, 360_697, 251, 2049, 46_928_887],
      [4, false, 4 * K, 0, 2 ** 30, 9_240_584, 906_609, 51, 2049, 11_058_007],
      [8, false, 8 * K, 0, 2 ** 31, 18_481_160, 1_882_945, 101, 2049, 22_251_355],
      [16, false, 16 * K, 0, 2 ** 32, 36_962_312, 3_905_329, 201, 2049, 44_777_475],
      [64, false, 64 * K, 0, 2 ** 34, 147_849_224, 16_737_073, 801, 2049, 181_329_075],
      [256, false, 256 * K, 0, 2 ** 36, 591_396_872, 71_411_569, 3201, 2049, 734_230_515],
      [1024, false, K * K, 0, 2 ** 38, 2_365_587_464, 303_499_537, 12_801, 2049, 2_972_616_243],
      [
        1024,
        true,
        10_485_760,
        9_961_472,
        2_748_779_069_440,
        23_655_874_568,
        248_685_665,
        128_001,
        2049,
        24_153_506_003,
      ],
      [-1280, false, K - 1, 0, 67_043_328, 572_888, 52_321, 3, 513, 678_567],
      [4097, false, K - 1, 0, 268_173_312, 2_307_896, 209_233, 13, 2049, 2_730_491],
    ]
    for (const [memory, sparse, ...sizes] of table) {
      const geometry = geometryOfMemory(memory, sparse)
      const { region } = geometry
      expect(
        [
          geometry.chapters,
          geometry.sparseChapters,
          geometry.chapters * geometry.recordsPerChapter,
          region.chapterBlocks,
          region.volumeIndexBlocks,
          region.pageMapBlocks,
          region.openChapterBlocks,
          region.blockCount,
        ],
        `${memory} ${sparse}`,
      ).to.deep.equal(sizes)
      expect(geometry.sampleRate).to.equal(sparse ? 32 : 0)
    }
  })

  it('gives the volume index its lists and the bits of a chapter', () => {
    const table: [memory: number, dense: number[], sparse: number[]][] = [
      [-256, [262_144, 10], [126_976, 9, 81_920, 14]],
      [-512, [524_288, 10], [253_952, 9, 163_840, 14]],
      [-768, [786_432, 10], [380_928, 9, 245_760, 14]],
      [1, [1_048_576, 10], [507_904, 9, 327_680, 14]],
      [2, [2_097_152, 11], [1_015_808, 10, 655_360, 15]],
      [16, [16_777_216, 14], [8_126_464, 13, 5_242_880, 18]],
      [1024, [2 ** 30, 20], [520_093_696, 19, 335_544_320, 24]],
    ]
    for (const [memory, dense, sparse] of table) {
      const partsOf = (kind: boolean) =>
        geometryOfMemory(memory, kind).subIndexes.flatMap((part) => [part.listCount, part.chapterBits])
      expect(partsOf(false)).to.deep.equal(dense)
      expect(partsOf(true)).to.deep.equal(sparse)
      for (const kind of [false, true]) {
        for (const { meanDelta } of geometryOfMemory(memory, kind).subIndexes)
          expect(meanDelta).to.equal(4080)
      }
    }
    const mebibytes = geometryOfMemory(-256, true).subIndexes.map((part) => part.memoryBytes / 2 ** 20)
    expect(mebibytes.map((each) => Math.round(each * 10) / 10)).to.deep.equal([92.8, 73.2])
    const reduced = geometryOfMemory(-1280, false).subIndexes[0]!
    expect([reduced.listCount, reduced.chapterBits]).to.deep.equal([262_144, 10])
  })

  it('has a small form for tests', () => {
    const dense = new IndexGeometry(smallIndexShape(false))
    expect([dense.chapters, dense.recordPagesPerChapter, dense.indexPagesPerChapter]).to.deep.equal([
      4, 32, 3,
    ])
    expect([dense.listsPerChapter, dense.chapterCoding.payloadBits]).to.deep.equal([512, 5])
    expect(dense.region.blockCount).to.equal(1879)
    const sparse = new IndexGeometry(smallIndexShape(true))
    expect([sparse.chapters, sparse.sparseChapters, sparse.denseChapters]).to.deep.equal([40, 38, 2])
    expect(sparse.region.blockCount).to.equal(11959)
  })

  it('refuses memory that no index has', () => {
    for (const memory of [0, 1025, -2048]) {
      expect(() => geometryOfMemory(memory, false)).to.throw('unknown')
    }
  })
})

describe('the chapters of an index', () => {
  it('take the slots of a whole volume in turn', () => {
    const geometry = geometryOfMemory(-256, false)
    expect([0, 1, 1023, 1024, 1025, 5000].map((each) => geometry.physicalChapter(each))).to.deep.equal([
      0, 1, 1023, 0, 1, 904,
    ])
    expect(geometry.volumePage(0, 0)).to.equal(1)
    expect(geometry.volumePage(3, 7)).to.equal(218)
  })

  it('expire one at a time when the volume is full', () => {
    const geometry = geometryOfMemory(-256, false)
    expect([0, 1, 1023, 1024, 1025].map((each) => geometry.expiringChapters(each))).to.deep.equal([
      0, 0, 0, 1, 1,
    ])
  })

  it('turn sparse when they leave the dense window', () => {
    const geometry = geometryOfMemory(-256, true)
    expect(geometry.hasSparse(0, 511)).to.equal(false)
    expect(geometry.hasSparse(0, 512)).to.equal(true)
    expect(geometry.isSparse(0, 0, 511)).to.equal(false)
    expect(geometry.isSparse(0, 0, 512)).to.equal(true)
    expect(geometry.isSparse(1, 0, 512)).to.equal(false)
    expect(geometryOfMemory(-256, false).hasSparse(0, 5000)).to.equal(false)
  })

  it('keep their names apart from the moved one in a reduced volume', () => {
    const geometry = new IndexGeometry({ ...smallIndexShape(false), baseChapters: 8, reduced: true }, 8, 2)
    // Chapter 8 was moved to slot 2; those before it lie where they lay, counted from the slot that was given up.
    expect([2, 3, 4, 5, 6, 7].map((each) => geometry.physicalChapter(each))).to.deep.equal([1, 2, 3, 4, 5, 6])
    expect([8, 9, 10, 11, 12, 14, 15, 16].map((each) => geometry.physicalChapter(each))).to.deep.equal([
      2, 0, 1, 3, 4, 6, 0, 1,
    ])
    expect(geometry.physicalChapter(1)).to.equal(0)
    expect(geometry.physicalChapter(0)).to.equal(0)
  })

  it('never share a slot with one that is valid, whatever was moved', () => {
    const run = fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(6), (moved, slot) => {
      const shape = { ...smallIndexShape(false), baseChapters: 8, reduced: true }
      const geometry = new IndexGeometry(shape, moved, slot)
      // The moved chapter is the oldest of those that lie from slot 0 on, and the index goes on by its rules.
      let oldest = moved
      for (let newest = moved + slot + 1; newest < moved + 40; newest++) {
        oldest += geometry.expiringChapters(newest)
        const slots = new Set<number>()
        for (let chapter = oldest; chapter <= newest; chapter++) slots.add(geometry.physicalChapter(chapter))
        expect(slots.size, `${oldest} to ${newest}`).to.equal(newest - oldest + 1)
        expect(Math.max(...slots)).to.be.below(geometry.chapters)
      }
    })
    fc.assert(run, { seed: 304, numRuns: 200 })
  })
})
