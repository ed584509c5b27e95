import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { CMD, FLAG, RawClient } from '../server/nbd/raw-client.js'
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
})
