import { expect } from 'chai'
import { toHex, writeU64 } from '../../src/base/bytes.js'
import { RECORD_NAME_SEED } from '../../src/base/native.js'
import { murmur3, nonceInfoOf, primaryNonce, saveNonceOf, volumeNonceOf } from '../../src/uds/index-nonces.js'

describe('the nonces of an index', () => {
  it('are hashed as record names are', () => {
    const one = new Uint8Array(8)
    writeU64(one, 0, 1)
    const table: [input: Uint8Array, hash: string][] = [
      [new Uint8Array(0), '59fa93fb5bf05b18f08dec3848cb37a9'],
      [new Uint8Array(8), '6ffefd6449662babc8b3e1e2aa468cee'],
      [one, 'b3c7c5f7461182172cf1861ed9481342'],
      [new Uint8Array(4096), '81a3ec86657ee7844a63fd811c8008b7'],
      [new Uint8Array(4096).fill(0xff), '2cf69009d52d6d3523e969b0c066121a'],
      [Uint8Array.from({ length: 4096 }, (_, i) => i), 'e780e2dafd9f88cdac7f54d5960be94c'],
    ]
    for (const [input, hash] of table) expect(toHex(murmur3(input, RECORD_NAME_SEED))).to.equal(hash)
  })

  it('follow from each other as in an index of the kernel', () => {
    const once = Buffer.from('cd71658f595eea18ea0e2479', 'hex')
    const info = nonceInfoOf(once.readBigUInt64LE(0), once.readUInt32LE(8))
    expect(toHex(info)).to.equal(once.toString('hex').repeat(3).slice(0, 64))
    const primary = primaryNonce(info)
    expect(primary).to.equal(0xd2a0_7920_fbb6_9cf9n)
    const volume = volumeNonceOf(primary, 3)
    expect(volume).to.equal(0x07ca_9259_9318_9aden)
    expect(saveNonceOf(volume, 1_795_351_181_599n, 573_451)).to.equal(0x41ed_dad0_31fb_eb7dn)
  })

  it('differ with everything that they are made of', () => {
    const base = primaryNonce(nonceInfoOf(1_795_351_181_599_000_000n, 7))
    expect(primaryNonce(nonceInfoOf(1_795_351_181_599_000_001n, 7))).to.not.equal(base)
    expect(primaryNonce(nonceInfoOf(1_795_351_181_599_000_000n, 8))).to.not.equal(base)
    expect(volumeNonceOf(base, 3)).to.not.equal(volumeNonceOf(base, 4))
    const volume = volumeNonceOf(base, 3)
    expect(saveNonceOf(volume, 5n, 9)).to.not.equal(saveNonceOf(volume, 6n, 9))
    expect(saveNonceOf(volume, 5n, 9)).to.not.equal(saveNonceOf(volume, 5n, 10))
  })
})
