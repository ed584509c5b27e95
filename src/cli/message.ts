/**
 * `vdo message FILE MESSAGE`: VDO's messages to a volume that is being served. Those that change the index take effect
 * behind the volume that serves; this waits for the outcome for a while and says what state the index is in.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'

import { VdoError } from '../base/errors.js'
import type { VdoStatistics } from '../engine/statistics.js'
import { askVolume } from '../server/control/control-client.js'
import { oneOf } from './arguments.js'

/** How long an index may take to open or close before this stops waiting for it, as VDO's manager did. */
const PATIENCE_MS = 20_000
const INTERVAL_MS = 100

/** What is answered at once, with what is asked for. */
const QUESTIONS = ['stats', 'config']
const MESSAGES = ['index-create', 'index-close', 'index-enable', 'index-disable', ...QUESTIONS]

interface MessageOptions {
  readonly json?: boolean
}

type IndexTold = VdoStatistics['index']

export function messageCommand(): Command {
  return new Command('message')
    .description('send one of the messages of dm-vdo to a volume that is being served')
    .argument('<file>', 'file or block device of the volume')
    .argument('<message>', MESSAGES.join(', '), (text) => oneOf('the message', MESSAGES)(text.toLowerCase()))
    .option('--json', 'one JSON object')
    .action((file: string, message: string, options: MessageOptions) => send(file, message, options))
}

async function send(file: string, message: string, options: MessageOptions): Promise<void> {
  const answer = await askVolume(file, message)
  if (QUESTIONS.includes(message)) {
    process.stdout.write(`${JSON.stringify(answer)}\n`)
    return
  }
  const { state, problem } = await settled(file, answer as IndexTold)
  process.stdout.write(options.json === true ? `${JSON.stringify({ index: state })}\n` : `index ${state}\n`)
  if (state === 'error')
    throw new VdoError('VDO_INDEX_ERROR', `The index of ${file} failed: ${problem ?? ''}`)
  if (state === 'opening' || state === 'closing') {
    process.stderr.write(`vdo: the index is still ${state}; \`vdo message ${file} stats\` tells how it is\n`)
  }
}

/** How the index is once it has come to rest, or after a while. */
async function settled(file: string, told: IndexTold): Promise<IndexTold> {
  let index = told
  for (let waited = 0; waited < PATIENCE_MS; waited += INTERVAL_MS) {
    if (index.state !== 'opening' && index.state !== 'closing') break
    await sleep(INTERVAL_MS)
    index = ((await askVolume(file, 'stats')) as VdoStatistics).index
  }
  return index
}
