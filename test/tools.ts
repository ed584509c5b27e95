/**
 * What tests share that meet the world outside: programs, temporary folders, servers under test.
 *
 * A test that needs a program which this machine lacks is skipped, and its name then says what was missing; with
 * UVDO_REQUIRE_TOOLS=1 it fails instead. A test that needs the shared material of UVDO_SHARED is only ever skipped.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository, seen from the compiled tests. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Programs of the administrator are often not on the path of a test run. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']

/** Where a program is, or undefined. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable)
}

/** Skips the test or suite (from its `before`) unless every program is there. */
export function requireTool(context: Mocha.Context, ...names: string[]): void {
  const missing = names.filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) skipOrFail(context, missing.join(', '))
}

/** Skips the test unless a condition of the machine holds; `what` says what is missing. */
export function requireThat(context: Mocha.Context, holds: boolean, what: string): void {
  if (!holds) skipOrFail(context, what)
}

/** The folder of shared material; the test is skipped where it is not given. */
export function requireShared(context: Mocha.Context): string {
  const shared = process.env['UVDO_SHARED']
  if (shared === undefined || shared === '') return skip(context, 'UVDO_SHARED')
  return shared
}

/** For the part of a test that can be left out where something is missing: whether it is there. */
export function canJudge(holds: boolean, what: string): boolean {
  if (!holds) failIfRequired(what)
  return holds
}

function skipOrFail(context: Mocha.Context, what: string): void {
  failIfRequired(what)
  skip(context, what)
}

function failIfRequired(what: string): void {
  if (process.env['UVDO_REQUIRE_TOOLS'] === '1') throw new Error(`Cannot test: ${what} is missing here`)
}

/** Mocha has no reasons, so the names of the tests carry it. */
function skip(context: Mocha.Context, what: string): never {
  const runnable = context.test
  const suite = runnable?.parent
  if (runnable !== undefined && suite !== undefined && 'type' in runnable && runnable.type === 'hook') {
    suite.eachTest((test) => {
      test.title += ` (needs ${what})`
    })
  } else if (runnable !== undefined) {
    runnable.title += ` (needs ${what})`
  }
  return context.skip()
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs a body with a folder of its own, which is gone afterwards. */
export async function withTempDir<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'uvdo-'))
  try {
    return await body(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, without input, killed after the time limit. Never throws for its exit status. */
export function run(program: string, args: readonly string[], timeoutMs = 120_000): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(findProgram(program) ?? program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (status) => {
      clearTimeout(timer)
      if (isLate) stderr += `\n${program} was killed after ${timeoutMs} ms`
      resolve({ status, stdout, stderr })
    })
  })
}

/** Runs a program that must succeed, and gives its standard output. */
export async function runOk(program: string, args: readonly string[], timeoutMs?: number): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, timeoutMs)
  if (status === 0) return stdout
  throw new Error(
    `Running ${program} ${args.join(' ')}: exit status is ${status}, wanted 0\n${stdout}\n${stderr}`,
  )
}

/** Our own command line, as a user starts it. */
export const VDO = join(ROOT, 'dist/src/cli/vdo.js')

/** Runs `vdo VERB ...` to its end. */
export function vdo(args: readonly string[], timeoutMs?: number): Promise<Outcome> {
  return run(process.execPath, [VDO, ...args], timeoutMs)
}

export interface Server {
  readonly uri: string
  readonly pid: number
  /** What it printed so far, both streams. */
  output(): string
  /** Ctrl-C; settles when it has saved and exited 0, and throws for any other end. */
  stop(): Promise<void>
  /** Ends it without a chance to save. */
  kill(): Promise<void>
}

/** How long a server may take to open its volume, and to save it. */
const START_MS = 30_000
const STOP_MS = 60_000

/** Serves a volume over NBD and waits for the line in which the server names the URI. */
export function spawnServer(file: string, uri: string, args: readonly string[] = []): Promise<Server> {
  const child = spawn(process.execPath, [VDO, 'serve', file, '--nbd', uri, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let onText = (): void => {}
  const hear = (text: string): void => {
    said += text
    onText()
  }
  child.stdout.setEncoding('utf8').on('data', hear)
  child.stderr.setEncoding('utf8').on('data', hear)
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (status, signal) => resolve(status ?? signal))
  })
  endWithTheRun(child)

  const server: Server = {
    uri,
    pid: child.pid ?? 0,
    output: () => said,
    async stop() {
      child.kill('SIGINT')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      const end = await ended
      clearTimeout(timer)
      if (end !== 0) throw new Error(`Stopping the server: it ended with ${end}, wanted 0\n${said}`)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }

  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`Starting the server: no URI after ${START_MS} ms\n${said}`))
    }, START_MS)
    onText = () => {
      if (!said.includes('nbd://') && !said.includes('nbd+unix://')) return
      clearTimeout(timer)
      onText = () => {}
      resolve(server)
    }
    void ended.then((end) => {
      clearTimeout(timer)
      reject(new Error(`Starting the server: it ended with ${end}\n${said}`))
    })
    child.on('error', reject)
  })
}

/** A failing test may leave its program behind: that neither keeps the test run alive nor outlives it. */
export function endWithTheRun(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
  const reap = (): void => void child.kill('SIGKILL')
  process.once('exit', reap)
  child.once('close', () => process.removeListener('exit', reap))
}

/** A TCP port of the loopback address that nobody uses at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer()
    listener.on('error', reject)
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      listener.close(() => resolve(port))
    })
  })
}

/** Whether this process may attach loop devices, which the real formatter needs in place of a disk. */
export function canLoop(): boolean {
  if (findProgram('losetup') === undefined || !existsSync('/dev/loop-control')) return false
  return spawnSync(findProgram('losetup') ?? '', ['-f'], { stdio: 'ignore', timeout: 10_000 }).status === 0
}
