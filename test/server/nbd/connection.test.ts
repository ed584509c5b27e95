import { expect } from 'chai'

import { Status } from '../../../src/base/status.js'
import { MemoryTarget } from './memory-target.js'
import { CMD, E, FLAG, OPT, option, pack, question, request } from './raw-client.js'
import { pattern, withServer } from './serve.js'

const KIB = 1024
const MIB = 1024 * 1024
const SIZE = 8 * MIB

describe('an NBD connection', () => {
  for (const structured of [false, true]) {
    describe(structured ? 'with structured replies' : 'with simple replies', () => {
      it('writes and reads any length at any offset', () =>
        withServer(async ({ attach, target }) => {
          const client = await attach({ structured })
          const model = Buffer.alloc(SIZE)
          const spans = [
            [0, 1],
            [511, 3],
            [4095, 2],
            [4096, 4096],
            [10_000, 20_000],
            [70_001, 262_144],
            [300_000, 262_143],
            [1_000_001, 2_500_000],
            [SIZE - 5, 5],
            [SIZE - 3 * MIB, 3 * MIB],
          ]
          for (const [index, [offset, length]] of spans.entries()) {
            const data = pattern(length, index)
            expect((await client.ask(CMD.write, offset, length, 0, data)).error).to.equal(0)
            data.copy(model, offset)
          }
          expect(Buffer.compare(model, target.bytes)).to.equal(0)
          for (const [offset, length] of spans) {
            const { data } = await client.ask(CMD.read, offset, length)
            expect(data.equals(model.subarray(offset, offset + length)), `${offset}+${length}`).to.equal(true)
          }
        }))

      it('keeps replies apart when many are sent at once', () =>
        withServer(async ({ attach, target }) => {
          target.bytes.set(pattern(SIZE, 5))
          target.reversed = true
          const client = await attach({ structured })
          const lengths = [4096, 1, 4096, 20_000, 4096, 16_384, 16_385, 200_000, 0, 65_536]
          for (let i = 0; i < 500; i++) {
            client.post(CMD.read, BigInt(i), i * 4097, lengths[i % lengths.length])
          }
          const seen = new Set<bigint>()
          for (let i = 0; i < 500; i++) {
            const { cookie, error, data } = await client.reply()
            const at = Number(cookie) * 4097
            expect(error).to.equal(0)
            expect(data).to.have.length(lengths[Number(cookie) % lengths.length])
            expect(data.equals(target.bytes.subarray(at, at + data.length))).to.equal(true)
            seen.add(cookie)
          }
          expect(seen.size).to.equal(500)
        }))

      it('tells an error of the engine with the error of the protocol', () =>
        withServer(async ({ attach, target }) => {
          const client = await attach({ structured })
          const told: [Status, number][] = [
            [Status.NoSpace, E.noSpace],
            [Status.IoError, E.io],
            [Status.ReadOnly, E.io],
            [Status.ShuttingDown, E.shutdown],
            [Status.EngineHalted, E.io],
          ]
          for (const [status, error] of told) {
            target.fault = () => status
            for (const [command, length] of [
              [CMD.read, 4096],
              [CMD.read, 300 * KIB],
              [CMD.write, 4096],
              [CMD.trim, 4096],
              [CMD.zeroes, 4096],
              [CMD.flush, 0],
              [CMD.cache, MIB],
            ]) {
              const payload = command === CMD.write ? Buffer.alloc(length) : undefined
              expect((await client.ask(command, 0, length, 0, payload)).error, `${status}`).to.equal(error)
            }
          }
          target.fault = () => Status.Success
          expect((await client.ask(CMD.read, 0, 4096)).error).to.equal(0)
        }))

      it('fails a large read of which one piece fails, and goes on', () =>
        withServer(async ({ attach, target }) => {
          const client = await attach({ structured })
          target.fault = (_command, offset) => (offset === 512 * KIB ? Status.IoError : Status.Success)
          expect((await client.ask(CMD.read, 0, MIB)).error).to.equal(E.io)
          expect((await client.ask(CMD.read, 0, 256 * KIB)).error).to.equal(0)
        }))

      it('answers requests out of range, and leaves the volume alone', () =>
        withServer(async ({ attach, target }) => {
          const client = await attach({ structured })
          for (const [offset, length] of [
            [SIZE, 1],
            [SIZE - 1, 2],
            [2n ** 63n, 4096],
            [2n ** 64n - 1n, 1],
            [2n ** 64n - 4096n, 4096],
          ] as const) {
            const payload = Buffer.alloc(length)
            expect((await client.ask(CMD.read, offset, length)).error).to.equal(E.invalid)
            expect((await client.ask(CMD.write, offset, length, 0, payload)).error).to.equal(E.noSpace)
            expect((await client.ask(CMD.trim, offset, length)).error).to.equal(E.invalid)
            expect((await client.ask(CMD.zeroes, offset, length)).error).to.equal(E.noSpace)
            expect((await client.ask(CMD.cache, offset, length)).error).to.equal(E.invalid)
          }
          expect((await client.ask(CMD.read, 0, 0xffffffff)).error).to.equal(E.invalid)
          expect((await client.ask(CMD.trim, 0, 0xffffffff)).error).to.equal(E.invalid)
          expect(target.count).to.deep.equal(new MemoryTarget(0).count)
          expect((await client.ask(CMD.flush, 0, 0)).error).to.equal(0)
        }))

      it('refuses flags and commands that do not fit, and stays', () =>
        withServer(async ({ attach }) => {
          const client = await attach({ structured })
          const wrong: [number, number][] = [
            [CMD.read, FLAG.fastZero],
            [CMD.read, FLAG.noHole],
            [CMD.read, FLAG.payloadLength],
            [CMD.write, FLAG.df],
            [CMD.write, FLAG.payloadLength],
            [CMD.flush, FLAG.noHole],
            [CMD.trim, FLAG.fastZero],
            [CMD.zeroes, FLAG.reqOne],
            [CMD.blockStatus, 0],
            [CMD.resize, 0],
            [9, 0],
            [0xffff, 0],
          ]
          if (!structured) wrong.push([CMD.read, FLAG.df])
          for (const [command, flags] of wrong) {
            const payload = command === CMD.write ? Buffer.alloc(4096) : undefined
            const { error } = await client.ask(command, 0, 4096, flags, payload)
            expect(error, `command ${command} flags ${flags}`).to.equal(E.invalid)
          }
          expect((await client.ask(CMD.flush, 4096, 0)).error).to.equal(E.invalid)
          expect((await client.ask(CMD.read, 0, 4096, FLAG.fua)).error).to.equal(0)
        }))

      it('lets requests of no length succeed without effect', () =>
        withServer(async ({ attach, target }) => {
          const client = await attach({ structured })
          for (const command of [CMD.read, CMD.write, CMD.trim, CMD.zeroes, CMD.cache]) {
            const { error, data } = await client.ask(command, SIZE, 0)
            expect([error, data.length]).to.deep.equal([0, 0])
          }
          expect(target.count).to.deep.equal(new MemoryTarget(0).count)
        }))
    })
  }

  it('serves a simple read of 32 MiB while other requests are answered', () => {
    const target = new MemoryTarget(40 * MIB)
    target.bytes.set(pattern(MIB, 1), 31 * MIB)
    // Later requests complete before the read's last pieces do.
    target.reversed = true
    return withServer(
      async ({ attach }) => {
        const client = await attach()
        client.post(CMD.read, 1n, 4096, 32 * MIB)
        client.post(CMD.flush, 2n, 0, 0)
        client.post(CMD.read, 3n, 0, 3 * MIB)
        client.post(CMD.read, 4n, 0, 4096)
        const replies = [
          await client.reply(),
          await client.reply(),
          await client.reply(),
          await client.reply(),
        ]
        expect(replies.map((reply) => reply.error)).to.deep.equal([0, 0, 0, 0])
        const first = replies.find((reply) => reply.cookie === 1n)
        expect(first?.data.equals(target.bytes.subarray(4096, 4096 + 32 * MIB))).to.equal(true)
        expect(target.highestInFlightBytes).to.be.at.most(5 * MIB)
      },
      { exports: [{ name: '', target }] },
      target,
    )
  })

  it('closes when a simple read breaks after its head was sent', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      target.fault = (_command, offset) => (offset === 5 * MIB ? Status.IoError : Status.Success)
      client.post(CMD.read, 1n, 0, SIZE)
      client.post(CMD.read, 2n, 0, 4096)
      const said = await client.end()
      expect(said.length).to.be.lessThan(SIZE)
    }))

  it('writes 32 MiB in one request', () => {
    const target = new MemoryTarget(40 * MIB)
    return withServer(
      async ({ attach }) => {
        const client = await attach()
        const data = pattern(32 * MIB, 3)
        expect((await client.ask(CMD.write, 12_345, data.length, FLAG.fua, data)).error).to.equal(0)
        expect(data.equals(target.bytes.subarray(12_345, 12_345 + data.length))).to.equal(true)
        expect(target.count.fua).to.equal(target.count.writes)
      },
      { exports: [{ name: '', target }] },
      target,
    )
  })

  it('throws away the payload of a write it refuses, up to 64 MiB', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      const payload = Buffer.alloc(33 * MIB)
      expect((await client.ask(CMD.write, 0, payload.length, 0, payload)).error).to.equal(E.invalid)
      expect((await client.ask(CMD.write, SIZE, 4096, 0, payload.subarray(0, 4096))).error).to.equal(
        E.noSpace,
      )
      expect(target.count.writes).to.equal(0)
      client.post(CMD.write, 1n, 0, 0xffffffff)
      expect(await client.end()).to.have.length(0)
    }))

  it('serves DF reads in one chunk, and refuses ones that are too long', () =>
    withServer(async ({ attach, target }) => {
      target.bytes.set(pattern(SIZE, 9))
      target.reversed = true
      const client = await attach({ structured: true })
      client.post(CMD.read, 1n, 3, MIB, FLAG.df)
      const head = await client.take(28)
      expect(head.toString('hex')).to.equal(
        pack([4, 0x668e33ef], [2, 1], [2, 1], [8, 1], [4, MIB + 8], [8, 3]).toString('hex'),
      )
      expect((await client.take(MIB)).equals(target.bytes.subarray(3, 3 + MIB))).to.equal(true)
      expect((await client.ask(CMD.read, 0, MIB + 1, FLAG.df)).error).to.equal(E.overflow)
    }))

  it('says where a structured read failed', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach({ structured: true })
      target.fault = (_command, offset) => (offset === 8192 ? Status.IoError : Status.Success)
      client.post(CMD.read, 9n, 8192, 4096)
      const chunk = await client.take(34)
      expect(chunk.toString('hex')).to.equal(
        pack([4, 0x668e33ef], [2, 1], [2, 0x8002], [8, 9], [4, 14], [4, E.io], [2, 0], [8, 8192]).toString(
          'hex',
        ),
      )
    }))

  it('trims, zeroes and caches', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      target.bytes.fill(7)
      expect((await client.ask(CMD.trim, 100, 3 * 4096)).error).to.equal(0)
      expect((await client.ask(CMD.zeroes, 20_000, 5, FLAG.noHole)).error).to.equal(0)
      expect((await client.ask(CMD.zeroes, 8 * 4096, 4096, FLAG.fastZero | FLAG.fua)).error).to.equal(0)
      const wanted = Buffer.alloc(SIZE, 7)
      wanted
        .fill(0, 4096, 3 * 4096)
        .fill(0, 20_000, 20_005)
        .fill(0, 8 * 4096, 9 * 4096)
      expect(Buffer.compare(wanted, target.bytes)).to.equal(0)
      expect(target.count.fua).to.equal(1)
      expect((await client.ask(CMD.cache, 1, SIZE - 1)).error).to.equal(0)
      expect(target.count.reads).to.equal(SIZE / (256 * KIB))
    }))

  it('refuses a fast zero that is not fast, and changes nothing', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      for (const [offset, length] of [
        [1, 4096],
        [0, 4095],
        [512, 512],
      ]) {
        expect((await client.ask(CMD.zeroes, offset, length, FLAG.fastZero)).error).to.equal(E.notSupported)
      }
      expect(target.count.zeros).to.equal(0)
    }))

  it('refuses what changes a read-only export', () => {
    const target = new MemoryTarget(SIZE)
    return withServer(
      async ({ attach }) => {
        const client = await attach()
        expect((await client.ask(CMD.write, 0, 4096, 0, Buffer.alloc(4096))).error).to.equal(E.perm)
        expect((await client.ask(CMD.trim, 0, 4096)).error).to.equal(E.perm)
        expect((await client.ask(CMD.zeroes, 0, 4096)).error).to.equal(E.perm)
        expect((await client.ask(CMD.read, 0, 4096)).error).to.equal(0)
        expect((await client.ask(CMD.flush, 0, 0)).error).to.equal(0)
      },
      { exports: [{ name: '', target, readOnly: true }] },
      target,
    )
  })

  it('lets clients keep what they were told of an export that becomes read-only', () => {
    const target = new MemoryTarget(SIZE)
    const changing = { name: '', target, readOnly: false }
    return withServer(
      async ({ attach }) => {
        const before = await attach()
        changing.readOnly = true
        const after = await attach()
        target.fault = () => Status.ReadOnly
        expect((await before.ask(CMD.trim, 0, 4096)).error).to.equal(E.io)
        expect((await after.ask(CMD.trim, 0, 4096)).error).to.equal(E.perm)
      },
      { exports: [changing] },
      target,
    )
  })

  it('answers everything that was sent before the client closed its side', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      target.held = true
      client.send(Buffer.concat(Array.from({ length: 64 }, (_, i) => request(CMD.read, i, i * 4096, 4096))))
      client.socket.end()
      while (target.pending < 64) await new Promise((resolve) => setImmediate(resolve))
      target.release()
      expect(await client.end()).to.have.length(64 * (16 + 4096))
    }))

  it('finishes what is in flight after DISC, then closes', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      client.send(
        Buffer.concat([
          request(CMD.write, 1, 0, 4096, 0, pattern(4096, 1)),
          request(CMD.disconnect, 2, 0, 0),
          request(CMD.write, 3, 4096, 4096, 0, pattern(4096, 2)),
        ]),
      )
      expect((await client.end()).toString('hex')).to.equal(
        pack([4, 0x67446698], [4, 0], [8, 1]).toString('hex'),
      )
      expect(target.count.writes).to.equal(1)
    }))

  it('closes on a wrong request magic, after what it accepted before', () =>
    withServer(async ({ attach }) => {
      const client = await attach()
      client.send(Buffer.concat([request(CMD.flush, 1, 0, 0), Buffer.alloc(28, 0x25)]))
      expect(await client.end()).to.have.length(16)
    }))

  it('writes nothing of a request whose payload does not arrive', () =>
    withServer(async ({ attach, target, server }) => {
      for (const length of [4096, 100_000, 5 * MIB]) {
        const client = await attach()
        client.send(request(CMD.write, 1, 0, length, 0, pattern(Math.floor(length / 2), 1)))
        await new Promise((resolve) => client.socket.write('', resolve))
        client.destroy()
      }
      await untilAlone(server)
      expect(target.count.writes).to.equal(0)
      expect(Buffer.compare(Buffer.alloc(SIZE), target.bytes)).to.equal(0)
    }))

  it('lets a vanished client’s requests end, and forgets it then', () =>
    withServer(async ({ attach, target, server }) => {
      target.held = true
      for (const structured of [false, true]) {
        const client = await attach({ structured })
        for (let i = 0; i < 20; i++) {
          client.send(request(CMD.read, i, 0, 100_000))
          client.send(request(CMD.write, i, 0, 4096, 0, Buffer.alloc(4096, 1)))
        }
        const before = target.pending
        while (target.pending < before + 40) await new Promise((resolve) => setImmediate(resolve))
        client.destroy()
      }
      expect(server.connectionCount).to.equal(2)
      target.release()
      await untilAlone(server)
      expect(target.bytes[4095]).to.equal(1)
    }))

  it('reads no further while a client takes no answers, and serves the others', () => {
    const target = new MemoryTarget(40 * MIB)
    return withServer(
      async ({ attach }) => {
        for (const structured of [false, true]) {
          const greedy = await attach({ structured })
          greedy.socket.pause()
          for (let i = 0; i < 100; i++) greedy.send(request(CMD.read, i, 0, 32 * MIB))
        }
        const other = await attach()
        for (let i = 0; i < 50; i++) expect((await other.ask(CMD.read, 0, MIB)).error).to.equal(0)
        expect(target.count.reads).to.be.lessThan(300 + 100)
        expect(target.highestInFlightBytes).to.be.lessThan(12 * MIB)
      },
      { exports: [{ name: '', target }], closeTimeoutMs: 10 },
      target,
    )
  })

  it('takes no more requests while a client takes no answers', () =>
    withServer(
      async ({ attach, target }) => {
        const greedy = await attach()
        greedy.socket.pause()
        const flush = request(CMD.flush, 1, 0, 0)
        const count = 300_000
        greedy.send(Buffer.alloc(count * flush.length, flush))
        const other = await attach()
        // As long as the greedy one gets anywhere, each round trip of the other sees it.
        for (let before = -1; target.count.flushes > before; ) {
          before = target.count.flushes
          for (let i = 0; i < 30; i++) expect((await other.ask(CMD.read, 0, 1)).error).to.equal(0)
        }
        expect(target.count.flushes)
          .to.be.greaterThan(0)
          .and.lessThan(count / 2)
      },
      { closeTimeoutMs: 10 },
    ))

  it('takes no more than 256 requests at a time', () =>
    withServer(async ({ attach, target }) => {
      const client = await attach()
      target.held = true
      client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => request(CMD.trim, i, 0, 4096))))
      const other = await attach()
      target.fault = () => Status.Success
      other.post(CMD.flush, 1n, 0, 0)
      while (target.pending < 257) await new Promise((resolve) => setImmediate(resolve))
      expect(target.count.trims).to.equal(256)
      target.release()
      for (let i = 0; i < 1000; i++) expect((await client.reply()).error).to.equal(0)
    }))

  it('takes a session cut at every byte', () =>
    withServer(async ({ connect, target }) => {
      const session = Buffer.concat([
        pack([4, 3]),
        option(OPT.structured),
        option(OPT.go, question('', [3])),
        request(CMD.write, 1, 10, 5, 0, Buffer.from('hello')),
        request(CMD.flush, 2, 0, 0),
        request(CMD.write, 3, SIZE, 3, 0, Buffer.from('bad')),
        request(CMD.zeroes, 4, 12, 1),
        request(CMD.disconnect, 5, 0, 0),
      ])
      let wanted: string | undefined
      for (let cut = 0; cut <= session.length; cut++) {
        target.bytes.fill(0)
        const client = await connect()
        client.send(session.subarray(0, cut))
        await new Promise((resolve) => setImmediate(resolve))
        client.send(session.subarray(cut))
        const said = (await client.end()).toString('hex')
        wanted ??= said
        expect(said).to.equal(wanted)
        expect(Buffer.from(target.bytes.subarray(10, 15)).toString()).to.equal('he\0lo')
      }
    }))

  it('survives a session that ends at every byte', () =>
    withServer(async ({ connect, server, target, attach }) => {
      const session = Buffer.concat([
        pack([4, 3]),
        option(OPT.go, question('', [3])),
        request(CMD.read, 1, 0, 10),
        request(CMD.write, 2, 0, 5, 0, Buffer.from('hello')),
      ])
      for (let length = 0; length < session.length; length++) {
        const client = await connect()
        client.send(session.subarray(0, length))
        if (length % 2 === 0) client.socket.end()
        else await new Promise((resolve) => client.socket.write('', resolve))
        if (length % 2 === 0) await client.end()
        client.destroy()
      }
      await untilAlone(server)
      expect(target.count.writes).to.equal(0)
      expect((await (await attach()).ask(CMD.flush, 0, 0)).error).to.equal(0)
    }))
})

async function untilAlone(server: { connectionCount: number }): Promise<void> {
  while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve))
}
