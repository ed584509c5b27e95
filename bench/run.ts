/** `npm run bench:parts`: what the single things cost that every block needs, for the sum that docs/performance.md does. */
import { type Column, tableOf } from '../src/cli/columns.js'
import { memoryLender } from '../src/host/lend-memory.js'
import { blockWork } from './block-work.js'
import { ringHops } from './ring-hop.js'
import { type Measured, measure } from './slices.js'
import { wakeUps } from './wake-up.js'

const COLUMNS: readonly Column<Measured>[] = [
  ['part', ({ name }) => name],
  ['best ns', ({ best }) => best.toFixed(0)],
  ['median ns', ({ median }) => median.toFixed(0)],
]

const { parts, end } = await wakeUps()
const measured = measure([...blockWork(await memoryLender()), ...ringHops(), ...parts])
await end()
process.stdout.write(`${tableOf(measured, COLUMNS)}\n`)
