/**
 * `vdo serve FILE`: opens a volume, or makes one first, and serves it over NBD until it is told to stop. Stopping
 * finishes what clients have asked for, saves the volume, and exits 0; a second Ctrl-C stops at once and saves
 * nothing.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'

import { VdoError } from '../base/errors.js'
import { humanSize, parseSize } from '../base/sizes.js'
import type { ExportTarget } from '../engine/export-target.js'
import { DEFAULT_SLAB_BITS } from '../format/constants.js'
import type { Statistics } from '../observe/statistics.js'
import { controlPath } from '../server/control/control-path.js'
import { type ControlServer, serveControl } from '../server/control/control-server.js'
import { type NbdServer, serveNbd } from '../server/nbd/nbd-server.js'
import { type NbdAddress, parseNbdUri } from '../server/nbd/uri.js'
import { ExitStatus } from './exit-status.js'
import { packageVersion } from './version.js'

/** What this command needs of an open volume. */
export interface ServableVolume {
  readonly target: ExportTarget
  readonly logicalSize: number
  readonly physicalSize: number
  /** Settles if the engine stops by itself. */
  readonly halted: Promise<Error>
  statistics(): Statistics
  /** Saves and ends. */
  close(): Promise<void>
  /** Ends at once and saves nothing. */
  halt(): Promise<void>
}

/** What this command needs of the rest of the program: given by `vdo`, and by tests. */
export interface ServeParts {
  open(how: { device: string; threads: string; unsafe: boolean }): Promise<ServableVolume>
  format(how: { path: string; sizeBytes: number; logicalBytes: number; slabBits: number }): Promise<void>
}

interface ServeOptions {
  readonly create?: boolean
  readonly size: string
  readonly logicalSize: string
  readonly slabBits: string
  readonly threads: string
  readonly nbd?: string
  readonly run?: string
  readonly unsafe?: boolean
  readonly json?: boolean
}

const DEFAULT_URI = 'nbd://127.0.0.1:10809/'

export function serveCommand(parts: ServeParts): Command {
  return new Command('serve')
    .description('serve a VDO volume over NBD until Ctrl-C')
    .argument('<file>', 'file or block device that holds the volume')
    .option('--create', 'make the volume first if the file does not exist')
    .option('--size <size>', 'with --create: size of the (sparse) file, default unit M', '16G')
    .option('--logical-size <size>', 'with --create: size that clients see, up to 4P, default unit M', '64G')
    .option(
      '--slab-bits <bits>',
      'with --create: a slab has 2^bits blocks, 13 to 23',
      String(DEFAULT_SLAB_BITS),
    )
    .option('--threads <profile>', "thread profile: 'default', 'tiny', 'wide', or a YAML file", 'default')
    .option(
      '--nbd <uri>',
      `where to listen: nbd://HOST:PORT/NAME or nbd+unix:///NAME?socket=PATH (default: "${DEFAULT_URI}", with --run a private socket)`,
    )
    .option('--run <command>', 'run a shell command with $uri (and $nbd) set, then stop with its exit status')
    .option('--unsafe', 'never sync the file: fast, and a crash of the machine may lose everything')
    .option('--json', 'print one JSON object when ready')
    .action((file: string, options: ServeOptions) => serve(file, options, parts))
}

