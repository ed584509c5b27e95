import { expect } from 'chai'
import { Bump } from '../../src/base/bump.js'
import { PbnLockTable } from '../../src/vio/pbn-locks.js'

describe('claims on a physical block', () => {
  const table = () => new PbnLockTable(new Bump(new SharedArrayBuffer(4096), 0), 4)

  it('succeed as often as the limit says and never again', () => {
    const locks = table()
    locks.open(2, 3)
    const claims = Array.from({ length: 6 }, () => locks.claim(2))
    expect(claims).to.deep.equal([true, true, true, false, false, false])
  })

  it('start anew when the lock is opened again', () => {
    const locks = table()
    locks.open(1, 1)
    locks.claim(1)
    locks.open(1, 2)
    expect([locks.claim(1), locks.claim(1), locks.claim(1)]).to.deep.equal([true, true, false])
  })

  it('never succeed on a lock without references', () => {
    const locks = table()
    locks.open(0, 0)
    expect(locks.claim(0)).to.equal(false)
  })

  it('are counted together by all who see the memory', () => {
    const memory = new SharedArrayBuffer(4096)
    const [here, there] = [new PbnLockTable(new Bump(memory, 0), 4), new PbnLockTable(new Bump(memory, 0), 4)]
    here.open(3, 2)
    expect([here.claim(3), there.claim(3), here.claim(3), there.claim(3)]).to.deep.equal([
      true,
      true,
      false,
      false,
    ])
  })
})
