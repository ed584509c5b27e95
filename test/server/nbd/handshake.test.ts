import { expect } from 'chai'
import { ExportTable } from '../../../src/server/nbd/exports.js'
import { HANDSHAKE_NEXT, Handshake, HandshakeState } from '../../../src/server/nbd/handshake.js'
import { MemoryTarget } from './memory-target.js'
import { ERR, OPT, option, pack, question, REP } from './raw-client.js'
import { withServer } from './serve.js'

const SIZE = 8 * 1024 * 1024
const WRITABLE = 0x1 | 0x4 | 0x8 | 0x20 | 0x40 | 0x100 | 0x400 | 0x800
const DF = 0x80

describe('the NBD handshake', () => {
  it('opens with fixed newstyle and the offer to leave out zeros', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      expect((await client.hello()).toString('hex')).to.equal('4e42444d4147494349484156454f50540003')
    }))

  it('closes on a client flag that was not offered', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello(0x80000003)
      expect(await client.end()).to.have.length(0)
    }))

  it('closes on a wrong option magic', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(pack('IHAVEOPS', [4, OPT.list], [4, 0]))
      expect(await client.end()).to.have.length(0)
    }))

  it('closes on an option that announces 4 GiB, without waiting for them', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(option(OPT.go, Buffer.alloc(0), 0xffffffff))
      expect(await client.end()).to.have.length(0)
    }))

  it('reads past unknown options and says that it does not know them', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      for (const [number, size] of [
        [4, 0],
        [9, 16],
        [10, 16],
        [11, 0],
        [99, 3],
        [0x12345678, 300_000],
      ]) {
        client.send(option(number, Buffer.alloc(size, 0x49)))
        expect(await client.answer()).to.include({ option: number, type: ERR.unsupported })
      }
      client.send(option(OPT.go, question('')))
      expect((await client.answers()).map((each) => each.type)).to.deep.equal([REP.info, REP.ack])
    }))

  it('reads past a known option that is too big', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(option(OPT.go, Buffer.alloc(300_000)))
      expect(await client.answer()).to.include({ option: OPT.go, type: ERR.tooBig })
      client.send(option(OPT.list))
      expect((await client.answers()).at(-1)?.type).to.equal(REP.ack)
    }))

  it('refuses data on options that have none, and stays', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      for (const number of [OPT.list, OPT.structured, OPT.startTls]) {
        client.send(option(number, Buffer.from('x')))
        expect((await client.answer()).type).to.equal(ERR.invalid)
      }
      client.send(option(OPT.structured))
      expect((await client.answer()).type).to.equal(REP.ack)
      client.send(option(OPT.structured))
      expect((await client.answer()).type).to.equal(ERR.invalid)
    }))

  it('will not do TLS, and goes on in plain', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(option(OPT.startTls))
      expect(await client.answer()).to.include({ option: OPT.startTls, type: ERR.policy })
      client.send(option(OPT.go, question('')))
      expect((await client.answers()).at(-1)?.type).to.equal(REP.ack)
    }))

  it('refuses questions whose lengths do not add up, and answers the next one', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      const wrong: [string, Buffer, number][] = [
        ['no data', Buffer.alloc(0), ERR.invalid],
        ['three bytes', Buffer.alloc(3), ERR.invalid],
        ['a name of 4 GiB', pack([4, 0xffffffff], [2, 0]), ERR.invalid],
        ['a name longer than the data', pack([4, 5], 'ab', [2, 0]), ERR.invalid],
        ['a name of 4097 bytes', question('n'.repeat(4097)), ERR.invalid],
        ['a name with a NUL', question('a\0b'), ERR.invalid],
        ['a name that is not UTF-8', question(Buffer.from([0xff, 0xfe])), ERR.invalid],
        ['65,535 types that are absent', pack([4, 0], [2, 65535]), ERR.invalid],
        ['a type too many', Buffer.concat([question('', [1]), Buffer.from([0, 1])]), ERR.invalid],
        ['half a type', Buffer.concat([question('', [1]), Buffer.from([0])]), ERR.invalid],
        ['an unknown name of 4096 bytes', question('n'.repeat(4096)), ERR.unknown],
        ['an unknown name', question('nobody'), ERR.unknown],
      ]
      for (const number of [OPT.info, OPT.go]) {
        for (const [what, data, type] of wrong) {
          client.send(option(number, data))
          expect((await client.answer()).type, what).to.equal(type)
        }
      }
      client.send(option(OPT.go, question('')))
      expect((await client.answers()).at(-1)?.type).to.equal(REP.ack)
    }))

  it('tells size and abilities unasked, the rest once when asked', () =>
    withServer(
      async ({ connect }) => {
        const client = await connect()
        await client.hello()
        client.send(option(OPT.info, question('', [3, 3, 1, 2, 77, 0])))
        const answers = await client.answers()
        expect(answers.map((each) => each.data.toString('hex'))).to.deep.equal([
          pack([2, 0], [8, SIZE], [2, WRITABLE]).toString('hex'),
          pack([2, 1], 'first').toString('hex'),
          pack([2, 2], 'about it').toString('hex'),
          pack([2, 3], [4, 1], [4, 4096], [4, 32 * 1024 * 1024]).toString('hex'),
          '',
        ])
        client.send(option(OPT.go, question('', [3, 1, 2])))
        expect(await client.answers()).to.deep.equal(answers.map((each) => ({ ...each, option: OPT.go })))
      },
      { exports: [{ name: 'first', description: 'about it', target: new MemoryTarget(SIZE) }] },
    ))

  it('offers DF only where replies come in chunks', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      await client.enableStructured()
      client.send(option(OPT.info, question('')))
      expect((await client.answers())[0].data.readUInt16BE(10)).to.equal(WRITABLE | DF)
    }))

  it('offers nothing that changes a read-only export', () =>
    withServer(
      async ({ connect }) => {
        const client = await connect()
        await client.hello()
        client.send(option(OPT.info, question('')))
        expect((await client.answers())[0].data.readUInt16BE(10)).to.equal(
          0x1 | 0x2 | 0x4 | 0x8 | 0x100 | 0x400,
        )
      },
      { exports: [{ name: '', readOnly: true, target: new MemoryTarget(SIZE) }] },
    ))

  it('lists its exports and serves each under its name, the first also without one', () => {
    const small = new MemoryTarget(4096)
    const large = new MemoryTarget(SIZE)
    return withServer(
      async ({ connect, attach }) => {
        const client = await connect()
        await client.hello()
        client.send(option(OPT.list))
        const answers = await client.answers()
        expect(answers.map((each) => each.type)).to.deep.equal([REP.server, REP.server, REP.ack])
        expect(answers[0].data.toString()).to.equal('\0\0\0\x05smalla little one')
        expect(answers[1].data.toString()).to.equal('\0\0\0\x05large')
        small.bytes.fill(1)
        large.bytes.fill(2)
        for (const [name, value] of [
          ['', 1],
          ['small', 1],
          ['large', 2],
        ] as const) {
          const attached = await attach({ name })
          expect((await attached.ask(0, 0, 1)).data[0], name).to.equal(value)
        }
      },
      {
        exports: [
          { name: 'small', description: 'a little one', target: small },
          { name: 'large', target: large },
        ],
      },
    )
  })

  it('answers EXPORT_NAME with and without padding, and closes on an unknown name', () =>
    withServer(async ({ connect }) => {
      for (const [flags, padding] of [
        [3, 0],
        [1, 124],
        [0, 124],
      ]) {
        const client = await connect()
        await client.hello(flags)
        client.send(option(OPT.exportName, Buffer.from('')))
        const wanted = pack([8, SIZE], [2, WRITABLE], Buffer.alloc(padding))
        expect((await client.take(10 + padding)).equals(wanted)).to.equal(true)
        expect((await client.ask(0, 0, 16)).data).to.have.length(16)
      }
      for (const name of ['nobody', 'n'.repeat(5000), Buffer.from([0xff])]) {
        const client = await connect()
        await client.hello()
        client.send(option(OPT.exportName, Buffer.from(name)))
        expect(await client.end()).to.have.length(0)
      }
    }))

  it('closes on a client of the old form that asks for more than an export', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello(0)
      client.send(option(OPT.list))
      expect(await client.end()).to.have.length(0)
    }))

  it('acknowledges ABORT and closes', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(option(OPT.abort, Buffer.from('why')))
      expect((await client.answer()).type).to.equal(REP.ack)
      expect(await client.end()).to.have.length(0)
    }))

  it('cuts off a client that never stops asking', () =>
    withServer(async ({ connect }) => {
      const client = await connect()
      await client.hello()
      client.send(Buffer.concat(Array.from({ length: 1000 }, () => option(OPT.list))))
      const said = await client.end()
      expect(said.length).to.be.lessThan(64 * 64)
    }))

  it('cuts off a client that does not choose in time', () =>
    withServer(
      async ({ connect }) => {
        const client = await connect()
        await client.hello()
        expect(await client.end()).to.have.length(0)
      },
      { handshakeTimeoutMs: 20 },
    ))

  it('takes the stream cut anywhere', () => {
    const stream = Buffer.concat([
      pack([4, 3]),
      option(99, Buffer.alloc(5)),
      option(OPT.list),
      option(OPT.structured),
      option(OPT.go, question('nobody', [3])),
      option(OPT.go, question('', [0, 1, 2, 3])),
    ])
    const whole = talk([stream])
    expect(whole.state).to.equal(HandshakeState.Transmission)
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(talk([stream.subarray(0, cut), stream.subarray(cut)])).to.deep.equal(whole)
    }
    expect(talk(Array.from(stream, (byte) => Buffer.from([byte])))).to.deep.equal(whole)
  })

  it('leaves what follows the choice to whoever reads requests', () => {
    const exports = new ExportTable([{ name: '', target: new MemoryTarget(4096) }])
    const handshake = new Handshake(exports, () => {})
    const head = Buffer.concat([pack([4, 3]), option(OPT.go, question(''))])
    expect(handshake.take(Buffer.concat([head, Buffer.from('next')]), 0)).to.equal(head.length)
  })

  it('can reach every state from the first', () => {
    const seen = new Set([HandshakeState.ClientFlags])
    for (const state of seen) for (const next of HANDSHAKE_NEXT[state]) seen.add(next)
    expect([...seen]).to.have.members([0, 1, 2, 3, 4, 5])
  })
})

function talk(pieces: Buffer[]): { state: HandshakeState; said: string } {
  const exports = new ExportTable([{ name: 'one', description: 'it', target: new MemoryTarget(4096) }])
  const said: Uint8Array[] = []
  const handshake = new Handshake(exports, (bytes) => said.push(bytes))
  handshake.start()
  for (const piece of pieces) handshake.take(piece, 0)
  return { state: handshake.state, said: Buffer.concat(said).toString('hex') }
}
