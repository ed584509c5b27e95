import { expect } from 'chai'
import fc from 'fast-check'

import { CMD, OPT, option, pack, question, request } from './raw-client.js'
import { withServer } from './serve.js'

const SEED = 20_260_101

/** Bytes that look right for a while: pieces of the protocol, whole, damaged or out of place. */
const optionPiece = fc
  .tuple(
    fc.integer({ min: 0, max: 13 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.option(fc.integer({ min: 0, max: 80 })),
  )
  .map(([number, data, length]) => option(number, data, length ?? data.length))

const goPiece = fc
  .tuple(fc.constantFrom('', '', 'other'), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }))
  .map(([name, types]) => option(OPT.go, question(name, types)))

const requestPiece = fc
  .record({
    command: fc.integer({ min: 0, max: 9 }),
    cookie: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    offset: fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    length: fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: 0xffffffff })),
    flags: fc.constantFrom(0, 0, 0, 1, 2, 4, 16, 0xffff),
    payload: fc.uint8Array({ maxLength: 600 }),
    whole: fc.boolean(),
  })
  .map(({ command, cookie, offset, length, flags, payload, whole }) => {
    const isWrite = command === CMD.write
    return request(
      command,
      cookie,
      offset,
      isWrite && whole ? payload.length : length,
      flags,
      isWrite ? payload : Buffer.alloc(0),
    )
  })

const damaged = fc
  .tuple(requestPiece, fc.integer({ min: 0, max: 27 }), fc.integer({ min: 1, max: 255 }))
  .map(([bytes, at, bits]) => {
    const copy = Buffer.from(bytes)
    copy[at] ^= bits
    return copy
  })

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))

const session = fc.tuple(
  fc.constantFrom(pack([4, 3]), pack([4, 1]), pack([4, 0]), pack([4, 0xff])),
  fc.array(fc.oneof(optionPiece, goPiece, noise), { maxLength: 6 }),
  goPiece,
  fc.array(fc.oneof({ weight: 6, arbitrary: requestPiece }, damaged, noise), { maxLength: 30 }),
  fc.array(fc.nat({ max: 4000 }), { maxLength: 6 }),
)

describe('hostile NBD clients', () => {
  for (const kind of ['sessions that go wrong', 'requests that go wrong', 'noise']) {
    it(`end without harm: ${kind}`, () =>
      withServer(async ({ attach, connect, server, target }) => {
        const property = fc.asyncProperty(
          session,
          noise,
          async ([flags, options, go, requests, cuts], junk) => {
            const client = await connect()
            const bytes =
              kind === 'noise'
                ? junk
                : Buffer.concat([
                    kind === 'requests that go wrong' ? pack([4, 3]) : flags,
                    ...(kind === 'requests that go wrong' ? [] : options),
                    kind === 'requests that go wrong' ? option(OPT.go, question('')) : go,
                    ...requests,
                  ])
            let from = 0
            for (const cut of [...cuts].sort((a, b) => a - b)) {
              client.send(bytes.subarray(from, cut))
              from = Math.max(from, Math.min(cut, bytes.length))
              await new Promise((resolve) => setImmediate(resolve))
            }
            client.socket.end(bytes.subarray(from))
            await client.end()
            client.destroy()
            while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve))
            expect(target.pending).to.equal(0)
          },
        )
        await fc.assert(property, { seed: SEED, numRuns: 150 })
        expect((await (await attach()).ask(CMD.read, 0, 4096)).error).to.equal(0)
      }))
  }
})
