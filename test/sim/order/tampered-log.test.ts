/**
 * Whether the rules of writing bite: the log of a sound run is tampered with, for each rule in a way that breaks it, and
 * the checker must name that rule. Where a way depends on what goes on at that place, it is tried at one place after
 * another.
 */
import { expect } from 'chai'
import { memoryLender } from '../../../src/host/lend-memory.js'
import { Kind, State } from '../../../src/sim/order/decode.js'
import { OrderChecker, OrderViolation } from '../../../src/sim/order/order-checker.js'
import type { OrderLayout } from '../../../src/sim/order/order-model.js'
import { RULES } from '../../../src/sim/order/rules.js'
import { Structure, structureOf } from '../../../src/sim/structures.js'
import { type LogEvent, type LoggedWrite, type RecordedLog, recordLog, ruleBrokenBy } from './recorded-log.js'

const SEED = 36
const REQUESTS = 80
const BLOCK = 4096
/** A number that no request of the log has. */
const ANOTHER = 2 ** 40

/** A log that is not what the engine did, made at one place of it; null where this cannot be done. */
type Tamper = (log: RecordedLog, at: number) => readonly LogEvent[] | null
type Change = (bytes: Uint8Array, view: DataView, log: RecordedLog) => void

/** A block of a structure is written as something else. */
function changed(structures: readonly Structure[], change: Change): Tamper {
  return (log, at) => {
    const event = log.events[at]
    if (!isWriteOf(log, event, structures)) return null
    return log.events.with(at, { ...event, bytes: changedBytes(event.bytes, log, change) })
  }
}

/** All blocks of a structure are written as something else. */
function allChanged(structure: Structure, change: Change): Tamper {
  return (log, at) => {
    if (at > 0) return null
    return log.events.map((event) =>
      isWriteOf(log, event, [structure])
        ? { ...event, bytes: changedBytes(event.bytes, log, change) }
        : event,
    )
  }
}

function changedBytes(bytes: Uint8Array, log: RecordedLog, change: Change): Uint8Array {
  const copy = bytes.slice()
  change(copy, new DataView(copy.buffer), log)
  return copy
}

/** A write begins before the flush that preceded it. */
function hurried(structures: readonly Structure[]): Tamper {
  return (log, at) => {
    const event = log.events[at]
    if (!isWriteOf(log, event, structures)) return null
    const flush = log.events.slice(0, at).findLastIndex(({ kind }) => kind === 'flush')
    return flush < 0 ? null : log.events.toSpliced(at, 1).toSpliced(flush, 0, event)
  }
}

/** The next write of a structure begins as soon as a flush has ended. */
function atOnce(structure: Structure): Tamper {
  return (log, at) => {
    const { events } = log
    const { kind, request } = events[at]
    if (kind !== 'end' || events.find((event) => event.request === request)?.kind !== 'flush') return null
    const next = events.findIndex((event, i) => i > at && isWriteOf(log, event, [structure]))
    return next < 0 ? null : events.toSpliced(next, 1).toSpliced(at + 1, 0, events[next])
  }
}

/** A write of one block never takes place. */
function leftOut(structure: Structure): Tamper {
  return (log, at) => {
    const event = log.events[at]
    if (!isWriteOf(log, event, [structure]) || event.bytes.length > BLOCK) return null
    return log.events.filter(({ request }) => request !== event.request)
  }
}

/** What was written is written once more at the end. */
const writtenAgain: Tamper = (log, at) => {
  const event = log.events[at]
  return isWriteOf(log, event, [Structure.Data]) ? [...log.events, { ...event, request: ANOTHER }] : null
}

const writtenTwiceAtOnce: Tamper = ({ events }, at) => {
  const event = events[at]
  return event.kind === 'write' ? events.toSpliced(at + 1, 0, { ...event, request: ANOTHER }) : null
}

function isWriteOf(
  { config }: RecordedLog,
  event: LogEvent,
  structures: readonly Structure[],
): event is LoggedWrite {
  if (event.kind !== 'write') return false
  const structure = structureOf(config, event.block, event.bytes)
  return structure !== null && structures.includes(structure)
}

