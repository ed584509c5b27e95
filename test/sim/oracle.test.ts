import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Oracle, Outcome } from '../../src/sim/oracle.js'
import { Workload, WorkloadFailure } from '../../src/sim/workload.js'
import { type Lie, LyingTarget } from './lying-target.js'

const BLOCK = 4096

function bytesOf(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value)
}

describe('oracle', () => {
  let oracle: Oracle
  beforeEach(() => {
    oracle = new Oracle()
  })

  /** A write that is over. */
  function write(offset: number, length: number, value: number): void {
    const handle = oracle.beginWrite(offset, bytesOf(length, value))
    expect(oracle.endWrite(handle, Outcome.Succeeded)).to.equal(null)
  }

  /** Whether a read that begins and ends now may return `bytes`. */
  function mayRead(offset: number, bytes: Uint8Array): boolean {
    return oracle.endRead(oracle.beginRead(offset, bytes.length), bytes) === null
  }

  it('wants zeros where nothing was written', () => {
    expect(mayRead(3 * BLOCK + 7, bytesOf(9000, 0))).to.equal(true)
    expect(mayRead(3 * BLOCK + 7, bytesOf(9000, 1))).to.equal(false)
  })

  it('wants the last of writes that followed each other', () => {
    write(0, BLOCK, 1)
    write(0, BLOCK, 2)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(true)
    expect(mayRead(0, bytesOf(BLOCK, 1))).to.equal(false)
    expect(mayRead(0, bytesOf(BLOCK, 0))).to.equal(false)
  })

  it('takes either of two writes that met, but no mixture of them', () => {
    const a = oracle.beginWrite(0, bytesOf(BLOCK, 1))
    const b = oracle.beginWrite(0, bytesOf(BLOCK, 2))
    oracle.endWrite(b, Outcome.Succeeded)
    oracle.endWrite(a, Outcome.Succeeded)
    expect(mayRead(0, bytesOf(BLOCK, 1))).to.equal(true)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(true)
    const mixture = bytesOf(BLOCK, 1).fill(2, 2048)
    expect(mayRead(0, mixture)).to.equal(false)
  })

  it('takes a write under way as done or not, and an old value only for a read that began before', () => {
    write(0, BLOCK, 1)
    const early = oracle.beginRead(0, BLOCK)
    const handle = oracle.beginWrite(0, bytesOf(BLOCK, 2))
    expect(mayRead(0, bytesOf(BLOCK, 1))).to.equal(true)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(true)
    oracle.endWrite(handle, Outcome.Succeeded)
    expect(mayRead(0, bytesOf(BLOCK, 1))).to.equal(false)
    expect(oracle.endRead(early, bytesOf(BLOCK, 1))).to.equal(null)
  })

  it('wants what is durable after a failure, or anything since', () => {
    write(0, BLOCK, 1)
    write(0, BLOCK, 2)
    oracle.endFlush(oracle.beginFlush())
    write(0, BLOCK, 3)
    const mayStillRead = (value: number) =>
      oracle.endRead(oracle.beginRead(0, BLOCK), bytesOf(BLOCK, value), true) === null
    expect([1, 2, 3].map(mayStillRead)).to.deep.equal([false, true, true])
  })

  it('judges by bytes what was written by bytes', () => {
    write(0, BLOCK, 1)
    write(10, 5, 2)
    const wanted = bytesOf(BLOCK, 1).fill(2, 10, 15)
    expect(mayRead(0, wanted)).to.equal(true)
    expect(mayRead(3, wanted.subarray(3, 20))).to.equal(true)
    wanted[14] = 1
    expect(mayRead(0, wanted)).to.equal(false)
  })

  it('does not know whether a write that failed took place', () => {
    write(0, BLOCK, 1)
    const handle = oracle.beginWrite(0, bytesOf(BLOCK, 2))
    oracle.endWrite(handle, Outcome.Unknown)
    expect(mayRead(0, bytesOf(BLOCK, 1))).to.equal(true)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(true)
    write(0, BLOCK, 3)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(false)
  })

  it('finds a write that was refused after it was read', () => {
    const handle = oracle.beginWrite(0, bytesOf(BLOCK, 2))
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(true)
    expect(oracle.endWrite(handle, Outcome.Refused)).to.contain('was refused')
    const other = oracle.beginWrite(0, bytesOf(BLOCK, 2))
    expect(oracle.endWrite(other, Outcome.Refused)).to.equal(null)
    expect(mayRead(0, bytesOf(BLOCK, 2))).to.equal(false)
  })

  it('forgets what is superseded, and nothing else', () => {
    for (let i = 1; i < 100; i++) write((i % 7) * 100, 3000, i)
    const wanted = bytesOf(BLOCK, 0)
    for (let i = 1; i < 100; i++) wanted.fill(i, (i % 7) * 100, (i % 7) * 100 + 3000)
    expect(mayRead(0, wanted)).to.equal(true)
    for (const at of [0, 99, 100, 650, 3599, 3600]) {
      const wrong = wanted.slice()
      wrong[at]!++
      expect(mayRead(0, wrong), `byte ${at}`).to.equal(false)
    }
  })
})

describe('workload over a target', () => {
  function run(seed: number, lie: Lie): void {
    const prng = new Prng(seed)
    const target = new LyingTarget(prng.fork(), lie, 812 * 3)
    const workload = new Workload(target, prng.fork(), new Oracle(), 8)
    for (let i = 0; i < 3000; i++) {
      workload.issue()
      while (workload.inFlight > prng.below(8)) target.step()
    }
    while (target.step());
    expect(workload.inFlight).to.equal(0)
  }

  it('is content with one that is honest', () => {
    for (let seed = 0; seed < 5; seed++) run(seed, 'none')
  })

  const LIES: Lie[] = [
    'lost write',
    'misplaced write',
    'careless merge',
    'torn read',
    'refused write',
    'short discard',
    'overtaking flush',
    'failing read',
  ]
  for (const lie of LIES) {
    it(`catches this: ${lie}`, () => {
      for (let seed = 0; seed < 3; seed++) expect(() => run(seed, lie)).to.throw(WorkloadFailure)
    })
  }
})
