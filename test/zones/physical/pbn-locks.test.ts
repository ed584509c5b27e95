import { expect } from 'chai'
import { Bump } from '../../../src/base/bump.js'
import { pbn } from '../../../src/base/ids.js'
import { PbnLockTable } from '../../../src/vio/pbn-locks.js'
import { NO_LOCK, PbnLockKind, PbnLocks } from '../../../src/zones/physical/pbn-locks.js'

const FIRST_ROW = 3
const LOCKS = 4
const BLOCK = pbn(77)

describe('locks on physical blocks', () => {
  let shared: PbnLockTable
  let locks: PbnLocks

  beforeEach(() => {
    shared = new PbnLockTable(new Bump(new SharedArrayBuffer(4096), 0), FIRST_ROW + LOCKS)
    locks = new PbnLocks(shared, FIRST_ROW, LOCKS)
  })

  it('begin as one writer’s, with nothing to share, and turn into a reader’s', () => {
    const lock = locks.openWrite(BLOCK, PbnLockKind.Write)
    expect(locks.find(BLOCK)).to.equal(lock)
    expect(locks.claim(lock)).to.equal(false)
    expect(() => locks.share(lock)).to.throw('only a read lock is shared')
    locks.downgrade(lock, 2)
    expect(locks.kind(lock)).to.equal(PbnLockKind.Read)
    expect([0, 1, 2].map(() => shared.claim(locks.row(lock)))).to.deep.equal([true, true, false])
    expect(() => locks.downgrade(lock, 2)).to.throw('only the write lock')
  })

  it('of a tree page never turn into a reader’s', () => {
    const lock = locks.openWrite(BLOCK, PbnLockKind.MapWrite)
    expect(() => locks.downgrade(lock, 2)).to.throw('only the write lock of a data block')
  })

  it('end with the last holder', () => {
    const lock = locks.openRead(BLOCK, 9, false)
    locks.share(lock)
    expect(locks.release(BLOCK)).to.equal(false)
    expect(locks.find(BLOCK)).to.equal(lock)
    expect(locks.release(BLOCK)).to.equal(false)
    expect(locks.find(BLOCK)).to.equal(NO_LOCK)
    expect(() => locks.release(BLOCK)).to.throw('only a lock that is held')
  })

  it('leave a provisional reference to be taken back, unless a real one took its place', () => {
    locks.openWrite(BLOCK, PbnLockKind.Write)
    expect(locks.release(BLOCK)).to.equal(true)
    const lock = locks.openRead(BLOCK, 9, true)
    locks.clearProvisional(BLOCK)
    expect(() => locks.clearProvisional(BLOCK)).to.throw('a provisional reference has an owner')
    expect(locks.release(BLOCK)).to.equal(false)
    const again = locks.openRead(BLOCK, 9, false)
    locks.assignProvisional(again)
    expect(() => locks.assignProvisional(again)).to.throw('at most one provisional reference')
    expect(locks.release(BLOCK)).to.equal(true)
    expect(again).to.equal(lock)
  })

  it('are one for a block, and as many as were laid out', () => {
    locks.openWrite(BLOCK, PbnLockKind.Write)
    expect(() => locks.openRead(BLOCK, 1, false)).to.throw('a block has one lock at most')
    locks = new PbnLocks(shared, FIRST_ROW, LOCKS)
    for (let block = 1; block <= LOCKS; block++) locks.openRead(pbn(block), 1, false)
    expect(locks.size).to.equal(LOCKS)
    expect(() => locks.openRead(pbn(99), 1, false)).to.throw('there are locks for all')
    locks.release(pbn(2))
    expect(locks.row(locks.openRead(pbn(99), 1, false))).to.be.within(FIRST_ROW, FIRST_ROW + LOCKS - 1)
  })
})
