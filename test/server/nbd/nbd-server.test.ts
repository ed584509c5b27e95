import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'

import { serveNbd } from '../../../src/server/nbd/nbd-server.js'
import { codeOf } from '../../outcomes.js'
import { MemoryTarget } from './memory-target.js'
import { CMD, E, RawClient, request } from './raw-client.js'
import { pattern, withServer } from './serve.js'

const exports = [{ name: '', target: new MemoryTarget(4096) }]

describe('an NBD server', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'uvdo-nbd-'))
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  it('prints the port that it was given', async () => {
    const server = await serveNbd({ uri: 'nbd://localhost:0/', exports })
    expect(server.uri).to.match(/^nbd:\/\/localhost:[1-9]\d*\/$/)
    const client = await RawClient.attach(server.uri)
    expect((await client.ask(CMD.read, 0, 10)).data).to.have.length(10)
    client.destroy()
    await server.close()
  })

  it('says that a port is taken', async () => {
    const first = await serveNbd({ uri: 'nbd://127.0.0.1:0/', exports })
    expect(await codeOf(serveNbd({ uri: first.uri, exports }))).to.equal('VDO_ADDRESS_IN_USE')
    await first.close()
  })

  it('keeps its socket to its owner and removes it at the end', async () => {
    const path = join(folder, 'a.sock')
    const server = await serveNbd({ uri: `nbd+unix:///?socket=${path}`, exports })
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    await server.close()
    expect(existsSync(path)).to.equal(false)
  })

  it('takes the place of a socket that nobody listens on, and of nothing else', async () => {
    const path = join(folder, 'b.sock')
    const uri = `nbd+unix:///?socket=${path}`
    const refused = async (): Promise<void> => {
      expect(await codeOf(serveNbd({ uri, exports }))).to.equal('VDO_ADDRESS_IN_USE')
    }
    const server = await serveNbd({ uri, exports })
    await refused()
    await server.close()
    writeFileSync(path, 'precious')
    await refused()
    rmSync(path)
    await leaveStaleSocket(path)
    expect(existsSync(path)).to.equal(true)
    await (await serveNbd({ uri, exports })).close()
  })

  it('refuses exports that cannot be told apart or are not there', async () => {
    const [one] = exports
    for (const wrong of [[], [one, one], [{ ...one, name: 'n'.repeat(4097) }]]) {
      const serving = serveNbd({ uri: 'nbd://127.0.0.1:0/', exports: wrong })
      expect(await codeOf(serving)).to.equal('VDO_NBD_EXPORT')
    }
    expect(await codeOf(serveNbd({ uri: 'nbd://127.0.0.1:0/x', exports }))).to.equal('VDO_NBD_EXPORT')
  })

  it('serves many clients at once', () =>
    withServer(async ({ attach, target, server }) => {
      const clients = await Promise.all(
        Array.from({ length: 40 }, (_, i) => attach({ structured: i % 2 === 0 })),
      )
      expect(server.connectionCount).to.equal(40)
      await Promise.all(
        clients.map(async (client, i) => {
          for (let round = 0; round < 10; round++) {
            const offset = (round * 40 + i) * 5000
            const data = pattern(5000, offset)
            await client.ask(CMD.write, offset, data.length, 0, data)
            expect((await client.ask(CMD.read, offset, data.length)).data.equals(data)).to.equal(true)
          }
        }),
      )
      expect(target.count.writes).to.equal(400)
    }))

  it('turns away clients above its limit', () =>
    withServer(
      async ({ attach, connect }) => {
        await attach()
        await attach()
        expect(await (await connect()).end()).to.have.length(0)
      },
      { maximumConnections: 2 },
    ))

  it('closes after what is in flight, and refuses the rest', () =>
    withServer(async ({ attach, connect, target, server }) => {
      const idle = await attach()
      const talking = await connect()
      const half = await attach()
      half.send(request(CMD.write, 1, 0, 4096, 0, Buffer.alloc(100)))
      const busy = await attach()
      target.held = true
      busy.send(request(CMD.write, 1, 0, 5, 0, Buffer.from('saved')))
      while (target.pending < 1) await new Promise((resolve) => setImmediate(resolve))
      const closed = server.close()
      await Promise.all([idle.end(), talking.end(), half.end()])
      busy.send(request(CMD.write, 2, 0, 4, 0, Buffer.from('late')))
      expect(await busy.reply()).to.include({ cookie: 2n, error: E.shutdown })
      target.release()
      expect(await busy.reply()).to.include({ cookie: 1n, error: 0 })
      await closed
      expect(Buffer.from(target.bytes.subarray(0, 5)).toString()).to.equal('saved')
      expect(target.count.writes).to.equal(1)
    }))
})

/** A socket file as a killed server leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(path, resolve))
  // Closing would remove the file that has this name, so it has another one meanwhile.
  renameSync(path, `${path}.kept`)
  await new Promise<void>((resolve) => listener.close(() => resolve()))
  renameSync(`${path}.kept`, path)
}
