/**
 * `vdo serve FILE`: opens a volume, or makes one first, and serves it over NBD until it is told to stop. Stopping
 * finishes what clients have asked for, saves the volume, and exits 0; a second Ctrl-C stops at once and saves
 * nothing.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, Option } from 'commander'

import { VdoError } from '../base/errors.js'
import { humanSize } from '../base/sizes.js'
import type { ExportTarget } from '../engine/export-target.js'
import type { VdoStatistics } from '../engine/statistics.js'
import { DEFAULT_SLAB_BITS } from '../format/constants.js'
import type { VolumeState } from '../format/super-block.js'
import { statFile } from '../host/system-reason.js'
import { controlPath } from '../server/control/control-path.js'
import { type ControlServer, serveControl } from '../server/control/control-server.js'
import type { NbdExport } from '../server/nbd/exports.js'
import { requireFree } from '../server/nbd/listen.js'
import { type NbdServer, serveNbd } from '../server/nbd/nbd-server.js'
import { type NbdAddress, parseNbdUri } from '../server/nbd/uri.js'
import { badArgument, readSlabBits, SLAB_BITS, sizeInBytes } from './arguments.js'
import { ConditionWatch, type Remark } from './condition.js'
import { ExitStatus } from './exit-status.js'
import { FullnessWatch } from './fullness.js'
import { createLog, LOG_LEVELS, type LogLevel, readLogLevel } from './log.js'
import { StopSignals } from './stop-signals.js'
import { suggestions, thisProgram } from './suggestions.js'
import { packageVersion } from './version.js'

/** What this command needs of an open volume. */
export interface ServableVolume {
  readonly target: ExportTarget
  readonly logicalSize: number
  readonly physicalSize: number
  /** Settles if the engine stops by itself. */
  readonly halted: Promise<Error>
  /** Why no write is taken, in a sentence; null if writes are. */
  readonly readOnlyReason: string | null
  statistics(): VdoStatistics
  /** What VDO's messages of these names do. Each settles when the index has come to rest. */
  indexSettled(): Promise<void>
  createIndex(): Promise<void>
  closeIndex(): Promise<void>
  enableIndex(): Promise<void>
  disableIndex(): Promise<void>
  /** Saves and ends. */
  close(): Promise<void>
  /** Ends at once and saves nothing. */
  halt(): Promise<void>
}

export interface OpenHow {
  readonly device: string
  readonly threads: string
  readonly unsafe: boolean
  /** Hears what goes wrong behind the volume. */
  readonly report: (sentence: string) => void
}

/** What this command needs of the rest of the program: given by `vdo`, and by tests. */
export interface ServeParts {
  /** Rejects if the thread profile cannot be used, or somebody else has the device open. */
  check(how: { readonly device: string; readonly threads: string }): Promise<void>
  /** How the volume in a file stands on disk. Rejects if there is none. */
  stateOf(path: string): Promise<VolumeState>
  open(how: OpenHow): Promise<ServableVolume>
  format(how: { path: string; sizeBytes: number; logicalBytes: number; slabBits: number }): Promise<void>
}

interface ServeOptions {
  readonly create?: boolean
  readonly size: number
  readonly logicalSize: number
  readonly slabBits: number
  readonly threads: string
  readonly logLevel?: LogLevel
  readonly nbd?: string
  readonly run?: string
  readonly unsafe?: boolean
  readonly json?: boolean
}

const GIB = 2 ** 30
/** Filling up takes longer than this. */
const LOOK_EVERY_MS = 5_000

/** Whoever says how large a volume is to be wants it made if it is not there. */
const CREATE = { create: true }

const DEFAULT_URI = 'nbd://127.0.0.1:10809/'

export function serveCommand(parts: ServeParts): Command {
  return new Command('serve')
    .description('serve a VDO volume over NBD until Ctrl-C')
    .argument('<file>', 'file or block device that holds the volume')
    .option('--create', 'make the volume first if the file is missing or empty (default: refuse)')
    .addOption(
      new Option(
        '--size <size>',
        'size of a (sparse) file that is made, up to 256T, default unit M; implies --create',
      )
        .argParser(sizeInBytes('--size'))
        .default(16 * GIB, '16G')
        .implies(CREATE),
    )
    .addOption(
      new Option(
        '--logical-size <size>',
        'size that clients see of it, 4K to 4P, default unit M; implies --create',
      )
        .argParser(sizeInBytes('--logical-size'))
        .default(64 * GIB, '64G')
        .implies(CREATE),
    )
    .addOption(
      new Option('--slab-bits <bits>', `${SLAB_BITS}; implies --create`)
        .argParser(readSlabBits)
        .default(DEFAULT_SLAB_BITS)
        .implies(CREATE),
    )
    .option('--threads <profile>', "thread profile: 'default', 'tiny', 'wide', or a YAML file", 'default')
    .option(
      '--nbd <uri>',
      `where to listen: nbd://HOST:PORT/NAME or nbd+unix:///NAME?socket=PATH (default: "${DEFAULT_URI}", with --run a private socket)`,
    )
    .option('--run <command>', 'run a shell command with $uri (and $nbd) set, then stop with its exit status')
    .option(
      '--log-level <level>',
      `what to log on standard error: ${LOG_LEVELS.join(', ')} (default: "info", with --run "warn")`,
      readLogLevel,
    )
    .option('--unsafe', 'never sync the file: fast, and a crash of the machine may lose everything')
    .option('--json', 'print one JSON object when ready, and log in JSON')
    .action((file: string, options: ServeOptions) => serve(file, options, parts))
}

