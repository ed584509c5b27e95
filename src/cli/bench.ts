/** `vdo bench`: what it takes; the measuring is loaded when it is wanted (bench/run-bench.ts). */

import { Command } from 'commander'
import { badArgument, decimalNumber, listOf, oneOf, wholeNumber } from './arguments.js'
import { INDEX_ROWS } from './bench/index-rows.js'
import { ROWS } from './bench/rows.js'
import type { BenchOptions } from './bench/run-bench.js'

const STORES = ['memory', 'file'] as const
const NAME_KEEPERS = ['index', 'full', 'map'] as const
/** A row of the whole index takes some seconds for these. */
const INDEX_CHAPTERS = 16
const ROW_NAMES = [...ROWS.map(({ name }) => name), ...Object.values(INDEX_ROWS)]
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
      '--names <kinds>',
      'what remembers names: index (new), full (one that is filled first, for minutes), map (in memory); ' +
        'with map also what the index costs',
      listOf('--names', oneOf('--names', NAME_KEEPERS)),
      ['index'],
    )
    .option(
      '--depth <depths>',
      `requests in flight, 1 to ${MAXIMUM_DEPTH}`,
      listOf('--depth', wholeNumber('--depth', 1, MAXIMUM_DEPTH)),
      [1, 16, 256],
    )
    .option(
      '--row <names>',
      `rows whose name contains one of these words: ${ROW_NAMES.join('; ')} (default: all)`,
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
    .option(
      '--index',
      'only the index part: the index of 0.25 GB by itself on one thread, filled with new names',
    )
    .option('--no-index', 'without the index part, which takes some minutes')
    .option(
      '--index-chapters <n>',
      'chapters of 65,536 requests that each row of the index part makes once the index is full, 1 to 1000',
      wholeNumber('--index-chapters', 1, 1000),
      INDEX_CHAPTERS,
    )
    .option('--json', 'print one JSON object')
    .action(async (options: BenchOptions) => {
      const { bench } = await import('./bench/run-bench.js')
      await bench(options)
    })
}

function knownRow(word: string): string {
  if (ROW_NAMES.some((name) => name.includes(word))) return word
  throw badArgument('--row', word, `a word of ${ROW_NAMES.join('; ')}`)
}
