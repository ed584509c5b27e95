import { expect } from 'chai'
import fc from 'fast-check'
import { Prng } from '../../src/base/prng.js'
import { deltaCoding, deltaLength, MAX_LIST_BITS, NAME_BITS } from '../../src/uds/delta-code.js'
import { DeltaIndex, Insertion } from '../../src/uds/delta-index.js'

interface Entry {
  readonly key: number
  payload: number
  /** Of a collision. */
  name: string | undefined
}

const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Lists as plain arrays: what a delta index has to agree with. */
class NaiveIndex {
  readonly lists: Entry[][]

  constructor(lists: number) {
    this.lists = Array.from({ length: lists }, () => [])
  }

  find(list: number, key: number, name: string): Entry | undefined {
    const same = this.lists[list].filter((entry) => entry.key === key)
    return same.find((entry) => entry.name === name) ?? same[0]
  }

  put(list: number, key: number, name: string, payload: number): void {
    const entries = this.lists[list]
    const at = entries.findIndex((entry) => entry.key >= key)
    if (at < 0) entries.push({ key, payload, name: undefined })
    else if (entries[at].key > key) entries.splice(at, 0, { key, payload, name: undefined })
    else entries.splice(at + 1, 0, { key, payload, name })
  }

  remove(list: number, entry: Entry): void {
    const entries = this.lists[list]
    const at = entries.indexOf(entry)
    const next = entries[at + 1]
    if (entry.name === undefined && next !== undefined && next.key === entry.key) next.name = undefined
    entries.splice(at, 1)
  }
}

function entriesOf(index: DeltaIndex, list: number): Entry[] {
  const entries: Entry[] = []
  index.forEach(list, (key, payload, name) => {
    entries.push({ key, payload, name: name === undefined ? undefined : nameOf(name) })
  })
  return entries
}

function expectSame(index: DeltaIndex, naive: NaiveIndex): void {
  let entries = 0
  let bits = 0
  naive.lists.forEach((list, number) => {
    expect(entriesOf(index, number), `list ${number}`).to.deep.equal(list)
    entries += list.length
    bits += index.listBits(number)
  })
  expect(index.entries).to.equal(entries)
  expect(index.usedBits).to.equal(bits)
}

const SHAPES = [
  {
    title: 'with room to spare',
    lists: 20,
    memory: 65_536,
    mean: 4080,
    payloadBits: 10,
    keys: 1 << 20,
    keyBits: 20,
    seed: 1,
  },
  {
    title: 'that is always full',
    lists: 9,
    memory: 3000,
    mean: 4080,
    payloadBits: 10,
    keys: 1 << 20,
    keyBits: 20,
    seed: 2,
  },
  {
    title: 'with many equal keys',
    lists: 3,
    memory: 20_000,
    mean: 64,
    payloadBits: 3,
    keys: 300,
    keyBits: 9,
    seed: 3,
  },
  {
    title: 'of far keys',
    lists: 4,
    memory: 6000,
    mean: 1000,
    payloadBits: 24,
    keys: 1 << 20,
    keyBits: 20,
    seed: 4,
  },
  {
    title: 'of a chapter',
    lists: 4,
    memory: 9000,
    mean: 65_536,
    payloadBits: 6,
    keys: 1 << 22,
    keyBits: 22,
    seed: 5,
  },
]

type Shape = (typeof SHAPES)[number]

/** A delta index and plain lists, to which the same is done; each step expects the same of both. */
class Twins {
  readonly index: DeltaIndex
  readonly naive: NaiveIndex
  readonly happened = { overflows: 0, collisions: 0, promotions: 0, purged: 0 }
  private readonly payloads: number

  constructor(shape: Shape) {
    const coding = deltaCoding(shape.mean, shape.payloadBits)
    this.index = new DeltaIndex(coding, shape.lists, shape.memory, shape.keyBits)
    this.naive = new NaiveIndex(shape.lists)
    this.payloads = 2 ** shape.payloadBits
  }

