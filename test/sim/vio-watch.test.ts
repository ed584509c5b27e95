import { expect } from 'chai'
import { NO_VIO, vioIndex } from '../../src/base/ids.js'
import { VioWatch } from '../../src/sim/vio-watch.js'
import {
  FrontOp,
  HashOp,
  hop,
  LogicalOp,
  type Op,
  PackerOp,
  PhysicalOp,
  word,
} from '../../src/vio/opcodes.js'
import type { VioTable } from '../../src/vio/vio-table.js'
import { Bench } from '../zones/bench.js'

const [FRONT, LOGICAL, PHYSICAL, PACKER] = [0, 1, 2, 3]

describe('the watch on vios', () => {
  let watch: VioWatch
  let vios: VioTable
  let bytes: Uint8Array

  beforeEach(async () => {
    const { arena, shape } = await Bench.make()
    ;({ vios, bytes } = arena)
    watch = new VioWatch(vios, bytes, shape.dataVios)
  })

  const sends = (thread: number, op: Op, vio = 5) => watch.sent(thread, word(hop(op, 0), vio))
  const gets = (thread: number, op: Op, vio = 5) => watch.arrived(thread, word(hop(op, 0), vio))

  it('lets a vio go from thread to thread, with what travels beside it', () => {
    sends(FRONT, LogicalOp.Launch)
    gets(LOGICAL, LogicalOp.Launch)
    sends(LOGICAL, PhysicalOp.Allocate)
    gets(PHYSICAL, PhysicalOp.Allocate)
    sends(PHYSICAL, FrontOp.Acknowledge)
    sends(PHYSICAL, LogicalOp.Release)
    gets(FRONT, FrontOp.Acknowledge)
    gets(LOGICAL, LogicalOp.Release)
  })

  it('knows one that is sent twice', () => {
    sends(FRONT, LogicalOp.Launch)
    expect(() => sends(FRONT, LogicalOp.Launch)).to.throw('in one message at a time')
  })

  it('knows one that is sent by whoever has it not', () => {
    sends(FRONT, LogicalOp.Launch)
    gets(LOGICAL, LogicalOp.Launch)
    expect(() => sends(PHYSICAL, HashOp.Enter)).to.throw('by the thread that has it')
    expect(() => gets(PHYSICAL, HashOp.Enter)).to.throw('arrives that was sent')
  })

  it('knows one that goes while it waits, and lets it evict whom it waits for', () => {
    sends(FRONT, LogicalOp.Launch)
    gets(LOGICAL, LogicalOp.Launch)
    vios.waiterNext[5] = -1
    sends(LOGICAL, PackerOp.Evict)
    expect(() => sends(LOGICAL, PhysicalOp.Allocate)).to.throw('waits on no queue')
  })

  it('knows data that change under those who read them', () => {
    for (const isChanged of [false, true]) {
      sends(PACKER, HashOp.Enter)
      gets(PHYSICAL, HashOp.Enter)
      sends(PHYSICAL, LogicalOp.Release)
      bytes[vios.dataAt(vioIndex(5)) + 1000] += isChanged ? 1 : 0
      if (isChanged) expect(() => gets(PACKER, LogicalOp.Release)).to.throw('stand still')
      else gets(PACKER, LogicalOp.Release)
    }
  })

  it('knows entries that overtake each other', () => {
    const goesOn = (vio: number, sequence: number, entry: number) => {
      vios.journalSequence[vio] = sequence
      vios.journalEntry[vio] = entry
      sends(PACKER, PhysicalOp.Increment, vio)
    }
    goesOn(5, 7, 216)
    goesOn(6, 8, 0)
    goesOn(7, 8, 2)
    expect(() => goesOn(9, 8, 1)).to.throw('in the order of the journal')
  })

  it('knows that the members of a packed block travel with their agent', () => {
    for (const vio of [5, 6]) {
      sends(LOGICAL, PackerOp.Pack, vio)
      gets(PACKER, PackerOp.Pack, vio)
    }
    vios.packedNext[vioIndex(5)] = vioIndex(6)
    vios.packedNext[vioIndex(6)] = NO_VIO
    sends(PACKER, PhysicalOp.SharePacked)
    expect(() => sends(PHYSICAL, LogicalOp.ReadMapping, 6)).to.throw('by the thread that has it')
    gets(PHYSICAL, PhysicalOp.SharePacked)
    sends(PHYSICAL, LogicalOp.ReadMapping, 6)
    sends(PHYSICAL, LogicalOp.ReadMapping)
  })
})
