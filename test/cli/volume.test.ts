import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { CMD, E, FLAG, RawClient } from '../server/nbd/raw-client.js'
import { pattern } from '../server/nbd/serve.js'
import { ROOT, spawnServer, vdo, withTempDir } from '../tools.js'

const OFFSET = 5_000_000_001

describe('npm start', () => {
  it('builds, then becomes the server, so that its end is the server’s', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    expect(scripts['start']).to.equal(
      'npm run -s build && exec node dist/src/cli/vdo.js serve vdo0.img --create',
    )
  })
})

describe('a volume of vdo serve --create', function () {
  this.timeout(60_000)

  it('is made, saved on Ctrl-C, and opened again with what was written', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'vdo0.img')
      const uri = `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`
      const data = pattern(100_000, 3)

      const first = await spawnServer(file, uri, ['--create', '--log-level', 'silent'])
      const writer = await RawClient.attach(uri)
      expect((await writer.ask(CMD.write, OFFSET, data.length, FLAG.fua, data)).error).to.equal(0)
      writer.destroy()
      await first.stop()
      expect(first.output())
        .to.match(/^Made a volume in .*\nServing .*\(64\.0G for clients on 16\.0G, threads 'default'\) at\n/)
        .and.match(/^ {2}node \S*vdo\.js stats \S+$/m)
        .and.match(/Saved .*\.\n$/)
        .and.not.match(/Client/)

      const again = await spawnServer(file, uri, ['--create', '--threads', 'tiny'])
      const reader = await RawClient.attach(uri)
      expect(data.equals((await reader.ask(CMD.read, OFFSET, data.length)).data)).to.equal(true)
      const stats = await vdo(['stats', file, '--json'])
      expect(JSON.parse(stats.stdout)).to.include({ logicalBlocksUsed: 25, mode: 'normal' })
      reader.destroy()
      await again.stop()
      expect(again.output())
        .to.match(/info {2}Client 1 is attached\n[^]*info {2}Client 1 has left\n/)
        .and.not.contain('Made')
      expect((await vdo(['audit', file])).status).to.equal(0)
    }))

  it('that was killed says that it recovers', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const uri = `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`
      const killed = await spawnServer(file, uri, ['--create', '--size', '6G'])
      expect(killed.output()).to.not.match(/The volume/)
      await killed.kill()
      const server = await spawnServer(file, uri)
      expect(server.output()).to.match(/info {2}The volume was not closed: its journal is replayed first/)
      await server.stop()
      expect(server.output()).to.match(/Saved .*\.\n$/)
    }))

  it('in read-only mode says so, to its clients too, and how that ends', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const uri = `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`
      await (await spawnServer(file, uri, ['--create', '--size', '6G'])).stop()
      expect((await vdo(['read-only', file])).status).to.equal(0)
      const server = await spawnServer(file, uri)
      const client = await RawClient.attach(uri)
      expect((await client.ask(CMD.write, 0, 4096, 0, pattern(4096, 1))).error).to.equal(E.perm)
      expect((await client.ask(CMD.read, 0, 4096)).data).to.deep.equal(Buffer.alloc(4096))
      client.destroy()
      await server.stop()
      const command =
        /warn {2}The volume is in read-only mode.* after: node \S*vdo\.js (force-rebuild \S+)\n/.exec(
          server.output(),
        )
      expect(command?.[1]).to.equal(`force-rebuild ${file}`)
      expect(server.output()).to.match(/Closed \S+, which is as it was\.\n$/)
      expect((await vdo(['force-rebuild', file])).status).to.equal(0)
      const rebuilt = await spawnServer(file, uri)
      expect(rebuilt.output()).to.match(/warn {2}The volume is rebuilt first/)
      const writer = await RawClient.attach(uri)
      expect((await writer.ask(CMD.write, 0, 4096, FLAG.fua, pattern(4096, 1))).error).to.equal(0)
      writer.destroy()
      await rebuilt.stop()
    }))
})
