/** `npm run bench:parts`: what the single things cost that every block needs, for the sum that docs/performance.md does. */
import Table from 'cli-table3'
import { memoryLender } from '../src/host/lend-memory.js'
import { blockWork } from './block-work.js'
import { ringHops } from './ring-hop.js'
import { measure } from './slices.js'
import { wakeUps } from './wake-up.js'

const { parts, end } = await wakeUps()
const measured = measure([...blockWork(await memoryLender()), ...ringHops(), ...parts])
await end()

const table = new Table({
  head: ['part', 'best ns', 'median ns'],
  colAligns: ['left', 'right', 'right'],
  style: { head: [], border: [], compact: true },
})
for (const { name, best, median } of measured) table.push([name, best.toFixed(0), median.toFixed(0)])
process.stdout.write(`${table.toString()}\n`)
