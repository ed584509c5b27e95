/** Asks a running volume: one connection, one question, one answer. */

import { connect } from 'node:net'

import { VdoError } from '../../base/errors.js'
import { controlPath } from './control-path.js'

const TIMEOUT_MS = 10_000
const MAXIMUM_ANSWER = 1024 * 1024

/** The result of `method` from whoever serves `device`. Rejects with VDO_NOT_SERVED when nobody does. */
export async function askVolume(device: string, method: string): Promise<unknown> {
  const answer: unknown = JSON.parse(
    await exchange(device, `{"jsonrpc":"2.0","id":1,"method":"${method}"}\n`),
  )
  if (typeof answer === 'object' && answer !== null && 'result' in answer) return answer.result
  throw new VdoError(
    'VDO_CONTROL',
    `Cannot ask ${device} for its ${method}: it answers ${JSON.stringify(answer)}`,
  )
}

function exchange(device: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: controlPath(device) })
    let text = ''
    const fail = (why: string): void => {
      socket.destroy()
      reject(new VdoError('VDO_CONTROL', `Cannot ask ${device}: ${why}`))
    }
    socket.setEncoding('utf8')
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS / 1000} s`))
    socket.on('connect', () => socket.write(line))
    socket.on('data', (piece: string) => {
      text += piece
      if (text.length > MAXIMUM_ANSWER) fail('its answer does not end')
      if (!text.includes('\n')) return
      socket.destroy()
      resolve(text)
    })
    socket.on('end', () => fail('it closed without an answer'))
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') {
        reject(
          new VdoError(
            'VDO_NOT_SERVED',
            `Cannot ask ${device}: nobody serves it. Start it with: vdo serve ${device}`,
            {
              cause,
            },
          ),
        )
      } else {
        reject(new VdoError('VDO_CONTROL', `Cannot ask ${device}: ${cause.message}`, { cause }))
      }
    })
  })
}
