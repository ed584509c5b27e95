/** `vdo stats [FILE…]`, which is also `vdostats`: what running volumes have counted. */

import { Command } from 'commander'
import { VdoError } from '../base/errors.js'
import type { VdoStatistics } from '../engine/statistics.js'
import { statFile } from '../host/system-reason.js'
import { formatTable, formatVerbose, type NamedStatistics, type SizeUnit } from '../observe/vdostats.js'
import { askVolume } from '../server/control/control-client.js'
import { perhapsServedIn } from '../server/control/control-path.js'
import { oneOf } from './arguments.js'
import { exitStatusOf } from './exit-status.js'

const FORMS = ['table', 'verbose', 'json', 'prometheus'] as const
type Form = (typeof FORMS)[number]

interface StatsOptions {
  readonly format?: Form
  readonly verbose?: boolean
  readonly all?: boolean
  readonly humanReadable?: boolean
  readonly si?: boolean
  readonly json?: boolean
}

export function statsCommand(name = 'stats'): Command {
  return new Command(name)
    .description('show the use and the statistics of volumes that are being served')
    .argument('[file...]', 'files or block devices of the volumes (default: those served in this folder)')
    .option(
      '--format <form>',
      'table; verbose: every statistic under its label; json: one object, the statistics of the volume or of ' +
        'each by its name; prometheus: text for a scrape (default: "table")',
      oneOf('--format', FORMS),
    )
    .option('-v, --verbose', 'the same as --format verbose')
    .option('-a, --all', 'the same as --verbose')
    .option('--json', 'the same as --format json')
    .option('-r, --human-readable', 'table with sizes in powers of 1024, with a letter (default: in KiB)')
    .option('-s, --si', 'table with sizes in powers of 1000, with a letter')
    .action((files: readonly string[], options: StatsOptions) =>
      files.length === 0 ? statsHere(options) : stats(name, files, options),
    )
}

/** Shows all volumes of this folder that are being served. */
async function statsHere(options: StatsOptions): Promise<void> {
  const answers = await Promise.all(perhapsServedIn('.').map(ifServed))
  const volumes = answers.filter((answer) => answer !== null)
  if (volumes.length === 0) {
    throw new VdoError('VDO_NOT_SERVED', 'Cannot show statistics: no volume of this folder is being served')
  }
  process.stdout.write(await textOf(volumes, volumes.length, options))
}

async function ifServed(file: string): Promise<NamedStatistics | null> {
  try {
    return { name: file, statistics: await statisticsOf(file) }
  } catch (error) {
    if (error instanceof VdoError && error.code === 'VDO_NOT_SERVED') return null
    throw error
  }
}

/** Shows what can be shown; a volume that does not answer is told of afterwards. */
async function stats(command: string, files: readonly string[], options: StatsOptions): Promise<void> {
  const volumes: NamedStatistics[] = []
  const failures: unknown[] = []
  for (const file of files) {
    try {
      volumes.push({ name: file, statistics: await statisticsOf(file) })
    } catch (error) {
      failures.push(error)
    }
  }
  if (volumes.length > 0) process.stdout.write(await textOf(volumes, files.length, options))
  if (files.length === 1 && failures.length === 1) throw failures[0]
  for (const failure of failures) {
    process.stderr.write(`${command}: ${failure instanceof Error ? failure.message : String(failure)}\n`)
    process.exitCode = exitStatusOf(failure)
  }
}

async function statisticsOf(file: string): Promise<VdoStatistics> {
  const stat = statFile('Cannot ask', file)
  if (stat === undefined) throw new VdoError('VDO_NOT_FOUND', `Cannot ask ${file}: it does not exist`)
  if (!stat.isFile() && !stat.isBlockDevice()) {
    throw new VdoError('VDO_NOT_FOUND', `Cannot ask ${file}: it is neither a file nor a block device`)
  }
  return (await askVolume(file, 'stats')) as VdoStatistics
}

async function textOf(
  volumes: readonly NamedStatistics[],
  asked: number,
  options: StatsOptions,
): Promise<string> {
  switch (formOf(options)) {
    case 'json': {
      const [only] = volumes
      const byName = Object.fromEntries(volumes.map(({ name, statistics }) => [name, statistics]))
      return `${JSON.stringify(asked === 1 ? only.statistics : byName)}\n`
    }
    case 'prometheus': {
      const { formatPrometheus } = await import('../observe/prometheus.js')
      return formatPrometheus(volumes)
    }
    case 'verbose':
      return volumes.map(formatVerbose).join('')
    case 'table':
      return formatTable(volumes, unitOf(options))
  }
}

function formOf({ format, json, verbose, all }: StatsOptions): Form {
  if (format !== undefined) return format
  if (json === true) return 'json'
  return verbose === true || all === true ? 'verbose' : 'table'
}

function unitOf({ si, humanReadable }: StatsOptions): SizeUnit {
  if (si === true) return '1000'
  return humanReadable === true ? '1024' : '1k'
}