  /** Searches, and does one of a hundred things. The name is at byte 5. */
  step(list: number, key: number, name: Uint8Array, payload: number, action: number, chance: number): void {
    const { index, naive, happened, payloads } = this
    const known = naive.lists[list]
    const hex = nameOf(name.subarray(5, 21))
    const expected = naive.find(list, key, hex)
    expect(index.search(list, key, name, 5)).to.equal(expected !== undefined)
    if (expected !== undefined) {
      expect(index.payload).to.equal(expected.payload)
      expect(index.isCollision).to.equal(expected.name !== undefined)
    }
    if (expected !== undefined && action < 20) {
      index.setPayload(payload)
      expected.payload = payload
    } else if (expected !== undefined && action < 60) {
      if (expected.name === undefined && known[known.indexOf(expected) + 1]?.key === key)
        happened.promotions++
      index.remove()
      naive.remove(list, expected)
    } else if (action < 95) {
      const bits = index.listBits(list)
      const done = index.put(payload, name, 5)
      if (expected?.name !== undefined) expect(done).to.equal(Insertion.Duplicate)
      else if (done === Insertion.Done) {
        if (expected !== undefined) happened.collisions++
        naive.put(list, key, hex, payload)
      } else {
        expect(done).to.equal(Insertion.Overflow)
        expect(index.listBits(list)).to.equal(bits)
        happened.overflows++
      }
    } else if (action === 99) {
      const first = chance % payloads
      const count = 1 + (chance % Math.max(1, payloads >> 3))
      const kept = known.filter((entry) => ((entry.payload - first) & (payloads - 1)) >= count)
      happened.purged += known.length - kept.length
      const nearest = index.purge(list, first, count)
      for (const entry of known.filter((e) => !kept.includes(e))) naive.remove(list, entry)
      const distances = naive.lists[list].map((entry) => (entry.payload - first) & (payloads - 1))
      expect(nearest).to.equal(Math.min(payloads - 1, ...distances))
    }
  }
}

