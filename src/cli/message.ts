/**
 * `vdo message FILE MESSAGE`: VDO's messages to a volume that is being served. Those that change the index take effect
 * behind the volume that serves; this waits for the outcome for a while and says what state the index is in.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'

import { VdoError } from '../base/errors.js'
import { askVolume } from '../server/control/control-client.js'

/** How long an index may take to open or close before this stops waiting for it, as VDO's manager did. */
const PATIENCE_MS = 20_000
const INTERVAL_MS = 100

const INDEX_MESSAGES = ['index-create', 'index-close', 'index-enable', 'index-disable'] as const
const QUESTIONS = ['stats', 'config'] as const

interface MessageOptions {
  readonly json?: boolean
}

/** What the statistics tell of the index. */
interface IndexTold {
  readonly state: string
  readonly problem?: string
}

export function messageCommand(): Command {
  return new Command('message')
    .description('send one of the messages of dm-vdo to a volume that is being served')
    .argument('<file>', 'file or block device of the volume')
    .argument('<message>', [...INDEX_MESSAGES, ...QUESTIONS].join(', '))
    .option('--json', 'one JSON object')
    .action((file: string, message: string, options: MessageOptions) => send(file, message, options))
}

async function send(file: string, text: string, options: MessageOptions): Promise<void> {
  const message = text.toLowerCase()
  if ((QUESTIONS as readonly string[]).includes(message)) {
    process.stdout.write(`${JSON.stringify(await askVolume(file, message))}\n`)
    return
  }
  if (!(INDEX_MESSAGES as readonly string[]).includes(message)) {
    const known = [...INDEX_MESSAGES, ...QUESTIONS].join(', ')
    throw new VdoError('VDO_BAD_ARGUMENT', `There is no message "${text}": they are ${known}`)
  }
  const { state, problem } = await settled(file, (await askVolume(file, message)) as IndexTold)
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
    index = ((await askVolume(file, 'stats')) as { index: IndexTold }).index
  }
  return index
}
