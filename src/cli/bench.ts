/** `vdo bench`: what it takes; the measuring is loaded when it is wanted (bench/run-bench.ts). */

import { Command } from 'commander'
import { badArgument, decimalNumber, listOf, oneOf, wholeNumber } from './arguments.js'
import { ROWS } from './bench/rows.js'
import type { BenchOptions } from './bench/run-bench.js'

const STORES = ['memory', 'file'] as const
/** More requests than vios wait in the front end: a deeper queue measures the wait. */
const MAXIMUM_DEPTH = 2048

export function benchCommand(): Command {
  return new Command('bench')
    .description('measure blocks a second, CPU a block and latency of every kind of request')
    .option(
      '--store <kinds>',
      'memory, file (in the folder for temporary files), or both',
      listOf('--store', oneOf('--store', STORES)),
      ['memory', 'file'],
    )
    .option(
      '--threads <profiles>',
      "thread profiles: 'default', 'tiny', 'wide', or YAML files",
      listOf('--threads', (text) => text),
      ['tiny', 'default'],
    )
    .option(
      '--depth <depths>',
      `requests in flight, 1 to ${MAXIMUM_DEPTH}`,
      listOf('--depth', wholeNumber('--depth', 1, MAXIMUM_DEPTH)),
      [1, 16, 256],
    )
    .option(
      '--row <names>',
      `rows whose name contains one of these words: ${ROWS.map((r) => r.name).join('; ')} (default: all)`,
      listOf('--row', knownRow),
    )
    .option(
      '--blocks <n>',
      'at least this many blocks a row, 1 to 1000000000; below 500000 a row is only a hint',
      wholeNumber('--blocks', 1, 1e9),
      500_000,
    )
    .option(
      '--seconds <n>',
      'at least this many seconds a row, 0 to 3600; below 5 a row is only a hint',
      decimalNumber('--seconds', 0, 3600),
      5,
    )
    .option(
      '--repeats <n>',
      'how often each row is measured, 1 to 100; the median counts',
      wholeNumber('--repeats', 1, 100),
      1,
    )
    .option('--json', 'print one JSON object')
    .action(async (options: BenchOptions) => {
      const { bench } = await import('./bench/run-bench.js')
      await bench(options)
    })
}

function knownRow(word: string): string {
  if (ROWS.some(({ name }) => name.includes(word))) return word
  throw badArgument('--row', word, `a word of ${ROWS.map(({ name }) => name).join('; ')}`)
}
