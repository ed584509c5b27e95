/** `vdo stats FILE…`, which is also `vdostats`: what running volumes have counted. */

import { Command } from 'commander'

import type { Statistics } from '../observe/statistics.js'
import { formatTable, formatVerbose, type NamedStatistics, type SizeUnit } from '../observe/vdostats.js'
import { askVolume } from '../server/control/control-client.js'
import { exitStatusOf } from './exit-status.js'

interface StatsOptions {
  readonly verbose?: boolean
  readonly all?: boolean
  readonly humanReadable?: boolean
  readonly si?: boolean
  readonly json?: boolean
}

export function statsCommand(name = 'stats'): Command {
  return new Command(name)
    .description('show the use and the statistics of volumes that are being served')
    .argument('<file...>', 'files or block devices of the volumes')
    .option('-v, --verbose', 'every statistic under its label')
    .option('-a, --all', 'the same as --verbose')
    .option('-r, --human-readable', 'sizes in powers of 1024, with a letter')
    .option('-s, --si', 'sizes in powers of 1000, with a letter')
    .option('--json', 'one JSON object: the statistics of the volume, or of each volume by its name')
    .action((files: readonly string[], options: StatsOptions) => stats(name, files, options))
}

/** Shows what can be shown; a volume that does not answer is told of afterwards. */
async function stats(command: string, files: readonly string[], options: StatsOptions): Promise<void> {
  const volumes: NamedStatistics[] = []
  const failures: unknown[] = []
  for (const file of files) {
    try {
      const statistics = (await askVolume(file, 'stats')) as Statistics
      volumes.push({ name: file, statistics })
    } catch (error) {
      failures.push(error)
    }
  }
  if (volumes.length > 0) process.stdout.write(textOf(volumes, files.length, options))
  if (files.length === 1 && failures.length === 1) throw failures[0]
  for (const failure of failures) {
    process.stderr.write(`${command}: ${failure instanceof Error ? failure.message : String(failure)}\n`)
    process.exitCode = exitStatusOf(failure)
  }
}

function textOf(volumes: readonly NamedStatistics[], asked: number, options: StatsOptions): string {
  if (options.json === true) {
    const [only] = volumes
    const byName = Object.fromEntries(volumes.map(({ name, statistics }) => [name, statistics]))
    return `${JSON.stringify(asked === 1 ? only.statistics : byName)}\n`
  }
  if (options.verbose === true || options.all === true) return volumes.map(formatVerbose).join('')
  return formatTable(volumes, unitOf(options))
}

function unitOf({ si, humanReadable }: StatsOptions): SizeUnit {
  if (si === true) return '1000'
  return humanReadable === true ? '1024' : '1k'
}
