import { expect } from 'chai'
import fc from 'fast-check'
import { Prng } from '../../src/base/prng.js'
import type { IndexShape } from '../../src/format/index-region.js'
import { isSample, zoneOfName } from '../../src/format/record-name.js'
import { smallIndexShape } from '../../src/uds/geometry.js'
import { IndexError } from '../../src/uds/index-error.js'
import { IndexLocation, IndexRequest } from '../../src/uds/index-requests.js'
import { openChapterCapacity } from '../../src/uds/open-chapter.js'
import { IndexCount } from '../../src/uds/zone-index.js'
import type { LocalIndex, LocalOptions } from './local-index.js'
import { NaiveIndex, type NaiveKind } from './naive-index.js'
import { chanceName as nameOf, newIndex as newIndexAt, placeOf } from './small-index.js'

/** Chapters of 2,048 records: they end soon. */
const TINY: IndexShape = { recordPagesPerChapter: 2, baseChapters: 4, sparse: false, reduced: false }
/** Forty chapters of 1,024, of which all but two are sparse. */
const TINY_SPARSE: IndexShape = { ...TINY, recordPagesPerChapter: 1, sparse: true }

const KINDS: Record<NaiveKind, IndexRequest> = {
  post: IndexRequest.Post,
  update: IndexRequest.Update,
  delete: IndexRequest.Delete,
  query: IndexRequest.Query,
  look: IndexRequest.QueryNoUpdate,
}

const newIndex = (shape: IndexShape, options: LocalOptions): LocalIndex =>
  newIndexAt(placeOf(shape), options.zones, options)

function writeData(data: Uint8Array, value: number): void {
  data[0] = value
  data[1] = value >>> 8
  data[2] = value >>> 16
  data[15] = value
}

function readData(bytes: Uint8Array, at: number): number {
  if (bytes[at + 15] !== bytes[at]) expect.fail('data are whole')
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
    zoneOfName(geometry.subIndexes, zones, bytesOf(i), 0),
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
        { seed: 40 + zones, numRuns: 2, endOnFailure: true },
      )
      expect(wraps).to.be.greaterThan(20)
    })
  }

  it('keeps what it can of names that chapters cannot tell apart', () => {
    const index = newIndex(TINY, { zones: 1 })
    const names = Array.from({ length: 3 * 2048 }, (_, i) => {
      const name = nameOf(i)
      // All of them have one list and one key in their chapter.
      name.fill(0x2a, 9, 14)
      return name
    })
    for (const name of names) index.ask(IndexRequest.Post, name, name)
    index.settle()
    expect(index.keeper.newest).to.equal(3)
    // 1 bit of page, 16 of code and 128 of name each, but for the first.
    const perChapter = 1 + Math.floor(65_535 / 145) - 1
    expect(index.keeper.writer.index.overflows).to.be.within(3 * (2047 - perChapter), 3 * (2049 - perChapter))
    let found = 0
    for (const name of names.slice(0, 2048)) {
      if (index.ask(IndexRequest.QueryNoUpdate, name) === IndexLocation.None) continue
      expect(index.requests.known.subarray(0, 16)).to.deep.equal(name)
      found++
    }
    // The entry without a name leads to its record page, for whoever is on it.
    expect(found).to.equal(1024)
  })

  it('takes a name again that it knows and that its chapter has lost', () => {
    const index = newIndex(TINY, { zones: 1 })
    // A list of the volume index holds a few more of one key than one of a chapter does. The first has no name in
    // either, and leads to its own record page.
    const alike = Array.from({ length: 462 }, (_, i) => {
      const name = nameOf(i)
      name.fill(0x2a, 0, 8)
      name.fill(0x2a, 9, 14)
      return name
    })
    const post = (names: readonly Uint8Array[]): void => {
      for (const name of names) index.ask(IndexRequest.Post, name, name)
      index.settle()
    }
    const others = Array.from({ length: 6000 }, (_, i) => nameOf(1000 + i))
    post([alike[0]!, ...others.slice(0, 1023), ...alike.slice(1), ...others.slice(1023)])
    const isLost = (name: Uint8Array): boolean =>
      index.ask(IndexRequest.Query, name) === IndexLocation.None && index.zones[0]!.volumeIndex.isCollision
    const lost = alike.findIndex(isLost)
    expect(lost).to.be.greaterThan(400)
    const entries = index.zones[0]!.volumeIndex.entries
    const data = new Uint8Array(16).fill(7)
    expect(index.ask(IndexRequest.Post, alike[lost]!, data)).to.equal(IndexLocation.None)
    expect(index.ask(IndexRequest.Query, alike[lost]!)).to.equal(IndexLocation.Open)
    expect(index.requests.known.subarray(0, 16)).to.deep.equal(data)
    expect(index.zones[0]!.volumeIndex.entries).to.equal(entries)
  })

  it('of the small geometry answers as a map of what was used last', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(runs(20_000), (list) => {
        agree(newIndex(smallIndexShape(false), { zones: 1 }), list, 150_000)
      }),
      { seed: 50, numRuns: 1, endOnFailure: true },
    )
  })
})