async function serve(file: string, options: ServeOptions, parts: ServeParts): Promise<void> {
  const work = privateFolder(options)
  const uri =
    options.nbd ?? (work === undefined ? DEFAULT_URI : `nbd+unix:///?socket=${join(work, 'nbd.sock')}`)
  try {
    const address = parseNbdUri(uri)
    await createIfMissing(file, options, parts)
    const signals = new StopSignals()
    try {
      await serveOpen(file, uri, address, options, parts, signals)
    } finally {
      signals.ignore()
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

async function createIfMissing(file: string, options: ServeOptions, parts: ServeParts): Promise<void> {
  const stat = statSync(file, { throwIfNoEntry: false })
  const isMissing = stat === undefined || (stat.isFile() && stat.size === 0)
  if (!isMissing) return
  if (options.create !== true) {
    const found = stat === undefined ? 'it does not exist' : 'it is empty'
    throw new VdoError('VDO_NOT_FOUND', `Cannot serve ${file}: ${found}. Add --create to make a volume there`)
  }
  await parts.format({
    path: file,
    sizeBytes: parseSize(options.size, '--size'),
    logicalBytes: parseSize(options.logicalSize, '--logical-size'),
    slabBits: wholeNumber(options.slabBits, '--slab-bits'),
  })
  if (options.json !== true) say(`Made a volume in ${file}.`)
}

function wholeNumber(text: string, what: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new VdoError('VDO_BAD_ARGUMENT', `${what} is "${text}", wanted a whole number`)
}

async function serveOpen(
  file: string,
  uri: string,
  address: NbdAddress,
  options: ServeOptions,
  parts: ServeParts,
  signals: StopSignals,
): Promise<void> {
  if (options.unsafe === true) {
    process.stderr.write(`vdo: --unsafe: nothing is synced; a crash of this machine may destroy ${file}\n`)
  }
  const volume = await parts.open({ device: file, threads: options.threads, unsafe: options.unsafe === true })
  let nbd: NbdServer | undefined
  let control: ControlServer | undefined
  const halt = (): void => {
    process.stderr.write('vdo: halted; the volume was not saved\n')
    process.exitCode = ExitStatus.Failed
    void volume.halt().finally(() => process.exit(ExitStatus.Failed))
  }
  signals.onSecond = halt
  try {
    nbd = await serveNbd({
      uri,
      exports: [{ name: address.name, description: `VDO volume ${file}`, target: volume.target }],
    })
    control = await serveControl(controlPath(file), controlMethods(file, nbd.uri, options, volume))
    announce(file, nbd.uri, options, volume)
    await untilStopped(nbd.uri, options, volume, signals)
    if (signals.seen && options.json !== true) say('Saving (Ctrl-C again: stop at once and save nothing) …')
  } catch (error) {
    await stop(nbd, control, volume).catch(() => {})
    throw error
  }
  await stop(nbd, control, volume)
  if (options.json !== true && options.run === undefined) say(`Saved ${file}.`)
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
  }
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

/** Commands that work as they stand, for whoever has the programs. */
function suggestions(file: string, uri: string): string[] {
  const quoted = `'${uri.replaceAll("'", String.raw`'\''`)}'`
  return [
    `nbdinfo ${quoted}`,
    `nbdcopy some.img ${quoted}`,
    `qemu-img convert -n -O raw some.img ${quoted}`,
    `fio --name=v --ioengine=nbd --uri=${quoted} --rw=randwrite --bs=4k --iodepth=64 --size=256m --verify=crc32c`,
    `sudo nbd-client ${nbdClientPlace(uri)} /dev/nbd0 -b 4096 && sudo mkfs.ext4 /dev/nbd0`,
    `vdo stats ${file}`,
  ]
}

function nbdClientPlace(uri: string): string {
  const address = parseNbdUri(uri)
  const name = address.name === '' ? '' : ` -N '${address.name}'`
  return (address.kind === 'unix' ? `-unix '${address.path}'` : `${address.host} ${address.port}`) + name
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Ctrl-C and its relatives: the first one asks to stop, the second one insists. */
class StopSignals {
  readonly first: Promise<NodeJS.Signals>
  seen = false
  /** Until a volume is open there is nothing to save. */
  onSecond = (): void => process.exit(ExitStatus.Failed)
  private readonly listener: (signal: NodeJS.Signals) => void

  constructor() {
    let stopAsked: (signal: NodeJS.Signals) => void = () => {}
    this.first = new Promise((resolve) => {
      stopAsked = resolve
    })
    this.listener = (signal) => {
      if (this.seen) this.onSecond()
      this.seen = true
      stopAsked(signal)
    }
    for (const signal of STOP_SIGNALS) process.on(signal, this.listener)
  }

  ignore(): void {
    for (const signal of STOP_SIGNALS) process.off(signal, this.listener)
  }
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
