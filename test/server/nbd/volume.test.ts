/** Clients that behave badly on a real volume: others are served meanwhile, and nothing of the engine is lost. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { Prng } from '../../../src/base/prng.js'
import { openVolume, type VdoVolume } from '../../../src/host/open-volume.js'
import { type NbdServer, serveNbd } from '../../../src/server/nbd/nbd-server.js'
import { auditClosed } from '../../host/chaos.js'
import { formatInMemory } from '../../host/memory-volume.js'
import { CMD, FLAG, option, RawClient, request } from './raw-client.js'
import { pattern } from './serve.js'

const MIB = 2 ** 20
const LOGICAL_BLOCKS = 100_000
/** Here the good client's data are; the bad ones stay away. */
const OWN_AT = 300 * MIB

describe('a volume with clients that behave badly', function () {
  this.timeout(60_000)
  let segments: readonly SharedArrayBuffer[]
  let volume: VdoVolume
  let server: NbdServer
  let good: RawClient
  const clients: RawClient[] = []

  beforeEach(async () => {
    segments = formatInMemory({ logicalBlocks: LOGICAL_BLOCKS }).segments
    volume = await openVolume({ device: segments, threads: 'tiny' })
    server = await serveNbd({
      uri: 'nbd://127.0.0.1:0/',
      exports: [{ name: '', target: volume.target }],
      closeTimeoutMs: 1000,
    })
    good = await attach()
  })

  /** Whatever happened: the engine has no request left, saves its volume, and that is sound. */
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await server.close()
    await untilIdle()
    await volume.close()
    auditClosed(segments)
  })

  /** What was acknowledged travels on, and what waits in the packer needs a flush to leave it. */
  async function untilIdle(): Promise<void> {
    await volume.flush()
    while (volume.statistics().currentVIOsInProgress > 0)
      await new Promise((resolve) => setImmediate(resolve))
  }

  async function attach(structured = false): Promise<RawClient> {
    const client = await RawClient.attach(server.uri, { structured })
    clients.push(client)
    return client
  }

  /** The good client writes, and reads it back. */
  async function goOn(seed: number): Promise<void> {
    const data = pattern(70_001, seed)
    const at = OWN_AT + (seed % 16) * 123_457
    expect((await good.ask(CMD.write, at, data.length, FLAG.fua, data)).error).to.equal(0)
    const { data: read } = await good.ask(CMD.read, at, data.length)
    expect(data.equals(read)).to.equal(true)
  }

  /** Waits until only the good client is there: the others' requests have ended too. */
  async function untilAlone(): Promise<void> {
    while (server.connectionCount > 1) await new Promise((resolve) => setImmediate(resolve))
  }

  it('outlives clients that vanish in the middle of requests of every kind', async () => {
    const prng = new Prng(41)
    for (let round = 0; round < 40; round++) {
      const client = await attach(prng.below(2) === 0)
      for (let i = prng.below(60); i > 0; i--) {
        const offset = prng.below(200 * MIB)
        const length = prng.below(prng.pick([10, 5000, 300_000, 4 * MIB]))
        const command = prng.pick([CMD.read, CMD.read, CMD.write, CMD.trim, CMD.zeroes, CMD.flush, CMD.cache])
        if (command === CMD.write) client.send(request(command, i, offset, length, 0, pattern(length, i)))
        else if (command === CMD.flush) client.send(request(command, i, 0, 0))
        else client.send(request(command, i, offset, length))
      }
      // Half a payload, or half a header, comes last.
      client.send(
        prng.below(2) === 0
          ? request(CMD.write, 99, 0, 8 * MIB, 0, pattern(prng.below(MIB), 1))
          : request(CMD.read, 99, 0, 4096).subarray(0, 1 + prng.below(27)),
      )
      if (prng.below(2) === 0) await new Promise((resolve) => setImmediate(resolve))
      if (prng.below(2) === 0) client.socket.resetAndDestroy()
      else client.destroy()
      if (round % 4 === 0) await goOn(round)
    }
    await untilAlone()
    await untilIdle()
    await goOn(1000)
  })

  it('serves the others while clients take no answers', async () => {
    const lazy = await Promise.all([attach(), attach(true), attach(true)])
    for (const client of lazy) {
      client.socket.pause()
      for (let i = 0; i < 50; i++) client.send(request(CMD.read, i, 0, 32 * MIB))
    }
    for (let i = 0; i < 20; i++) await goOn(i)
    // What they asked for and nobody takes holds no vio for ever.
    const mostOfOneClient = 1024
    expect(volume.statistics().currentVIOsInProgress).to.be.at.most(lazy.length * mostOfOneClient)
    for (const client of lazy) client.destroy()
    await untilAlone()
    await goOn(99)
  })

  it('gives no memory for what is announced and does not come', async () => {
    setFlagsFromString('--expose_gc')
    const collect = runInNewContext('gc') as () => void
    const held = (): number => {
      collect()
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      return arrayBuffers + heapUsed
    }
    const before = held()
    for (let i = 0; i < 40; i++) {
      const client = await attach()
      client.send(request(CMD.write, 1, 0, 32 * MIB, 0, pattern(1000, i)))
      const asking = await RawClient.connect(server.uri)
      clients.push(asking)
      await asking.hello()
      asking.send(option(77, Buffer.alloc(100), 32 * MIB))
    }
    await goOn(5)
    // A piece of 256 KiB for each payload, a batch for each connection.
    expect(held() - before).to.be.lessThan(40 * 1.5 * MIB)
    await goOn(6)
  })

  it('serves the whole range of lengths and alignments on many connections', async () => {
    const prng = new Prng(7)
    const several = await Promise.all([attach(), attach(true), attach(), attach(true)])
    await Promise.all(
      several.map(async (client, i) => {
        const base = i * 64 * MIB
        for (const length of [1, 511, 4096, 4097, 65_537, 3 * MIB + 5, ...(i === 0 ? [32 * MIB] : [])]) {
          const at = base + prng.below(8 * MIB)
          const data = pattern(length, length + i)
          expect((await client.ask(CMD.write, at, length, 0, data)).error).to.equal(0)
          const { data: read } = await client.ask(CMD.read, at, length)
          expect(data.equals(read), `${length} bytes at ${at}`).to.equal(true)
          const cut = Math.floor(length / 2)
          expect((await client.ask(CMD.zeroes, at, cut, FLAG.fua)).error).to.equal(0)
          const { data: half } = await client.ask(CMD.read, at, length)
          data.fill(0, 0, cut)
          expect(data.equals(half), `${cut} zeros at ${at}`).to.equal(true)
        }
        expect((await client.ask(CMD.flush, 0, 0)).error).to.equal(0)
      }),
    )
    await goOn(3)
  })
})
