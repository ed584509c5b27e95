import { expect } from 'chai'
import { HashLockState, mayFollow, NEXT_STATES } from '../../../src/zones/hash/hash-lock.js'

const STATES = Object.values(HashLockState).filter(
  (state): state is HashLockState => typeof state === 'number',
)

describe('the states of a hash lock', () => {
  it('can be followed exactly along the arrows', () => {
    for (const from of STATES) {
      for (const to of STATES) expect(mayFollow(from, to)).to.equal(NEXT_STATES[from].includes(to))
    }
  })

  it('are all reached from the first, and lead from each to the end', () => {
    const reach = (from: HashLockState, seen = new Set<HashLockState>()): Set<HashLockState> => {
      for (const next of NEXT_STATES[from]) {
        if (seen.has(next)) continue
        seen.add(next)
        reach(next, seen)
      }
      return seen
    }
    expect(reach(HashLockState.Initializing).size).to.equal(STATES.length - 1)
    for (const state of STATES) {
      if (state === HashLockState.Bypassing) continue
      expect(reach(state).has(HashLockState.Bypassing)).to.equal(true)
    }
  })
})
