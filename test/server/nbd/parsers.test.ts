/** The two parsers of the server, given anything, in any pieces. */

import { expect } from 'chai'
import fc from 'fast-check'
import { ExportTable } from '../../../src/server/nbd/exports.js'
import { RequestReader } from '../../../src/server/nbd/frame.js'
import { Handshake, HandshakeState } from '../../../src/server/nbd/handshake.js'
import { MemoryTarget } from './memory-target.js'
import { OPT, option, pack, question } from './raw-client.js'

const SEED = 20_261_125
const REQUEST_BYTES = 28

/** Where a stream is cut, as shares of its length. */
const cuts = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 12 })

function pieces(bytes: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const at = shares.map((share) => Math.floor((share * bytes.length) / 1000)).sort((a, b) => a - b)
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
}

const optionBytes = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 60 }))
    .map(([number, data]) => option(number, data, data.length)),
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0xffffffff }))
    .map(([number, length]) => option(number, Buffer.alloc(0), length)),
  fc
    .tuple(fc.constantFrom('', 'a', 'none'), fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 }))
    .map(([name, types]) => option(OPT.info, question(name, types))),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

const talk = fc
  .tuple(
    fc.oneof({ weight: 5, arbitrary: fc.constantFrom(3, 1) }, fc.integer({ min: 0, max: 0xffffffff })),
    fc.array(optionBytes, { maxLength: 80 }),
  )
  .map(([flags, options]) => Buffer.concat([pack([4, flags]), ...options]))

/** What a talk comes to: its last state, all it said, and how much of the stream it took. */
function converse(stream: readonly Uint8Array[]): { state: HandshakeState; said: string; taken: number } {
  const exports = ['', 'a'].map((name) => ({ name, target: new MemoryTarget(4096) }))
  const said: Buffer[] = []
  const handshake = new Handshake(new ExportTable(exports), (bytes) => said.push(Buffer.from(bytes)))
  handshake.start()
  let taken = 0
  for (const piece of stream) {
    const next = handshake.take(piece, 0)
    taken += next
    if (next < piece.length) break
  }
  return { state: handshake.state, said: Buffer.concat(said).toString('hex'), taken }
}

describe('the parser of the handshake', () => {
  it('comes to the same end wherever the stream is cut, and never says much', () => {
    const ends = new Set<HandshakeState>()
    fc.assert(
      fc.property(talk, cuts, (bytes, shares) => {
        const whole = converse([bytes])
        ends.add(whole.state)
        expect(converse(pieces(bytes, shares))).to.deep.equal(whole)
        expect(whole.taken).to.be.at.most(bytes.length)
        if (whole.state < HandshakeState.Transmission) expect(whole.taken).to.equal(bytes.length)
        // Of 96 options each may be answered with both exports, or all that INFO tells.
        expect(whole.said.length / 2).to.be.at.most(18 + 96 * 200)
      }),
      { seed: SEED, numRuns: 2000 },
    )
    for (const state of [HandshakeState.OptionHeader, HandshakeState.OptionDiscard, HandshakeState.Closed]) {
      expect(ends.has(state), HandshakeState[state]).to.equal(true)
    }
  })
})

describe('the parser of requests', () => {
  it('finds the same requests wherever the stream is cut', () => {
    const fields = (stream: readonly Uint8Array[]): unknown[] => {
      const reader = new RequestReader()
      const found: unknown[] = []
      for (const piece of stream) {
        for (let at = 0; at < piece.length; ) {
          at = reader.take(piece, at)
          const { valid, flags, command, cookieHigh, cookieLow, offset, length } = reader
          if (reader.complete) found.push([valid, flags, command, cookieHigh, cookieLow, offset, length])
        }
      }
      return found
    }
    const header = fc.uint8Array({ minLength: REQUEST_BYTES, maxLength: REQUEST_BYTES })
    const good = header.map((bytes) => Buffer.concat([pack([4, 0x25609513]), bytes.subarray(4)]))
    const stream = fc
      .tuple(fc.array(fc.oneof(good, header), { maxLength: 20 }), fc.uint8Array({ maxLength: 27 }))
      .map(([headers, rest]) => Buffer.concat([...headers, rest]))
    fc.assert(
      fc.property(stream, cuts, (bytes, shares) => {
        const whole = fields([bytes])
        expect(whole).to.have.length(Math.floor(bytes.length / REQUEST_BYTES))
        expect(fields(pieces(bytes, shares))).to.deep.equal(whole)
        for (const [i, [valid, , , , , offset, length]] of (whole as [boolean, ...number[]][]).entries()) {
          const at = i * REQUEST_BYTES
          expect(valid).to.equal(bytes.readUInt32BE(at) === 0x25609513)
          expect(offset).to.equal(Number(bytes.readBigUInt64BE(at + 16)))
          expect(length).to.equal(bytes.readUInt32BE(at + 24))
        }
      }),
      { seed: SEED, numRuns: 1000 },
    )
  })
})