/** What is known of a name while many requests are under way: what it was last given, and when it was last used. */
interface Trace {
  /** All data that it ever had, the last one last. Empty if it was forgotten. */
  data: number[]
  /** The chapter in which it was last used: no earlier and no later than these. */
  first: number
  last: number
}

interface Flight {
  readonly kind: NaiveKind
  readonly name: number
  readonly value: number
  readonly startedIn: number
}

interface Outcome {
  readonly found: number
  readonly sure: number
  readonly lost: number
}

/**
 * Keeps all rows busy with requests for names none of which is asked for twice at once, and lets things happen in an
 * order of chance. Every answer has to be one that some order of events gives.
 */
function flood(index: LocalIndex, prng: Prng, requests: number, nameCount: number): Outcome {
  const { geometry } = index.layout
  const names = Array.from({ length: nameCount }, (_, i) => nameOf(i))
  const traces: Trace[] = names.map(() => ({ data: [], first: 0, last: 0 }))
  const zoneOf = names.map(
    (name) => index.zones[zoneOfName(geometry.subIndexes, index.zones.length, name, 0)]!,
  )
  const samples = names.map((name) => !geometry.sparse || isSample(name, 0))
  const flights = new Map<number, Flight>()
  const busy = new Set<number>()
  const free = Array.from({ length: index.requests.rows }, (_, row) => row)
  const data = new Uint8Array(16)
  let walk = 0
  let found = 0
  let sure = 0
  let lost = 0
  index.onAnswer = (row) => {
    const { kind, name, value, startedIn } = flights.get(row)!
    flights.delete(row)
    busy.delete(name)
    free.push(row)
    const trace = traces[name]!
    const { newest, oldest } = zoneOf[name]!
    const location: IndexLocation = index.requests.locations[row]!
    if (location === IndexLocation.Failed) expect.fail('the index failed')
    const isFound = location !== IndexLocation.None
    // A name that is no sample is sure to be found only while its chapter is dense.
    const window = samples[name]! ? geometry.chapters : geometry.denseChapters
    const isSure = trace.data.length > 0 && trace.first > newest - window
    if (isSure && !isFound) lost++
    if (isSure) sure++
    if (isFound) {
      found++
      if (trace.data.length === 0) expect.fail(`name ${name} was not there`)
      if (trace.last <= startedIn - geometry.chapters) expect.fail(`name ${name} has ended`)
      if (kind !== 'delete') {
        const answer = readData(index.requests.known, row * 16)
        const isRight = isSure ? answer === trace.data.at(-1) : trace.data.includes(answer)
        if (!isRight) expect.fail(`name ${name} has ${trace.data.join(', ')}, found ${answer}`)
        // What was found in a chapter that the volume index had forgotten may be older, and is what is kept.
        if (kind !== 'update' && kind !== 'look') trace.data.push(answer)
      }
    }
    const isKept = kind === 'post' || kind === 'update' || (kind === 'query' && isFound)
    if (kind === 'update' || (kind === 'post' && !isFound)) trace.data.push(value)
    if (kind === 'delete' && (isFound || isSure || !geometry.sparse)) trace.data = []
    if (isKept) {
      trace.first = startedIn
      trace.last = newest + 1
    }
    if (oldest !== Math.max(0, newest - geometry.chapters + 1))
      expect.fail('chapters end too late or too early')
  }
  for (let asked = 0; asked < requests; ) {
    if (free.length > 0 && prng.chance(0.6)) {
      // Mostly on along the names, so that chapters have neighbours together; sometimes anywhere.
      if (prng.chance(0.01)) walk = prng.below(nameCount)
      walk = (walk + 1) % nameCount
      const name = prng.chance(0.1) ? prng.below(nameCount) : walk
      if (!busy.has(name)) {
        const row = free.pop()!
        const kind = prng.pick<NaiveKind>([
          'post',
          'post',
          'post',
          'query',
          'update',
          'look',
          geometry.sparse ? 'look' : 'delete',
        ])
        const value = ++asked & 0xff_ffff
        writeData(data, value)
        busy.add(name)
        flights.set(row, { kind, name, value, startedIn: zoneOf[name]!.newest })
        index.submit(row, KINDS[kind], names[name]!, data)
        continue
      }
    }
    index.step()
  }
  index.settle()
  expect(flights.size).to.equal(0)
  expect(index.zones.every(({ isIdle }) => isIdle)).to.equal(true)
  expect(index.keeper.isIdle).to.equal(true)
  return { found, sure, lost }
}

