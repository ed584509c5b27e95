import { expect } from 'chai'
import fc from 'fast-check'
import { Bump } from '../../src/base/bump.js'
import { JournalLockTable, LockKind, ZoneJournalLocks } from '../../src/vio/journal-locks.js'

const BLOCKS = 8

describe('journal locks', () => {
  let table: JournalLockTable
  let notices = 0
  const zone = (kind: LockKind) => new ZoneJournalLocks(table, kind, () => notices++)

  beforeEach(() => {
    table = new JournalLockTable(new Bump(new SharedArrayBuffer(4096), 0), BLOCKS)
    notices = 0
  })

  it('find the ring position of sequences beyond 32 bits', () => {
    for (const sequence of [0, 1, 7, 8, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 2 ** 48 - 1]) {
      expect(table.position(sequence)).to.equal(sequence % BLOCKS)
    }
  })

  it('hold a block for as long as one zone of the kind does', () => {
    const [a, b] = [zone(LockKind.Logical), zone(LockKind.Logical)]
    a.acquire(9)
    a.acquire(9)
    b.acquire(9)
    expect(table.isHeld(9, LockKind.Logical)).to.equal(true)
    expect(table.isHeld(9, LockKind.Physical)).to.equal(false)
    a.release(9)
    a.release(9)
    expect(table.isHeld(9, LockKind.Logical)).to.equal(true)
    expect(notices).to.equal(0)
    b.release(9)
    expect(table.isHeld(9, LockKind.Logical)).to.equal(false)
    expect(notices).to.equal(1)
  })

  it('send one notice until the journal has seen it', () => {
    const logical = zone(LockKind.Logical)
    const physical = zone(LockKind.Physical)
    for (const sequence of [1, 2]) {
      logical.acquire(sequence)
      physical.acquire(sequence)
    }
    logical.release(1)
    physical.release(1)
    expect(notices).to.equal(1)
    expect(table.noticePending).to.equal(true)
    table.noticeSeen()
    logical.release(2)
    expect(notices).to.equal(2)
  })

  it('count the entries taken over, from nought when a block is opened', () => {
    const logical = zone(LockKind.Logical)
    logical.entryTaken(3)
    logical.entryTaken(3)
    expect(table.entriesTaken(3)).to.equal(2)
    expect(table.entriesTaken(3 + BLOCKS)).to.equal(2)
    table.open(3 + BLOCKS)
    expect(table.entriesTaken(3 + BLOCKS)).to.equal(0)
  })

  it('refuse to open a block that is held, and to release one that is not', () => {
    const physical = zone(LockKind.Physical)
    physical.acquire(4)
    expect(() => table.open(4 + BLOCKS)).to.throw('while no slab journal holds it')
    physical.release(4)
    expect(() => physical.release(4)).to.throw('a zone releases only what it holds')
    zone(LockKind.Logical).acquire(4)
    expect(() => table.open(4)).to.throw('while no map page holds it')
  })

  it('are held exactly while some zone holds them, whatever the order', () => {
    const step = fc.record({ zone: fc.nat(2), sequence: fc.nat(BLOCKS - 1), take: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (script) => {
        table = new JournalLockTable(new Bump(new SharedArrayBuffer(4096), 0), BLOCKS)
        const zones = [zone(LockKind.Physical), zone(LockKind.Physical), zone(LockKind.Physical)]
        const holds = zones.map(() => Array.from({ length: BLOCKS }, () => 0))
        for (const { zone, sequence, take } of script) {
          if (take) {
            zones[zone].acquire(sequence)
            holds[zone][sequence]++
          } else if (holds[zone][sequence] > 0) {
            zones[zone].release(sequence)
            holds[zone][sequence]--
          }
          const held = holds.some((counts) => counts[sequence] > 0)
          expect(table.isHeld(sequence, LockKind.Physical)).to.equal(held)
        }
      }),
      { seed: 2 },
    )
  })
})