async function serve(file: string, options: ServeOptions, parts: ServeParts): Promise<void> {
  if (options.run?.trim() === '') throw badArgument('--run', options.run, 'a command of the shell')
  const work = privateFolder(options)
  const uri =
    options.nbd ?? (work === undefined ? DEFAULT_URI : `nbd+unix:///?socket=${join(work, 'nbd.sock')}`)
  try {
    const address = parseNbdUri(uri)
    // Whatever can be known to fail is known before a file is made or a volume is marked dirty.
    const isMissing = mustMake(file, options)
    await parts.check({ device: file, threads: options.threads })
    await requireFree(address)
    if (isMissing) await make(file, options, parts)
    const signals = new StopSignals()
    try {
      await serveOpen(file, uri, address, options, parts, signals)
    } finally {
      signals.done()
    }
  } finally {
    if (work !== undefined) rmSync(work, { recursive: true, force: true })
  }
}

/** A command that is run gets a socket that nobody else can find, unless an address was given. */
function privateFolder(options: ServeOptions): string | undefined {
  if (options.run === undefined || options.nbd !== undefined) return undefined
  return mkdtempSync(join(tmpdir(), 'vdo-serve-'))
}

/** Whether the volume has to be made first; throws if that was not asked for. */
function mustMake(file: string, options: ServeOptions): boolean {
  const stat = statFile('Cannot serve', file)
  const isMissing = stat === undefined || (stat.isFile() && stat.size === 0)
  if (isMissing && options.create !== true) {
    const found = stat === undefined ? 'it does not exist' : 'it is empty'
    throw new VdoError('VDO_NOT_FOUND', `Cannot serve ${file}: ${found}. Add --create to make a volume there`)
  }
  return isMissing
}

async function make(file: string, options: ServeOptions, parts: ServeParts): Promise<void> {
  const { size, logicalSize, slabBits } = options
  await parts.format({ path: file, sizeBytes: size, logicalBytes: logicalSize, slabBits })
  if (options.json !== true) say(`Made a volume in ${file}.`)
}

async function serveOpen(
  file: string,
  uri: string,
  address: NbdAddress,
  options: ServeOptions,
  parts: ServeParts,
  signals: StopSignals,
): Promise<void> {
  const log = createLog(
    options.logLevel ?? (options.run === undefined ? 'info' : 'warn'),
    options.json === true,
  )
  const unsafe = options.unsafe === true
  if (unsafe) log.warn(`Nothing is synced: a crash of this machine may destroy ${file}`)
  const report = (sentence: string): void => log.error(sentence)
  const hear = (remark: Remark | null): void => {
    if (remark !== null) log[remark.level](remark.sentence)
  }
  const condition = new ConditionWatch(await parts.stateOf(file), thisProgram('force-rebuild', file))
  hear(condition.found)
  const volume = await parts.open({ device: file, threads: options.threads, unsafe, report })
  let nbd: NbdServer | undefined
  let control: ControlServer | undefined
  const halt = (): void => {
    log.error(`Halted: ${file} was not saved`)
    process.exitCode = ExitStatus.Failed
    void volume.halt().finally(() => process.exit(ExitStatus.Failed))
  }
  signals.onSecond = halt
  const stopWatching = watch(volume, condition, hear)
  try {
    await settledWithin(FIRST_PATIENCE_MS, volume.indexSettled())
    nbd = await serveNbd({
      uri,
      exports: [exportOf(volume, address.name, file)],
      hear: (level, sentence) => log[level](sentence),
    })
    control = await serveControl(controlPath(file), controlMethods(file, nbd.uri, options, volume))
    announce(file, nbd.uri, options, volume)
    await untilStopped(nbd.uri, options, volume, signals)
    if (signals.seen && options.json !== true) say('Saving (Ctrl-C again: stop at once and save nothing) …')
  } catch (error) {
    await stop(nbd, control, volume).catch(() => {})
    throw error
  } finally {
    stopWatching()
  }
  const isReadOnly = volume.readOnlyReason !== null
  await stop(nbd, control, volume)
  if (options.json === true || options.run !== undefined) return
  say(isReadOnly ? `Closed ${file}, which is as it was.` : `Saved ${file}.`)
}