describe('an index under load', () => {
  const cases = [
    { title: 'dense, 1 zone', shape: TINY, zones: 1, seed: 1 },
    { title: 'dense, 2 zones', shape: TINY, zones: 2, seed: 2 },
    { title: 'dense, 3 zones', shape: TINY, zones: 3, seed: 3 },
    { title: 'dense, 16 zones', shape: TINY, zones: 16, seed: 4 },
    { title: 'sparse, 1 zone', shape: TINY_SPARSE, zones: 1, seed: 5 },
    { title: 'sparse, 2 zones', shape: TINY_SPARSE, zones: 2, seed: 6 },
    { title: 'sparse, 5 zones', shape: TINY_SPARSE, zones: 5, seed: 7 },
  ]
  for (const { title, shape, zones, seed } of cases) {
    it(`gives answers that some order of events gives: ${title}`, function () {
      this.timeout(60_000)
      const prng = new Prng(seed)
      const index = newIndex(shape, { zones, rows: 40, readLimit: 3, sizes: { cachePages: 4 }, prng })
      const nameCount = shape.sparse ? 30_000 : 12_000
      const { found, sure, lost } = flood(index, prng, shape.sparse ? 90_000 : 50_000, nameCount)
      expect(lost).to.equal(0)
      expect(sure).to.be.greaterThan(5_000)
      expect(found).to.be.at.least(sure)
      expect(index.keeper.newest).to.be.greaterThan(shape.sparse ? 45 : 10)
      expect(index.count(IndexCount.RecordPageReads)).to.be.greaterThan(100)
      if (!shape.sparse) expect(index.count(IndexCount.IndexPageReads)).to.be.greaterThan(100)
      if (!shape.sparse) return
      expect(index.count(IndexCount.PostsFoundSparse)).to.be.greaterThan(100)
      expect(index.keeper.sparseLoads).to.be.greaterThan(50)
    })
  }
})

