import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { showProgress } from '../../src/cli/progress.js'

/** What a terminal, or something else, is sent while a command goes from nothing to half. */
function sent(isTerminal: boolean): string {
  const stream = Object.assign(new PassThrough(), { isTTY: isTerminal, columns: 80, cursorTo: () => true })
  const terminal = Object.assign(stream, { clearLine: () => true, moveCursor: () => true })
  const progress = showProgress('Auditing', terminal)
  progress.update(1, 2, 'slabs')
  progress.stop()
  return String(terminal.read() ?? '')
}

describe('progress', () => {
  it('is a line on a terminal, and nothing anywhere else', () => {
    expect(sent(true)).to.match(/Auditing .* 50 % slabs/)
    expect(sent(false)).to.equal('')
  })
})