describe('the delta index', () => {
  for (const shape of SHAPES) {
    it(`agrees with plain lists, ${shape.title}`, function () {
      this.timeout(20_000)
      const prng = new Prng(shape.seed)
      const twins = new Twins(shape)
      const name = new Uint8Array(24)
      for (let step = 0; step < 60_000; step++) {
        const list = prng.below(shape.lists)
        const known = twins.naive.lists[list]
        prng.fill(name)
        let key = prng.below(shape.keys)
        if (known.length > 0 && prng.chance(0.5)) {
          const entry = prng.pick(known)
          key = entry.key
          if (entry.name !== undefined && prng.chance(0.7)) name.set(Buffer.from(entry.name, 'hex'), 5)
        }
        twins.step(list, key, name, prng.below(2 ** shape.payloadBits), prng.below(100), prng.u32())
        if (step % 5000 === 0) expectSame(twins.index, twins.naive)
      }
      expectSame(twins.index, twins.naive)
      const { happened, index } = twins
      expect(happened.collisions).to.be.greaterThan(100)
      expect(happened.promotions).to.be.greaterThan(100)
      expect(happened.purged).to.be.greaterThan(100)
      if (shape.memory < 4000) {
        expect(happened.overflows).to.be.greaterThan(100)
        expect(index.rebalances).to.be.greaterThan(100)
      }
    })
  }

  it('agrees with plain lists, whatever is done to it', function () {
    this.timeout(60_000)
    const operation = fc.tuple(
      fc.nat(0xffff),
      fc.nat(0xff_ffff),
      fc.nat(0xff_ffff),
      fc.nat(0xffff),
      fc.nat(99),
    )
    let operations = 0
    const run = fc.property(
      fc.constantFrom(...SHAPES),
      fc.array(operation, { minLength: 1000, maxLength: 1400 }),
      (shape, script) => {
        const twins = new Twins(shape)
        const name = new Uint8Array(24)
        for (const [place, chosen, payload, pick, action] of script) {
          const list = place % shape.lists
          const known = twins.naive.lists[list]
          name.fill(pick, 5, 21)
          name[20] = pick >>> 8
          let key = chosen % shape.keys
          if (known.length > 0 && (chosen & 1) === 1) {
            const entry = known[pick % known.length]
            key = entry.key
            if (entry.name !== undefined && (pick & 3) !== 0) name.set(Buffer.from(entry.name, 'hex'), 5)
          }
          twins.step(list, key, name, payload % 2 ** shape.payloadBits, action, payload)
          operations++
        }
        expectSame(twins.index, twins.naive)
      },
    )
    fc.assert(run, { seed: 304, numRuns: 100 })
    expect(operations).to.be.at.least(100_000)
  })

  it('is coded as in the reference example', () => {
    const index = new DeltaIndex(deltaCoding(4080, 10), 1, 1024)
    const name = Uint8Array.from({ length: 16 }, (_, i) => i)
    const other = new Uint8Array(16)
    index.search(0, 4101, other, 0)
    index.put(1, other, 0)
    index.search(0, 5, other, 0)
    index.put(3, other, 0)
    expect(index.search(0, 5, name, 0)).to.equal(true)
    index.put(9, name, 0)
    expect(index.listBits(0)).to.equal(196)
    const saved = new Uint8Array(27)
    index.copyList(0, 0, index.listByteCount(0), saved, 0)
    const phase = index.listPhase(0)
    let bits = 0n
    for (let i = 26; i >= 0; i--) bits = (bits << 8n) | BigInt(saved[i])
    bits = (bits >> BigInt(phase)) & ((1n << 196n) - 1n)
    const hex = Array.from({ length: 25 }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n).toString(16))
    expect(hex.map((digits) => digits.padStart(2, '0')).join('')).to.equal(
      '031440020000102030405060708090a0b0c0d0e0f010003d09',
    )
  })

  it('refuses what would make a list too long, and keeps the list', () => {
    const coding = deltaCoding(4080, 10)
    const index = new DeltaIndex(coding, 2, 65_536)
    const name = new Uint8Array(16)
    let count = 0
    for (;;) {
      name[0] = count
      name[1] = count >>> 8
      index.search(1, 77, name, 0)
      if (index.put(count & 1023, name, 0) !== Insertion.Done) break
      count++
    }
    const each = 10 + coding.minBits + NAME_BITS
    expect(count).to.equal(1 + Math.floor((MAX_LIST_BITS - 10 - deltaLength(coding, 77)) / each))
    expect(index.listBits(1)).to.be.at.most(MAX_LIST_BITS)
    expect(index.overflows).to.equal(1)
    expect(entriesOf(index, 1).length).to.equal(count)
  })

  it('restores the very bytes of its lists, and refuses a list that is not whole', () => {
    const prng = new Prng(9)
    const coding = deltaCoding(4080, 10)
    const index = new DeltaIndex(coding, 30, 65_536, 20)
    const name = new Uint8Array(16)
    for (let i = 0; i < 4000; i++) {
      prng.fill(name)
      index.search(prng.below(30), prng.below(1 << 20), name, 0)
      index.put(prng.below(1024), name, 0)
    }
    const twin = new DeltaIndex(coding, 30, 65_536, 20)
    for (let list = 0; list < 30; list++) twin.prepareList(list, index.listBits(list))
    expect(twin.spreadPrepared()).to.equal(true)
    const bytes = new Uint8Array(8192)
    for (let list = 0; list < 30; list++) {
      const count = index.listByteCount(list)
      index.copyList(list, 0, count, bytes, 0)
      twin.restoreList(list, index.listPhase(list), 0, bytes, 0, 7)
      twin.restoreList(list, index.listPhase(list), 7, bytes, 7, count - 7)
      expect(twin.admitList(list, (1 << 20) - 1, 7, 1023)).to.equal(true)
      const again = new Uint8Array(8192)
      twin.copyList(list, 0, count, again, 0)
      expect(again.subarray(0, count)).to.deep.equal(bytes.subarray(0, count))
      expect(entriesOf(twin, list)).to.deep.equal(entriesOf(index, list))
      for (const { key } of entriesOf(twin, list)) expect(twin.search(list, key, name, 0)).to.equal(true)
    }
    expect(twin.entries).to.equal(index.entries)
    expect(twin.usedBits).to.equal(index.usedBits)
    const short = new DeltaIndex(coding, 30, 65_536)
    short.prepareList(0, index.listBits(0) - 1)
    expect(short.spreadPrepared()).to.equal(true)
    short.restoreList(0, index.listPhase(0), 0, bytes, 0, 1)
    index.copyList(0, 0, index.listByteCount(0), bytes, 0)
    short.restoreList(0, index.listPhase(0), 0, bytes, 0, index.listByteCount(0))
    expect(short.admitList(0, (1 << 20) - 1, 7, 1023)).to.equal(false)
  })
})