describe('a sample in a sparse chapter', () => {
  /** An index with many sparse chapters, none of them in memory, and samples of the first. */
  function filled(zones: number): { index: LocalIndex; samples: number[] } {
    const index = newIndex(TINY_SPARSE, { zones, rows: 8 })
    for (let i = 0; i < 12_000; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
    index.settle()
    expect(index.keeper.newest).to.be.greaterThan(9)
    expect(index.keeper.sparseLoads).to.equal(0)
    const samples = Array.from({ length: 800 }, (_, i) => i).filter((i) => isSample(nameOf(i), 0))
    return { index, samples }
  }

  for (const zones of [1, 3]) {
    it(`brings its chapter, in which others are found then (${zones} zones)`, () => {
      const { index, samples } = filled(zones)
      const lone = (i: number): IndexLocation => index.ask(IndexRequest.QueryNoUpdate, nameOf(i))
      const others = Array.from({ length: 100 }, (_, i) => i).filter((i) => !samples.includes(i))
      expect(others.map(lone)).to.deep.equal(others.map(() => IndexLocation.None))
      expect(lone(samples[0]!)).to.equal(IndexLocation.Sparse)
      expect(others.map(lone)).to.deep.equal(others.map(() => IndexLocation.Sparse))
      expect(index.keeper.sparseLoads).to.equal(1)
    })
  }

  it('brings it until it ends', () => {
    const { index, samples } = filled(1)
    const look = (i: number): IndexLocation => index.ask(IndexRequest.QueryNoUpdate, nameOf(i))
    let next = 12_000
    const postUntil = (newest: number): void => {
      for (; index.keeper.newest < newest; next++) {
        index.ask(IndexRequest.Post, nameOf(next), nameOf(next))
        index.settle()
      }
    }
    postUntil(39)
    expect([look(samples[0]!), look(1), look(2)]).to.deep.equal(Array(3).fill(IndexLocation.Sparse))
    postUntil(40)
    expect([look(samples[0]!), look(1), look(2)]).to.deep.equal(Array(3).fill(IndexLocation.None))

    // Its place goes to the next chapter that is brought.
    const later = Array.from({ length: 200 }, (_, i) => 5200 + i).find((i) => isSample(nameOf(i), 0))!
    expect(look(later)).to.equal(IndexLocation.Sparse)
    const { order, live, chapters } = index.memory.sparseList
    expect([...order.subarray(0, live)].map((entry) => chapters[entry])).to.deep.equal([5])
  })

  it('brings it once, however many ask at once', () => {
    const { index, samples } = filled(4)
    samples.slice(0, 8).forEach((i, row) => index.submit(row, IndexRequest.QueryNoUpdate, nameOf(i)))
    index.settle()
    expect(samples.slice(0, 8).map((_, row) => index.requests.locations[row])).to.deep.equal(
      Array(8).fill(IndexLocation.Sparse),
    )
    expect(index.keeper.sparseLoads).to.equal(1)
  })

  it('is held until then, and so is what is asked after it', () => {
    const { index, samples } = filled(1)
    const name = nameOf(samples[0]!)
    index.submit(0, IndexRequest.Update, name, new Uint8Array(16).fill(9))
    index.submit(1, IndexRequest.Query, name)
    index.settle()
    expect([...index.requests.locations.subarray(0, 2)]).to.deep.equal([
      IndexLocation.Sparse,
      IndexLocation.Open,
    ])
    expect(index.requests.known.subarray(0, 16)).to.deep.equal(name)
    expect(index.requests.known.subarray(16, 32)).to.deep.equal(new Uint8Array(16).fill(9))
  })
})

describe('an index that fails', () => {
  /** Fills three chapters, so that a look at an early name needs pages. */
  function filled(options: Partial<LocalOptions> = {}): LocalIndex {
    const index = newIndex(TINY, { zones: 2, rows: 40, ...options })
    for (let i = 0; i < 5000; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
    index.settle()
    expect(index.keeper.newest).to.equal(2)
    return index
  }

  /** Asks for many names at once; every request has to be answered. */
  function locations(index: LocalIndex): Set<IndexLocation> {
    const found = new Set<IndexLocation>()
    const { answered } = index
    index.onAnswer = (row) => found.add(index.requests.locations[row]!)
    for (let row = 0; row < 40; row++) index.submit(row, IndexRequest.Query, nameOf(row))
    index.settle()
    expect(index.answered).to.equal(answered + 40)
    return found
  }

  function expectFailed(index: LocalIndex): void {
    expect(index.keeper.hasFailed).to.equal(true)
    expect(index.zones.map(({ hasFailed }) => hasFailed)).to.deep.equal([true, true])
    expect([...locations(index)]).to.deep.equal([IndexLocation.Failed])
    expect(index.zones.every(({ isIdle }) => isIdle)).to.equal(true)
  }

  it('because a page cannot be read answers every request, and nothing more', () => {
    const index = filled({ readsWell: () => false })
    expect(locations(index)).to.include(IndexLocation.Failed)
    expectFailed(index)
  })

  it('because a page is of another chapter does so too', () => {
    const index = filled()
    const { storage, layout } = index
    const block = layout.volumeStart + 8 * layout.geometry.volumePage(0, 0)
    for (let i = 0; i < 8; i++) storage.blocks.set(block + i, storage.blocks.get(block + 8 * 3 + i)!)
    expect(locations(index)).to.include(IndexLocation.Failed)
    expectFailed(index)
  })

  it('because a chapter cannot be written does so too', () => {
    const index = filled()
    index.layout.discardOpenChapter = function* () {
      yield* []
      throw new IndexError('VDO_INDEX_CORRUPT', 'the disk is gone')
    }
    for (let i = 5000; i < 8000 && !index.keeper.hasFailed; i++) {
      index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
      index.settle()
    }
    expectFailed(index)
  })

  for (const from of ['nowhere', 'another chapter']) {
    it(`because the index of a sparse chapter is from ${from} does so too`, () => {
      const index = newIndex(TINY_SPARSE, { zones: 2, rows: 40 })
      for (let i = 0; i < 12_000; i++) index.ask(IndexRequest.Post, nameOf(i), nameOf(i))
      index.settle()
      const { storage, layout } = index
      const blockOf = (slot: number): number => layout.volumeStart + 8 * layout.geometry.volumePage(slot, 0)
      const page = new Uint8Array(32_768)
      if (from === 'another chapter') storage.read(blockOf(1), 8, page, 0)
      storage.write(blockOf(0), 8, page, 0)
      index.onAnswer = () => {}
      for (let i = 0; i < 800; i++) {
        if (isSample(nameOf(i), 0)) index.ask(IndexRequest.Query, nameOf(i))
      }
      index.settle()
      expectFailed(index)
    })
  }

  it('takes no harm from a record page that is damaged', () => {
    const index = filled()
    const { storage, layout } = index
    for (let page = 1; page <= 2; page++) {
      const block = layout.volumeStart + 8 * layout.geometry.volumePage(0, page)
      for (let i = 0; i < 8; i++) storage.blocks.set(block + i, new Uint8Array(4096).fill(0x5a))
    }
    expect([...locations(index)]).to.deep.equal([IndexLocation.None])
    expect(index.count(IndexCount.FalseChapterHits)).to.be.greaterThan(30)
    expect(index.keeper.hasFailed).to.equal(false)
  })
})
