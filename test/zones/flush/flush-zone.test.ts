import { expect } from 'chai'
import type { VioIndex } from '../../../src/base/ids.js'
import { Status } from '../../../src/base/status.js'
import {
  AdminCommand,
  AdminOp,
  BioOp,
  FlushOp,
  FrontOp,
  LogicalOp,
  PackerOp,
  Room,
} from '../../../src/vio/opcodes.js'
import { FlushZone } from '../../../src/zones/flush/flush-zone.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../bench.js'

const ZONES = 2

describe('the flusher', () => {
  let bench: Bench
  let flusher: FlushZone
  let flushes: VioIndex[]

  beforeEach(async () => {
    bench = await Bench.make(SMALL_SHAPE, SMALL_VOLUME, { ...ONE_OF_EACH, logical: ZONES })
    flusher = new FlushZone(bench.context(Room.Flush))
    flusher.receive(FlushOp.Administer, AdminCommand.Load)
    bench.takeAll()
    const { first, count } = bench.arena.pools.flush
    flushes = Array.from({ length: count }, (_, i) => (first + i) as VioIndex)
  })

  /** Logical zones answer that they closed the generation, which they find on the board. */
  function closeZones(generation: number): void {
    for (let zone = 0; zone < ZONES; zone++) {
      expect(bench.expect(LogicalOp.AdvanceGeneration).zone).to.equal(zone)
      expect(bench.arena.boards.closingGeneration).to.equal(generation)
      flusher.receive(FlushOp.GenerationClosed, zone)
    }
    bench.expect(PackerOp.CloseGeneration)
  }

  function advance(zone: number, oldest: number): void {
    bench.arena.boards.setOldestGeneration(zone, oldest)
    flusher.receive(FlushOp.OldestAdvanced, zone)
  }

  function flushStore(status = Status.Success): void {
    const { operand } = bench.expect(BioOp.Flush)
    bench.arena.vios.status[operand as VioIndex] = status
    flusher.receive(FlushOp.Flushed, operand)
  }

  const home = () => {
    const done = bench.sent.filter(({ op }) => op === FrontOp.FlushDone)
    for (const _ of done) bench.expect(FrontOp.FlushDone)
    return done.map(({ operand }) => operand)
  }

  it('waits for every zone to finish what is older, then flushes the store', () => {
    flusher.receive(FlushOp.Submit, flushes[0])
    closeZones(0)
    expect(bench.takeAll()).to.deep.equal([])
    advance(0, 1)
    expect(bench.takeAll()).to.deep.equal([])
    advance(1, 1)
    flushStore()
    expect(home()).to.deep.equal([flushes[0]])
  })

  it('needs no notice when the zones are idle', () => {
    for (let zone = 0; zone < ZONES; zone++) bench.arena.boards.setOldestGeneration(zone, 1)
    flusher.receive(FlushOp.Submit, flushes[0])
    closeZones(0)
    flushStore()
    expect(home()).to.deep.equal([flushes[0]])
  })

  it('closes one generation for all that wait, after the round in progress', () => {
    flusher.receive(FlushOp.Submit, flushes[0])
    flusher.receive(FlushOp.Submit, flushes[1])
    flusher.receive(FlushOp.Submit, flushes[2])
    closeZones(0)
    closeZones(1)
    advance(0, 2)
    advance(1, 1)
    flushStore()
    expect(home()).to.deep.equal([flushes[0]])
    advance(1, 2)
    flushStore()
    expect(home()).to.deep.equal([flushes[1], flushes[2]])
  })

  it('flushes the store again for what became ready during a flush', () => {
    flusher.receive(FlushOp.Submit, flushes[0])
    flusher.receive(FlushOp.Submit, flushes[1])
    closeZones(0)
    closeZones(1)
    advance(0, 1)
    advance(1, 1)
    advance(0, 2)
    advance(1, 2)
    flushStore()
    expect(home()).to.deep.equal([flushes[0]])
    flushStore()
    expect(home()).to.deep.equal([flushes[1]])
    expect(bench.sent).to.deep.equal([])
  })

  it('tells every flush of a failed storage flush', () => {
    flusher.receive(FlushOp.Submit, flushes[0])
    closeZones(0)
    advance(0, 1)
    advance(1, 1)
    flushStore(Status.IoError)
    expect(home()).to.deep.equal([flushes[0]])
    expect(bench.arena.vios.status[flushes[0]]).to.equal(Status.IoError)
  })

  it('succeeds in read-only mode, until an acknowledged write is lost', () => {
    const { boards, vios } = bench.arena
    flusher.receive(FlushOp.EnterReadOnly, 0)
    flusher.receive(FlushOp.Submit, flushes[0])
    closeZones(0)
    advance(0, 1)
    advance(1, 1)
    flushStore()
    expect(home()).to.deep.equal([flushes[0]])
    expect(vios.status[flushes[0]]).to.equal(Status.Success)
    for (const generation of [1, 2]) {
      flusher.receive(FlushOp.Submit, flushes[generation])
      closeZones(generation)
      advance(0, generation + 1)
      boards.loseWrite()
      advance(1, generation + 1)
      flushStore()
      expect(home()).to.deep.equal([flushes[generation]])
      expect(vios.status[flushes[generation]]).to.equal(Status.ReadOnly)
    }
  })

  it('drains when the last flush is home', () => {
    flusher.receive(FlushOp.Submit, flushes[0])
    flusher.receive(FlushOp.Administer, AdminCommand.Save)
    closeZones(0)
    advance(0, 1)
    advance(1, 1)
    expect(bench.sent.some(({ op }) => op === AdminOp.PhaseDone)).to.equal(false)
    flushStore()
    bench.expect(AdminOp.PhaseDone)
  })
})