const JOURNAL = [Structure.RecoveryJournal]
const PAGES = [Structure.Root, Structure.MapPage]
const SLAB_JOURNAL = [Structure.SlabJournal]
const REFERENCES = [Structure.References]
const SUMMARY = [Structure.Summary]
const SUPER = [Structure.SuperBlock]

/** Offsets of the fields that are changed; decode.ts has the tables. */
const MAP_HEAD = 0
const SLAB_JOURNAL_HEAD = 8
const JOURNAL_SEQUENCE = 16
const STATE = 40
const JOURNAL_START = 265

/** To the number of a later trip around the ring, in all sectors. */
const oneTripLater: Change = (bytes, view, { config }) => {
  const { journalBlocks } = config.volume
  const sequence = view.getUint32(JOURNAL_SEQUENCE, true) + journalBlocks
  view.setUint32(JOURNAL_SEQUENCE, sequence, true)
  const check = (Math.floor(sequence / journalBlocks) & 0x7f) | 0x80
  bytes[51] = check
  for (let at = 512; at < BLOCK; at += 512) if (bytes[at] !== 0) bytes[at] = check
}

/** A way to break each rule; the log of the one about references is held against a limit that it does not keep. */
const TAMPERS: Readonly<Record<string, Tamper>> = {
  'nothing after read-only': changed(SUPER, (_, view) => view.setUint32(STATE, State.ReadOnly, true)),
  'one write at a time': writtenTwiceAtOnce,
  'what is used is not overwritten': writtenAgain,
  'journal blocks are whole': changed(JOURNAL, (bytes) => bytes[513]++),
  'journal blocks in order': changed(JOURNAL, oneTripLater),
  'journal blocks only grow': changed(JOURNAL, (_, view) => view.setUint16(33, 0, true)),
  'data before entry': hurried(JOURNAL),
  'entries follow each other': changed(JOURNAL, (bytes) => bytes[512 + 3 + 11 + 1]++),
  'references within the limit': ({ events }, at) => (at === 0 ? events : null),
  'pages before map head': changed(JOURNAL, (_, view) => {
    view.setUint32(MAP_HEAD, view.getUint32(JOURNAL_SEQUENCE, true), true)
  }),
  'summary before slab journal head': changed(JOURNAL, (_, view) => {
    view.setUint32(SLAB_JOURNAL_HEAD, view.getUint32(JOURNAL_SEQUENCE, true), true)
  }),
  'a flush of its own before the heads move': hurried(JOURNAL),
  'heads only move on': changed(JOURNAL, (_, view) => view.setUint32(MAP_HEAD, 0, true)),
  'heads before the ring closes': allChanged(Structure.RecoveryJournal, (_, view) => {
    view.setUint32(MAP_HEAD, 1, true)
  }),
  'usage when a block opens': changed(JOURNAL, (bytes) => bytes[35]++),
  'dirty before work': changed(SUPER, (_, view) => view.setUint32(STATE, State.New, true)),
  'pages name themselves': changed(PAGES, (bytes) => bytes[16]++),
  'entry before page': changed(PAGES, (bytes) => bytes[BLOCK - 4]++),
  'flush between entry and page': atOnce(Structure.MapPage),
  'first write twice': changed(PAGES, (bytes) => {
    bytes[32] = 1
  }),
  'slab journal blocks in order': changed(SLAB_JOURNAL, (bytes) => bytes[8]++),
  'entry before slab journal': changed(SLAB_JOURNAL, (bytes) => bytes[36]++),
  'nothing after a partial block': leftOut(Structure.Summary),
  'counts before slab journal head': changed(SLAB_JOURNAL, (_, view) => {
    view.setUint32(0, view.getUint32(8, true), true)
  }),
  'slab journal blocks stay for a replay': allChanged(Structure.SlabJournal, (_, view) => {
    view.setUint32(0, 1, true)
  }),
  'entries before counts': changed(REFERENCES, (_, view) =>
    view.setUint32(2, view.getUint32(2, true) + 9, true),
  ),
  'flush between entries and counts': atOnce(Structure.References),
  'counts are those of their commit point': changed(REFERENCES, (bytes) => bytes[8]++),
  'slab journal before summary': hurried(SUMMARY),
  'the summary only counts on': changed(SUMMARY, (bytes) => {
    bytes[1] &= ~0x40
  }),
  'counts before their mark': changed(SUMMARY, (bytes) => {
    bytes[1] |= 0x40
  }),
  'counts before the clean mark': changed(SUMMARY, (bytes) => {
    bytes[1] &= ~0x80
  }),
  'everything before clean': hurried(SUPER),
  'nothing left in the journal': changed(SUPER, (bytes) => bytes[JOURNAL_START]++),
  'usage of a saved volume': changed(SUPER, (bytes) => bytes[273]++),
  'summary copies before their count': changed(SUPER, (bytes) => {
    bytes[381] = bytes[381] === 1 ? 2 : 1
  }),
  'the journal is never set back': changed(SUPER, (bytes) => bytes[JOURNAL_START]--),
}

