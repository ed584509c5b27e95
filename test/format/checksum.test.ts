import { expect } from 'chai'
import fc from 'fast-check'
import { checksumOf } from '../../src/format/checksum.js'
import { crc32 } from './golden.js'

/** Bit by bit: the register starts at 0, and is inverted in the end. */
function naive(bytes: Uint8Array): number {
  let register = 0
  for (const byte of bytes) {
    register ^= byte
    for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (register & 1 ? 0xedb88320 : 0)
  }
  return (register ^ 0xffffffff) >>> 0
}

describe('metadata checksum', () => {
  it('gives the check value', () => {
    expect(checksumOf(new TextEncoder().encode('123456789'), 9, crc32)).to.equal(0xd202d277)
  })

  it('agrees with a bitwise twin on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), (bytes) => {
        return checksumOf(bytes, bytes.length, crc32) === naive(bytes)
      }),
      { seed: 8 },
    )
  })
})
