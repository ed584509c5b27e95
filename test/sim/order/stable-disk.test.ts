import { expect } from 'chai'
import { StableDisk } from '../../../src/sim/order/stable-disk.js'

describe('what a disk must hold', () => {
  let disk: StableDisk<string>
  let told: string[]

  beforeEach(() => {
    told = []
    disk = new StableDisk<string>(
      ({ fact }) => told.push(`${fact} ended`),
      ({ fact }) => told.push(`${fact} stable`),
    )
  })

  function begin(request: number, block: number, fact: string): void {
    disk.beginWrite(request, [{ block, bytes: new Uint8Array(1), fact, ended: 0, isLost: false }])
  }

  function flush(request: number): void {
    disk.beginFlush(request)
    disk.end(request, true)
  }

  it('is a write after a flush that began when the write had ended', () => {
    begin(1, 5, 'a')
    expect(disk.isSettled).to.equal(false)
    disk.end(1, true)
    expect(disk.stable(5)).to.equal(null)
    expect(disk.unstable(5)).to.have.length(1)
    flush(2)
    expect(told).to.deep.equal(['a ended', 'a stable'])
    expect(disk.stable(5)!.fact).to.equal('a')
    expect(disk.unstable(5)).to.have.length(0)
    expect(disk.isSettled).to.equal(true)
  })

  it('is not one that ended while the flush was under way', () => {
    begin(1, 5, 'a')
    disk.beginFlush(2)
    disk.end(1, true)
    disk.end(2, true)
    expect(disk.stable(5)).to.equal(null)
    flush(3)
    expect(disk.stable(5)!.fact).to.equal('a')
  })

  it('is not one that failed, nor one that waited for a flush that failed', () => {
    begin(1, 5, 'a')
    disk.end(1, false)
    begin(2, 6, 'b')
    disk.end(2, true)
    disk.beginFlush(3)
    disk.end(3, false)
    flush(4)
    expect(disk.stable(5)).to.equal(null)
    expect(disk.stable(6)).to.equal(null)
    expect(disk.unstable(6)[0].isLost).to.equal(true)
  })

  it('may be any write since the one that is stable', () => {
    for (const [request, fact] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ] as const) {
      begin(request, 5, fact)
      if (request < 3) disk.end(request, true)
      if (request === 1) flush(10)
    }
    expect([...disk.possible(5)].map(({ fact }) => fact)).to.deep.equal(['a', 'b', 'c'])
    expect(disk.newest(9)).to.have.length(4096)
  })

  it('counts a flush from its beginning', () => {
    disk.beginFlush(1)
    disk.beginFlush(2)
    disk.end(2, true)
    disk.end(1, true)
    expect(disk.flushedUpTo).to.equal(2)
    expect(disk.lastFlushBegan).to.equal(1)
  })
})