describe('the rules of writing, held against logs that were tampered with', function () {
  this.timeout(60_000)
  let log: RecordedLog
  let layout: OrderLayout

  before(async () => {
    log = recordLog(SEED, REQUESTS, await memoryLender())
    layout = { ...log.config.volume, ...log.config.shape }
  })

  it('find nothing in what the engine did', () => {
    expect(ruleBrokenBy(log.events, layout)).to.equal(null)
  })

  for (const [name, tamper] of Object.entries(TAMPERS)) {
    it(`find out: ${name}`, () => {
      const limits = name === 'references within the limit' ? { ...layout, maximumReferences: 1 } : layout
      const isFound = log.events.some((_, at) => {
        const tampered = tamper(log, at)
        return tampered !== null && ruleBrokenBy(tampered, limits) === name
      })
      expect(isFound).to.equal(true)
    })
  }

  it('find out: partial blocks are counted before counts go on', () => {
    // In a log other rules see it first: so two changes of a slab are told, of which a partial block holds one.
    const checker = new OrderChecker(layout)
    const [slab] = checker.slabs
    const none = { pbn: 0, state: 0 }
    for (const index of [0, 1]) {
      const to = { pbn: slab.start + index, state: 1 }
      const place = { number: index + 1, sequence: 1, index, page: 0, slot: index }
      slab.addIncrement({ ...place, isTree: false, to, from: none, durableAt: 0 })
    }
    const point = { pointSequence: 1, pointIndex: 0, head: 1, nonce: checker.nonce, type: 2, isMixed: false }
    slab.write({ ...point, sequence: 1, entries: [{ sbn: 0, kind: Kind.Increment }] })
    checker.flushBegun(1)
    checker.ended(1, true)
    const counts = new Uint8Array(BLOCK)
    for (let sector = 0; sector < BLOCK; sector += 512) counts[sector + 2] = 2
    counts.fill(1, 8, 10)
    expect(() => checker.writeBegun(2, slab.start + layout.slabDataBlocks, counts)).to.throw(
      OrderViolation,
      /partial blocks are counted before counts go on/,
    )
  })

  it('are all tried', () => {
    const untried = Object.values(RULES)
      .flat()
      .filter(({ name }) => !(name in TAMPERS))
    expect(untried.map(({ name }) => name)).to.deep.equal(['partial blocks are counted before counts go on'])
  })

  it('want a flush since a client asked for one, and the state on the disk that a command leaves', () => {
    const checker = new OrderChecker(layout)
    checker.flushBegun(1)
    const asked = checker.disk.now
    checker.ended(1, true)
    expect(() => checker.flushAnswered(asked)).to.throw(OrderViolation, /a flush before its answer/)
    checker.flushBegun(2)
    checker.ended(2, true)
    checker.flushAnswered(asked)
    expect(() => checker.commandAnswered(State.Clean)).to.throw(
      OrderViolation,
      /super block before the answer/,
    )
  })
})