/** Clients that attach while the volume is read-only are told so; it may become that at any time. */
function exportOf(volume: ServableVolume, name: string, file: string): NbdExport {
  return {
    name,
    description: `VDO volume ${file}`,
    target: volume.target,
    get readOnly() {
      return volume.readOnlyReason !== null
    },
  }
}

/** Looks at the volume at once and then now and again; gives the function that ends it. */
function watch(
  volume: ServableVolume,
  condition: ConditionWatch,
  hear: (remark: Remark | null) => void,
): () => void {
  const fullness = new FullnessWatch()
  const look = (): void => {
    const { readOnlyReason } = volume
    const statistics = volume.statistics()
    hear(condition.look({ mode: statistics.mode, readOnlyReason }))
    const sentence = fullness.look(statistics)
    if (sentence !== null) hear({ level: 'warn', sentence })
  }
  look()
  const timer = setInterval(look, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

async function stop(
  nbd: NbdServer | undefined,
  control: ControlServer | undefined,
  volume: ServableVolume,
): Promise<void> {
  await nbd?.close()
  await control?.close()
  await volume.close()
}

/** Ends with a signal or with the command of --run; rejects when the engine stops by itself. */
async function untilStopped(
  uri: string,
  options: ServeOptions,
  volume: ServableVolume,
  signals: StopSignals,
): Promise<void> {
  const failed = volume.halted.then((error) => Promise.reject(error))
  if (options.run === undefined) {
    await Promise.race([signals.first, failed])
    return
  }
  const child = spawn(options.run, {
    shell: true,
    stdio: 'inherit',
    env: { ...process.env, ...runVariables(uri) },
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    // A shell tells of a signal by 128 and its number; so does this.
    child.once('close', (code, signal) => resolve(code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0)))
  })
  // A terminal sends its Ctrl-C to the command as well; a signal to this process alone is passed on.
  void signals.first.then((signal) => child.kill(signal))
  try {
    process.exitCode = await Promise.race([ended, failed])
  } catch (error) {
    child.kill('SIGTERM')
    throw error
  }
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

/** The variables that a command of --run finds the volume by. */
function runVariables(uri: string): Record<string, string> {
  const address = parseNbdUri(uri)
  const place: Record<string, string> =
    address.kind === 'unix'
      ? { unixsocket: address.path, nbd: `nbd:unix:${address.path}` }
      : { port: String(address.port), nbd: `nbd:${address.host}:${address.port}` }
  return { uri, exportname: address.name, ...place }
}

function controlMethods(file: string, uri: string, options: ServeOptions, volume: ServableVolume) {
  return {
    stats: () => volume.statistics(),
    config: () => ({
      version: packageVersion(),
      device: file,
      physicalSize: volume.physicalSize,
      logicalSize: volume.logicalSize,
      threads: options.threads,
      exports: [uri],
    }),
    'index-create': () => indexAfter(volume, volume.createIndex()),
    'index-close': () => indexAfter(volume, volume.closeIndex()),
    'index-enable': () => indexAfter(volume, volume.enableIndex()),
    'index-disable': () => indexAfter(volume, volume.disableIndex()),
  }
}

/** How long a message waits for the index: a rebuild takes longer, and goes on without. */
const INDEX_PATIENCE_MS = 2000

/** How long the first client waits for the index, so that it finds duplicates from its first block on. */
const FIRST_PATIENCE_MS = 1000

/** What the statistics say of the index when it has come to rest, or after a while. */
async function indexAfter(volume: ServableVolume, outcome: Promise<void>): Promise<unknown> {
  await settledWithin(INDEX_PATIENCE_MS, outcome)
  return volume.statistics().index
}

/** Why it failed, if it did, is in the statistics. */
async function settledWithin(milliseconds: number, outcome: Promise<void>): Promise<void> {
  const patience = new AbortController()
  const { signal } = patience
  await Promise.race([outcome, sleep(milliseconds, undefined, { signal })]).catch(() => {})
  patience.abort()
}

function announce(file: string, uri: string, options: ServeOptions, volume: ServableVolume): void {
  const { logicalSize, physicalSize } = volume
  if (options.json === true) {
    say(JSON.stringify({ device: file, uri, physicalSize, logicalSize, threads: options.threads }))
    return
  }
  if (options.run !== undefined) return
  const sizes = `${humanSize(logicalSize)} for clients on ${humanSize(physicalSize)}`
  say(
    [
      `Serving ${file} (${sizes}, threads '${options.threads}') at`,
      '',
      `  ${uri}`,
      '',
      'Try in another terminal:',
      ...suggestions(file, uri).map((line) => `  ${line}`),
      '',
      'Ctrl-C saves the volume and stops.',
    ].join('\n'),
  )
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
