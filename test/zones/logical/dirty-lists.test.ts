import { expect } from 'chai'
import { NO_ENTRY } from '../../../src/base/intrusive-list.js'
import { type JournalLockTable, LockKind, ZoneJournalLocks } from '../../../src/vio/journal-locks.js'
import { ROW_WORDS } from '../../../src/vio/marks.js'
import { Room } from '../../../src/vio/opcodes.js'
import { DirtyLists } from '../../../src/zones/logical/dirty-lists.js'
import { Bench } from '../bench.js'

const AGE = 4

describe('dirty lists', () => {
  let table: JournalLockTable
  let lists: DirtyLists
  let notices: number

  beforeEach(async () => {
    table = (await Bench.make()).context(Room.Logical).journalLocks
    notices = 0
    lists = new DirtyLists(
      8,
      AGE,
      new ZoneJournalLocks(table, LockKind.Logical, () => notices++),
      new Float64Array(ROW_WORDS),
    )
    lists.start(1)
    lists.advance(1)
  })

  const isHeld = (sequence: number) => table.isHeld(sequence, LockKind.Logical)

  /** Takes every expired row through a flush. */
  const flush = () => {
    for (let row = lists.firstExpired(); row !== NO_ENTRY; row = lists.firstExpired()) lists.flushFor(row)
    lists.flushed()
  }

  it('expire a page when as many blocks follow its own as the age says', () => {
    lists.touch(3, 1)
    lists.advance(AGE)
    expect(lists.firstExpired()).to.equal(NO_ENTRY)
    lists.advance(AGE + 1)
    expect(lists.firstExpired()).to.equal(3)
  })

  it('hold the oldest block of a page until it is written', () => {
    lists.touch(3, 1)
    lists.touch(3, 2)
    expect([isHeld(1), isHeld(2)]).to.deep.equal([true, false])
    lists.expire(3)
    flush()
    lists.writeStarted(lists.firstReady())
    expect(isHeld(1)).to.equal(true)
    lists.writeDone(3)
    expect(isHeld(1)).to.equal(false)
    expect(notices).to.equal(1)
    expect(lists.isClean).to.equal(true)
  })

  it('flush again for a page that changed while it waited for a flush, or after it', () => {
    for (const row of [3, 4]) {
      lists.touch(row, 1)
      lists.expire(row)
      lists.flushFor(row)
    }
    lists.touch(3, 2)
    lists.flushed()
    lists.touch(4, 2)
    expect(lists.firstReady()).to.equal(NO_ENTRY)
    expect(lists.firstExpired()).to.equal(3)
    flush()
    expect(lists.firstReady()).to.equal(3)
  })

  it('remember what a page depends on while it is written and changed at once', () => {
    lists.touch(3, 1)
    lists.expire(3)
    flush()
    lists.writeStarted(3)
    lists.touch(3, 2)
    expect([isHeld(1), isHeld(2)]).to.deep.equal([true, true])
    lists.expire(3)
    expect(lists.firstExpired()).to.equal(NO_ENTRY)
    lists.writeDone(3)
    expect([isHeld(1), isHeld(2)]).to.deep.equal([false, true])
    expect(lists.firstExpired()).to.equal(3)
  })

  it('pass over an expired page that is being written', () => {
    lists.touch(3, 1)
    lists.expire(3)
    flush()
    lists.writeStarted(3)
    lists.touch(3, 2)
    lists.expire(3)
    lists.touch(5, 2)
    lists.expire(5)
    expect(lists.firstExpired()).to.equal(5)
  })

  it('hold the older block again when a write failed', () => {
    lists.touch(3, 1)
    lists.expire(3)
    flush()
    lists.writeStarted(3)
    lists.touch(3, 2)
    lists.writeFailed(3)
    expect([isHeld(1), isHeld(2)]).to.deep.equal([true, false])
    expect(lists.isDirty(3)).to.equal(true)
    expect(lists.isClean).to.equal(false)
  })

  it('move a page to an older era only', () => {
    lists.advance(4)
    lists.touch(3, 4)
    lists.touch(3, 2)
    expect([isHeld(2), isHeld(4)]).to.deep.equal([true, false])
    lists.touch(3, 3)
    lists.advance(6)
    expect(lists.firstExpired()).to.equal(3)
  })

  it('expire at once what depends on a past era', () => {
    lists.advance(10)
    lists.touch(3, 6)
    expect(lists.firstExpired()).to.equal(3)
  })

  it('learn of a new era from an entry that comes before the notice', () => {
    lists.touch(3, 1)
    lists.touch(4, AGE + 1)
    expect(lists.firstExpired()).to.equal(3)
  })
})
