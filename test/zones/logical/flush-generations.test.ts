import { expect } from 'chai'
import type { Boards } from '../../../src/vio/boards.js'
import { Room } from '../../../src/vio/opcodes.js'
import { FlushGenerations } from '../../../src/zones/logical/flush-generations.js'
import { Bench } from '../bench.js'

describe('flush generations', () => {
  let boards: Boards
  let generations: FlushGenerations
  let notices: number

  beforeEach(async () => {
    boards = (await Bench.make()).context(Room.Logical).boards
    notices = 0
    generations = new FlushGenerations(0, boards, 4, () => notices++)
  })

  it('show the oldest one with a write in it', () => {
    const first = generations.join()
    generations.close(0)
    const second = generations.join()
    generations.close(1)
    expect(boards.oldestGeneration(0)).to.equal(0)
    generations.leave(second)
    expect([boards.oldestGeneration(0), notices]).to.deep.equal([0, 0])
    generations.leave(first)
    expect([boards.oldestGeneration(0), notices]).to.deep.equal([2, 1])
    expect(generations.activeWrites).to.equal(0)
  })

  it('notify whenever the oldest one advances', () => {
    generations.close(0)
    const writes = [generations.join(), generations.join()]
    generations.close(1)
    expect([boards.oldestGeneration(0), notices]).to.deep.equal([1, 1])
    for (const generation of writes) generations.leave(generation)
    expect([boards.oldestGeneration(0), notices]).to.deep.equal([2, 2])
  })

  it('are closed in order', () => {
    expect(() => generations.close(1)).to.throw('one after the other')
  })

  it('are left once by those who joined', () => {
    generations.leave(generations.join())
    expect(() => generations.leave(0)).to.throw('that it joined')
  })

  it('go round without end', () => {
    for (let generation = 0; generation < 100; generation++) {
      const joined = generations.join()
      generations.close(generation)
      generations.leave(joined)
    }
    expect(boards.oldestGeneration(0)).to.equal(100)
  })
})
