import { existsSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'

import { askVolume } from '../../../src/server/control/control-client.js'
import { controlPath } from '../../../src/server/control/control-path.js'
import { serveControl } from '../../../src/server/control/control-server.js'
import { codeOf } from '../../outcomes.js'
import { withTempDir } from '../../tools.js'

const methods = {
  stats: () => ({ version: 36 }),
  broken: () => {
    throw new Error('no such thing')
  },
}

describe('the control socket', () => {
  it('answers its owner, and is gone afterwards', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'volume')
      writeFileSync(device, '')
      const server = await serveControl(controlPath(device), methods)
      expect(controlPath(device)).to.equal(`${device}.sock`)
      expect(statSync(`${device}.sock`).mode & 0o777).to.equal(0o600)
      expect(await askVolume(device, 'stats')).to.deep.equal({ version: 36 })
      expect(await codeOf(askVolume(device, 'broken'))).to.equal('VDO_CONTROL')
      await server.close()
      expect(existsSync(`${device}.sock`)).to.equal(false)
      expect(await codeOf(askVolume(device, 'stats'))).to.equal('VDO_NOT_SERVED')
    }))

  it('finds a place for a volume with a long path', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'v'.repeat(120))
      writeFileSync(device, '')
      const server = await serveControl(controlPath(device), methods)
      expect(await askVolume(device, 'stats')).to.deep.equal({ version: 36 })
      await server.close()
    }))

  it('answers each line by JSON-RPC, whatever the line is', () =>
    withTempDir(async (folder) => {
      const path = join(folder, 'c.sock')
      const server = await serveControl(path, methods)
      const lines = [
        'x',
        '[]',
        '{"id":1}',
        '{"id":2,"method":"nothing"}',
        '{"id":3,"method":"__proto__"}',
        '{"id":"a","method":"STATS"}',
        '{"id":[],"method":"broken"}',
      ]
      const socket = connect(path)
      const answers: unknown[] = []
      await new Promise<void>((resolve) => {
        let text = ''
        socket.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
          if (text.split('\n').length <= lines.length) return
          answers.push(
            ...text
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line) as unknown),
          )
          resolve()
        })
        socket.write(`${lines.join('\n')}\n\n`)
      })
      const facts = answers as { id: unknown; result?: unknown; error?: { code: number } }[]
      expect(facts.map(({ id, result, error }) => [id, error?.code ?? result])).to.deep.equal([
        [null, -32700],
        [null, -32600],
        [null, -32600],
        [2, -32601],
        [3, -32601],
        ['a', { version: 36 }],
        [null, -32603],
      ])
      socket.destroy()
      await server.close()
    }))

  it('drops a client whose line does not end', () =>
    withTempDir(async (folder) => {
      const path = join(folder, 'c.sock')
      const server = await serveControl(path, methods)
      const socket = connect(path)
      socket.on('error', () => {})
      socket.write('x'.repeat(200_000))
      await new Promise((resolve) => socket.on('close', resolve))
      await server.close()
    }))
})
