import { expect } from 'chai'
import fc from 'fast-check'
import { Prng } from '../../src/base/prng.js'
import type { IndexShape } from '../../src/format/index-region.js'
import { IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'
import { createLayout } from '../../src/uds/index-layout.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { openChapterCapacity } from '../../src/uds/open-chapter.js'
import { isSample } from '../../src/uds/record-name.js'
import { zoneOfName } from '../../src/uds/volume-index.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import { LocalIndex, type LocalOptions } from './local-index.js'
import { NaiveIndex, type NaiveKind } from './naive-index.js'
import { MapStorage } from './uds-samples.js'

/** Chapters of 2,048 records: they end soon. */
const TINY: IndexShape = { recordPagesPerChapter: 2, baseChapters: 4, sparse: false, reduced: false }
const TINY_SPARSE: IndexShape = { ...TINY, sparse: true }

const KINDS: Record<NaiveKind, IndexRequest> = {
  post: IndexRequest.Post,
  update: IndexRequest.Update,
  delete: IndexRequest.Delete,
  query: IndexRequest.Query,
  look: IndexRequest.QueryNoUpdate,
}

function newIndex(shape: IndexShape, options: LocalOptions): LocalIndex {
  const storage = new MapStorage()
  const blocks = new IndexGeometry(shape).region.blockCount
  const place = { shape, start: 1, blocks, nonce: 7n }
  return new LocalIndex(storage, storage.run(createLayout(place, { nanoseconds: 5n, chance: 9 })), options)
}

/** Name number `i`: 16 bytes that look like chance. */
function nameOf(i: number): Uint8Array {
  const name = new Uint8Array(16)
  new Prng(i + 1).fill(name)
  return name
}

function writeData(data: Uint8Array, value: number): void {
  data[0] = value
  data[1] = value >>> 8
  data[2] = value >>> 16
  data[15] = value
}

function readData(bytes: Uint8Array, at: number): number {
  expect(bytes[at + 15]).to.equal(bytes[at])
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
}

/** A run of requests of one kind for names of a row. */
interface Run {
  readonly kind: NaiveKind
  readonly from: number
  readonly count: number
  readonly step: number
}

const NAMES = 40_000

const runs = (most: number): fc.Arbitrary<Run[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom<NaiveKind>('post', 'post', 'post', 'update', 'query', 'look', 'delete'),
      from: fc.integer({ min: 0, max: NAMES - 1 }),
      count: fc.integer({ min: 1, max: most }),
      step: fc.constantFrom(1, 1, 1, 7),
    }),
    { minLength: 10, maxLength: 40, size: 'max' },
  )

/** Asks both, one request after the other, until so many were asked; each run of requests is taken again and again. */
function agree(index: LocalIndex, list: readonly Run[], requests: number): void {
  const { geometry } = index.layout
  const names = new Map<number, Uint8Array>()
  const bytesOf = (i: number): Uint8Array => {
    let name = names.get(i)
    if (name === undefined) names.set(i, (name = nameOf(i)))
    return name
  }
  const zones = index.zones.length
  const capacity = openChapterCapacity(geometry, zones)
  const naive = new NaiveIndex(geometry.chapters, capacity, zones, (i) =>
    zoneOfName(geometry, zones, bytesOf(i), 0),
  )
  const data = new Uint8Array(16)
  let asked = 0
  for (let round = 0; asked < requests; round++) {
    for (const { kind, from, count, step } of list) {
      for (let i = 0; i < count; i++) {
        const name = (from + i * step + round * 13_331) % NAMES
        const value = ++asked & 0xff_ffff
        writeData(data, value)
        const wanted = naive.ask(kind, name, value)
        const location = index.ask(KINDS[kind], bytesOf(name), data)
        index.settle()
        if ((location !== IndexLocation.None) !== (wanted !== undefined)) {
          expect.fail(`${kind} of name ${name}, request ${asked}: location ${location}, wanted ${wanted}`)
        }
        if (wanted !== undefined && kind !== 'delete' && readData(index.requests.known, 0) !== wanted) {
          expect.fail(`${kind} of name ${name}, request ${asked}: found other data than ${wanted}`)
        }
      }
    }
  }
  expect(index.keeper.newest).to.equal(naive.newest)
  expect(index.zones.map(({ oldest }) => oldest)).to.deep.equal(index.zones.map(() => naive.oldest))
}

describe('a whole dense index', () => {
  for (const zones of [1, 2, 3]) {
    it(`of ${zones} zones answers as a map of what was used last`, function () {
      this.timeout(60_000)
      let wraps = 0
      fc.assert(
        fc.property(runs(3000), (list) => {
          const index = newIndex(TINY, { zones, sizes: { cachePages: 5 } })
          agree(index, list, 100_000)
          wraps += index.keeper.newest
        }),
        { seed: 40 + zones, numRuns: 2 },
      )
      expect(wraps).to.be.greaterThan(20)
    })
  }

  it('of the small geometry answers as a map of what was used last', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(runs(20_000), (list) => {
        agree(newIndex(smallIndexShape(false), { zones: 1 }), list, 150_000)
      }),
      { seed: 50, numRuns: 1 },
    )
  })
})
