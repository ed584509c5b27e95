import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { moveBits } from '../../src/uds/move-bits.js'

function bitAt(bytes: Uint8Array, bit: number): number {
  return (bytes[bit >>> 3] >>> (bit & 7)) & 1
}

/** The same, bit by bit, by way of a copy. */
function moveNaively(bytes: Uint8Array, to: number, from: number, count: number): void {
  const old = bytes.slice()
  for (let i = 0; i < count; i++) {
    const at = to + i
    const mask = 1 << (at & 7)
    if (bitAt(old, from + i) === 1) bytes[at >>> 3] |= mask
    else bytes[at >>> 3] &= ~mask
  }
}

describe('moving bits', () => {
  it('moves exactly the bits of the range, over any distance and overlap', () => {
    const prng = new Prng(1)
    for (let round = 0; round < 20_000; round++) {
      const bytes = new Uint8Array(96)
      prng.fill(bytes)
      const expected = bytes.slice()
      const count = prng.below(round % 2 === 0 ? 40 : 300)
      const from = prng.below(700 - count)
      const to = round % 3 === 0 ? Math.max(0, from - prng.below(30)) : prng.below(700 - count)
      moveNaively(expected, to, from, count)
      const byte = prng.below((from >>> 3) + 1)
      moveBits(new DataView(bytes.buffer), to >>> 3, to & 7, byte, from - 8 * byte, count)
      expect(bytes, `${count} bits from ${from} to ${to}`).to.deep.equal(expected)
    }
  })
})
