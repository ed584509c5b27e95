/** `vdo message`, to a volume that `vdo serve` serves. */
import { join } from 'node:path'
import { expect } from 'chai'
import { spawnServer, vdo, withTempDir } from '../tools.js'

describe('vdo message', function () {
  this.timeout(60_000)

  it('closes, opens, makes and puts aside the index of a volume that is served', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'volume')
      const made = await vdo(['format', file, '--size', '4G', '--logical-size', '1G', '--slab-bits', '13'])
      expect(made.status).to.equal(0)
      const server = await spawnServer(file, `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`)
      const say = async (...words: string[]) => {
        const { status, stdout } = await vdo(['message', file, ...words])
        return `${status} ${stdout.trim()}`
      }
      expect(await say('index-close')).to.equal('0 index closed')
      expect(await say('INDEX-ENABLE', '--json')).to.equal('0 {"index":"online"}')
      expect(await say('index-disable')).to.equal('0 index offline')
      expect(await say('index-create')).to.equal('0 index offline')
      expect(await say('index-enable')).to.equal('0 index online')
      const { index } = JSON.parse((await vdo(['message', file, 'stats'])).stdout) as {
        index: { state: string }
      }
      expect(index.state).to.equal('online')
      expect((await vdo(['message', file, 'index-dance'])).status).to.equal(2)
      await server.stop()
      const late = await vdo(['message', file, 'index-close'])
      expect([late.status, late.stderr.includes('nobody serves it')]).to.deep.equal([5, true])
    }))
})
