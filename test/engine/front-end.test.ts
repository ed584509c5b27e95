import { expect } from 'chai'
import { vioIndex } from '../../src/base/ids.js'
import { Status } from '../../src/base/status.js'
import { FrontEnd } from '../../src/engine/front-end.js'
import { Counter } from '../../src/vio/counters.js'
import { Mark } from '../../src/vio/marks.js'
import { FlushOp, FrontOp, LogicalOp, Room } from '../../src/vio/opcodes.js'
import { VioFlag } from '../../src/vio/vio-table.js'
import { Bench, SMALL_SHAPE } from '../zones/bench.js'

const BLOCK = 4096

describe('the front end', () => {
  let bench: Bench
  let front: FrontEnd
  let answers: Status[]
  const done = (status: Status) => {
    answers.push(status)
  }
  const launched = () => {
    front.poll()
    return bench.takeAll().filter((s) => s.op === LogicalOp.Launch)
  }
  const release = (vio: number, status = Status.Success) => {
    bench.arena.vios.status[vioIndex(vio)] = status
    front.receive(FrontOp.Release, vio)
  }

  beforeEach(async () => {
    bench = await Bench.make()
    front = new FrontEnd(bench.context(Room.Front))
    answers = []
  })

  it('splits a request at block edges and marks what is partial', () => {
    front.write(100, new Uint8Array(2 * BLOCK).fill(1), false, done)
    const { vios } = bench.arena
    const sent = launched()
    expect(sent.map((s) => vios.lbn[vioIndex(s.operand)])).to.deep.equal([0, 1, 2])
    const partial = VioFlag.Write | VioFlag.Partial | VioFlag.Unmerged
    expect(sent.map((s) => vios.flags[s.operand])).to.deep.equal([partial, VioFlag.Write, partial])
    expect(sent.map((s) => vios.partialLength[s.operand])).to.deep.equal([BLOCK - 100, BLOCK, 100])
    for (const { operand } of sent) release(operand)
    expect(answers).to.deep.equal([Status.Success])
  })

  it('never answers inside a call', () => {
    front.read(front.sizeBytes, new Uint8Array(1), done)
    front.write(0, new Uint8Array(0), false, done)
    expect(answers).to.deep.equal([])
    front.poll()
    expect(answers).to.deep.equal([Status.OutOfRange, Status.Success])
  })

  it('streams a request that is larger than the pool', () => {
    const blocks = SMALL_SHAPE.dataVios * 3
    front.write(0, new Uint8Array(blocks * BLOCK).fill(3), false, done)
    let seen = 0
    for (;;) {
      const sent = launched()
      if (sent.length === 0) break
      expect(sent.length).to.be.at.most(SMALL_SHAPE.dataVios)
      seen += sent.length
      for (const { operand } of sent) release(operand)
    }
    expect(seen).to.equal(blocks)
    expect(answers).to.deep.equal([Status.Success])
  })

  it('takes turns between requests', () => {
    front.write(0, new Uint8Array(SMALL_SHAPE.dataVios * 2 * BLOCK).fill(1), false, done)
    front.write(500 * BLOCK, new Uint8Array(BLOCK).fill(1), false, done)
    const lbns = launched().map((s) => bench.arena.vios.lbn[vioIndex(s.operand)])
    expect(lbns).to.include(500)
  })

  it('takes turns between clients, however many requests each has', () => {
    const [busy, calm] = [front.forClient(), front.forClient()]
    for (let i = 0; i < 1000; i++) busy.write(i * BLOCK, new Uint8Array(BLOCK).fill(1), false, done)
    for (let i = 2000; i < 2004; i++) calm.write(i * BLOCK, new Uint8Array(BLOCK).fill(1), false, done)
    const lbns = launched().map((s) => bench.arena.vios.lbn[vioIndex(s.operand)])
    expect(lbns.slice(0, 8)).to.deep.equal([0, 2000, 1, 2001, 2, 2002, 3, 2003])
  })

  it('leaves half of the pool to other clients', () => {
    const half = SMALL_SHAPE.dataVios / 2
    const [busy, calm] = [front.forClient(), front.forClient()]
    for (let i = 0; i < 1000; i++) busy.write(i * BLOCK, new Uint8Array(BLOCK).fill(1), false, done)
    const sent = launched()
    expect(sent.length).to.equal(half)
    calm.read(0, new Uint8Array((half + 1) * BLOCK), done)
    expect(launched().length).to.equal(half)
    // What is acknowledged is the client's no more, though it is still on its way.
    bench.arena.vios.acknowledged[sent[0].operand] = 1
    front.receive(FrontOp.Acknowledge, sent[0].operand)
    expect(launched()).to.deep.equal([])
    release(sent[1].operand)
    expect(launched().length).to.equal(1)
  })

  for (const order of ['acknowledge, release', 'release, acknowledge']) {
    it(`frees a vio after both messages (${order})`, () => {
      front.write(0, new Uint8Array(BLOCK).fill(1), false, done)
      const [{ operand }] = launched()
      bench.arena.vios.acknowledged[operand] = 1
      if (order.startsWith('a')) {
        front.receive(FrontOp.Acknowledge, operand)
        expect(answers).to.deep.equal([Status.Success])
        expect(front.busyVios).to.equal(1)
        release(operand)
      } else {
        release(operand)
        expect(front.busyVios).to.equal(1)
        front.receive(FrontOp.Acknowledge, operand)
      }
      expect(answers).to.deep.equal([Status.Success])
      expect(front.busyVios).to.equal(0)
    })
  }

  it('gives what was read, and only that', () => {
    const into = new Uint8Array(200).fill(9)
    front.read(BLOCK - 100, into, done)
    const { vios, bytes } = bench.arena
    for (const { operand } of launched()) {
      bytes.fill(
        vios.lbn[vioIndex(operand)] + 1,
        vios.dataAt(vioIndex(operand)),
        vios.dataAt(vioIndex(operand)) + BLOCK,
      )
      release(operand)
    }
    expect(into).to.deep.equal(new Uint8Array(200).fill(1, 0, 100).fill(2, 100))
  })

  it('answers with the first error and launches no more of the request', () => {
    front.write(0, new Uint8Array(SMALL_SHAPE.dataVios * 2 * BLOCK).fill(1), false, done)
    const sent = launched()
    release(sent[0].operand, Status.NoSpace)
    for (const { operand } of sent.slice(1)) release(operand)
    expect(launched()).to.deep.equal([])
    expect(answers).to.deep.equal([Status.NoSpace])
  })

  describe('when there is no space', () => {
    const answerEarly = (vio: number): void => {
      bench.arena.vios.acknowledged[vio] = 1
      front.receive(FrontOp.Acknowledge, vio)
    }
    const discarding = (): number => {
      front.zero(0, BLOCK, false, () => {})
      const [{ operand }] = launched()
      return operand
    }
    const writing = (): number => {
      front.write(5 * BLOCK + 10, new Uint8Array(100).fill(7), false, done)
      const [{ operand }] = launched()
      return operand
    }

    for (const isHomeFirst of [false, true]) {
      it(`tries again what came after a discard, when that ${isHomeFirst ? 'has freed' : 'frees'} its block`, () => {
        const discard = discarding()
        answerEarly(discard)
        const write = writing()
        if (isHomeFirst) release(discard)
        bench.arena.bytes.fill(0, bench.arena.vios.scratchAt(vioIndex(write)))
        release(write, Status.NoSpace)
        if (!isHomeFirst) {
          expect(launched()).to.deep.equal([])
          release(discard)
        }
        expect(launched().map(({ operand }) => operand)).to.deep.equal([write])
        expect(answers).to.deep.equal([])
        const { vios, bytes } = bench.arena
        expect(vios.lbn[vioIndex(write)]).to.equal(5)
        expect(bytes[vios.scratchAt(vioIndex(write)) + 10]).to.equal(7)
        release(write, Status.NoSpace)
        expect(answers).to.deep.equal([Status.NoSpace])
        expect(bench.context(Room.Front).counters[Counter.NoSpaceErrors]).to.equal(1)
        expect(front.busyVios).to.equal(0)
      })
    }

    it('waits for no discard that was answered after the write had begun', () => {
      const discard = discarding()
      const write = writing()
      answerEarly(discard)
      const next = discarding()
      answerEarly(next)
      release(write, Status.NoSpace)
      expect(answers).to.deep.equal([Status.NoSpace])
      // Nor for one that came later than those that it waits for.
      const later = writing()
      const last = discarding()
      answerEarly(last)
      release(later, Status.NoSpace)
      release(discard)
      expect(launched()).to.deep.equal([])
      release(next)
      expect(launched().map(({ operand }) => operand)).to.deep.equal([later])
    })

    it('waits for no write of data, which may wait for others itself', () => {
      answerEarly(writing())
      release(writing(), Status.NoSpace)
      expect(answers).to.deep.equal([Status.Success, Status.NoSpace])
    })
  })

  it('walks whole blocks of a discard with one vio and zeroes the edges', () => {
    front.zero(10, 9 * BLOCK, false, done)
    const { vios } = bench.arena
    const sent = launched().map((s) => s.operand)
    expect(sent.map((v) => vios.remainingBlocks[v])).to.deep.equal([0, 7, 0])
    expect(vios.has(vioIndex(sent[0]), VioFlag.Partial)).to.equal(true)
    expect(vios.has(vioIndex(sent[1]), VioFlag.Partial)).to.equal(false)
  })

  it('walks a long discard with many vios, in few steps', () => {
    const walks = (blocks: number): number[] => {
      front.zero(0, blocks * BLOCK, false, done)
      return launched().map((s) => bench.arena.vios.remainingBlocks[vioIndex(s.operand)] + 1)
    }
    expect(walks(20)).to.deep.equal([8, 8, 4])
    expect(walks(9 * 256).slice(0, 3)).to.deep.equal([9, 9, 9])
  })

  it('walks no longer than the shape allows', () => {
    front.zero(0, 100_000 * BLOCK, false, done)
    const [first] = launched()
    expect(bench.arena.vios.remainingBlocks[vioIndex(first.operand)] + 1).to.equal(
      SMALL_SHAPE.maxDiscardBlocks,
    )
  })

  it('rounds a trim inwards', () => {
    front.trim(10, 2 * BLOCK, false, done)
    const [only, ...rest] = launched()
    expect(rest).to.deep.equal([])
    expect(bench.arena.vios.lbn[vioIndex(only.operand)]).to.equal(1)
    front.trim(10, 100, false, done)
    expect(launched()).to.deep.equal([])
    expect(answers).to.deep.equal([Status.Success])
  })

  it('leaves a quarter of the pool to others than discards', () => {
    const targets = [front.forClient(), front.forClient()]
    for (let i = 0; i < SMALL_SHAPE.dataVios; i++) targets[i % 2].zero(i * 2 * BLOCK, BLOCK, false, done)
    expect(launched().length).to.equal(SMALL_SHAPE.discardVios)
    front.read(0, new Uint8Array(BLOCK), done)
    expect(launched().length).to.equal(1)
    // However often it is looked at, whoever waits is counted once.
    expect(launched()).to.deep.equal([])
    const waiting = SMALL_SHAPE.dataVios - SMALL_SHAPE.discardVios
    expect(bench.arena.total(Mark.DiscardAwaitsVios)).to.equal(waiting)
  })

  it('counts what comes and what is answered, whole and partial, durable or not', () => {
    front.write(0, new Uint8Array(BLOCK), true, done)
    front.write(5 * BLOCK + 8, new Uint8Array(BLOCK), true, done)
    front.zero(10 * BLOCK + 8, 8, true, done)
    front.zero(20 * BLOCK, 3 * BLOCK, false, done)
    front.read(30 * BLOCK, new Uint8Array(8), done)
    const sent = launched()
    const counts = (...counters: Counter[]) => counters.map((counter) => bench.arena.total(counter))
    const { BiosInRead, BiosInWrite, BiosInDiscard, BiosInFua } = Counter
    expect(counts(BiosInRead, BiosInWrite, BiosInDiscard, BiosInFua)).to.deep.equal([1, 3, 2, 4])
    const { BiosInPartialRead, BiosInPartialWrite, BiosInPartialDiscard, BiosInPartialFua } = Counter
    const partial = [BiosInPartialRead, BiosInPartialWrite, BiosInPartialDiscard, BiosInPartialFua]
    expect(counts(...partial)).to.deep.equal([1, 2, 1, 3])
    for (const { operand } of sent) release(operand)
    const { BiosAcknowledgedRead, BiosAcknowledgedWrite, BiosAcknowledgedDiscard } = Counter
    expect(counts(BiosAcknowledgedRead, BiosAcknowledgedWrite, BiosAcknowledgedDiscard)).to.deep.equal([
      1, 3, 2,
    ])
    expect(counts(Counter.BiosAcknowledgedFua, Counter.BiosAcknowledgedPartialFua)).to.deep.equal([4, 3])
  })

  it('joins flushes that wait', () => {
    for (let i = 0; i < SMALL_SHAPE.flushVios + 5; i++) {
      front.flush(done)
      front.poll()
    }
    const sent = bench.takeAll().filter((s) => s.op === FlushOp.Submit)
    expect(sent.length).to.equal(SMALL_SHAPE.flushVios)
    for (const { operand } of sent) front.receive(FrontOp.FlushDone, operand)
    front.poll()
    const [last] = bench.takeAll()
    front.receive(FrontOp.FlushDone, last.operand)
    expect(answers.length).to.equal(SMALL_SHAPE.flushVios + 5)
  })

  it('answers everything when the engine halts', () => {
    front.write(0, new Uint8Array(SMALL_SHAPE.dataVios * 2 * BLOCK).fill(1), false, done)
    front.read(0, new Uint8Array(1), done)
    front.flush(done)
    launched()
    front.halt()
    expect(answers).to.deep.equal([Status.EngineHalted, Status.EngineHalted, Status.EngineHalted])
    front.read(0, new Uint8Array(1), done)
    front.poll()
    expect(answers.length).to.equal(4)
  })
})
