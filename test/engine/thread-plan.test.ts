import { expect } from 'chai'
import { type ThreadPlan, visitsOf } from '../../src/engine/thread-plan.js'
import { Room } from '../../src/vio/opcodes.js'
import { ONE_OF_EACH } from '../zones/bench.js'

describe('the visits of a thread', () => {
  it('begin with flush and admin and end with the front end', () => {
    const rooms = [
      [Room.Front],
      [Room.Logical, Room.Physical],
      [Room.Hash],
      [Room.Journal, Room.Admin],
      [Room.Bio],
      [Room.Packer, Room.Flush],
    ]
    const plan: ThreadPlan = {
      counts: ONE_OF_EACH,
      threads: rooms.map((zones, i) => ({ name: `t${i}`, zones: zones.map((room) => ({ room, zone: 0 })) })),
    }
    expect(visitsOf(plan, 2)).to.deep.equal([3, 5, 1, 4, 0])
    expect(visitsOf(plan, 3)).to.deep.equal([5, 1, 2, 4, 0])
    expect(visitsOf(plan, 0)).to.deep.equal([3, 5, 1, 2, 4])
  })
})
