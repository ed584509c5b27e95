import { expect } from 'chai'
import { advicePbn, encodeAdvice } from '../../src/format/advice.js'
import { MemoryIndexZone } from '../../src/uds/memory-index-zone.js'
import { Counter } from '../../src/vio/counters.js'
import { ContextState, contextsPerZone, IndexRequestKind } from '../../src/vio/dedupe-contexts.js'
import { AdminCommand, AdminOp, HashOp, IndexOp, Room } from '../../src/vio/opcodes.js'
import { VDO_SHAPE } from '../../src/vio/volume-shape.js'
import type { ZoneContext } from '../../src/vio/zone-context.js'
import { Bench, ONE_OF_EACH, SMALL_SHAPE, SMALL_VOLUME } from '../zones/bench.js'

describe('an index in memory', () => {
  let bench: Bench
  let context: ZoneContext
  let zone: MemoryIndexZone

  beforeEach(async () => {
    bench = await Bench.make(SMALL_SHAPE, SMALL_VOLUME, { ...ONE_OF_EACH, hash: 2 })
    context = bench.context(Room.Index)
    zone = new MemoryIndexZone(context)
  })

  const ask = (row: number, kind: IndexRequestKind, offered = 0, state = ContextState.Pending) => {
    const { contexts } = context
    contexts.kinds[row] = kind
    contexts.nameWords.set([1, 2, 3, 4], row * 4)
    encodeAdvice(contexts.offered, row * 16, offered, 1)
    contexts.state[row] = state
    zone.receive(IndexOp.Request, row)
    const answer = bench.expect(HashOp.Answered)
    expect(answer.operand).to.equal(row)
    return {
      zone: answer.zone,
      found: contexts.locations[row] !== 0,
      pbn: advicePbn(contexts.known, row * 16),
    }
  }

  it('remembers what was offered first, until an update', () => {
    expect(ask(0, IndexRequestKind.Query).found).to.equal(false)
    expect(ask(0, IndexRequestKind.Post, 111).found).to.equal(false)
    expect(ask(1, IndexRequestKind.Post, 222)).to.deep.equal({ zone: 0, found: true, pbn: 111 })
    expect(ask(1, IndexRequestKind.Update, 222).found).to.equal(true)
    expect(ask(0, IndexRequestKind.Query)).to.deep.equal({ zone: 0, found: true, pbn: 222 })
    expect(context.counters[Counter.IndexEntries]).to.equal(1)
    expect(context.counters[Counter.IndexQueriesFound]).to.equal(1)
    expect(context.counters[Counter.IndexQueriesNotFound]).to.equal(1)
    expect(context.counters[Counter.IndexPostsFound]).to.equal(1)
    expect(context.counters[Counter.IndexPostsNotFound]).to.equal(1)
    expect(context.counters[Counter.IndexUpdatesFound]).to.equal(1)
  })

  it('answers the hash zone that the context is of', () => {
    expect(ask(SMALL_SHAPE.dedupeContexts - 1, IndexRequestKind.Query).zone).to.equal(0)
    expect(ask(SMALL_SHAPE.dedupeContexts, IndexRequestKind.Query).zone).to.equal(1)
  })

  it('completes a context once', () => {
    ask(0, IndexRequestKind.Query)
    expect(context.contexts.state[0]).to.equal(ContextState.Complete)
  })

  it('sends a context back that was given up', () => {
    ask(0, IndexRequestKind.Post, 111, ContextState.TimedOut)
    expect(context.contexts.state[0]).to.equal(ContextState.TimedOutComplete)
    expect(ask(1, IndexRequestKind.Query).pbn).to.equal(111)
  })

  it('has room in a message for every context of every hash zone', () => {
    expect(contextsPerZone(VDO_SHAPE, ONE_OF_EACH)).to.equal(2048)
    expect(contextsPerZone(VDO_SHAPE, { ...ONE_OF_EACH, hash: 100 }) * 100).to.be.at.most(0x1_0000)
  })

  it('answers every command at once', () => {
    for (const command of [AdminCommand.Load, AdminCommand.Suspend, AdminCommand.Resume, AdminCommand.Save]) {
      zone.receive(IndexOp.Administer, command)
      bench.expect(AdminOp.PhaseDone)
    }
  })
})
