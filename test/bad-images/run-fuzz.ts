/** Starts the fuzz in a process of its own, watches over it, and gives its report. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithTheRun, ROOT, withTempDir } from '../tools.js'
import type { FuzzOrder, FuzzReport } from './fuzz.js'

const FUZZ = join(ROOT, 'dist/test/bad-images/fuzz.js')
/** Longer than any image takes on however busy a machine: then it hangs. */
const STALL_MS = 120_000
const LOOK_MS = 2_000
/** Of JavaScript's own heap: what an engine needs is in buffers. */
const HEAP_MIB = 256

/** Throws if an image makes a command do what it must not, or hang, or if the process takes more memory than allowed. */
export function runFuzz(order: Omit<FuzzOrder, 'folder'>, mostRssMiB: number): Promise<FuzzReport> {
  return withTempDir(async (folder) => {
    const report = await watch({ ...order, folder })
    if (report.failure !== undefined) throw new Error(report.failure)
    if (report.maxRssMiB > mostRssMiB)
      throw new Error(`the fuzz took ${report.maxRssMiB} MiB of memory, allowed are ${mostRssMiB}`)
    return report
  })
}

function watch(order: FuzzOrder): Promise<FuzzReport> {
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, FUZZ, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  endWithTheRun(child)
  let said = ''
  let complaints = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  const progress = (): string => {
    try {
      return readFileSync(join(order.folder, 'progress'), 'utf8').trimEnd()
    } catch {
      return ''
    }
  }
  let last = ''
  let since = Date.now()
  let hangs = false
  const watchdog = setInterval(() => {
    const now = progress()
    if (now !== last) {
      last = now
      since = Date.now()
    } else if (Date.now() - since > STALL_MS) {
      hangs = true
      child.kill('SIGKILL')
    }
  }, LOOK_MS)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearInterval(watchdog)
      if (status === 0) return resolve(JSON.parse(said) as FuzzReport)
      const why = hangs ? 'hangs' : `ends with ${status ?? signal}`
      reject(new Error(`seed ${order.seed}: the process ${why} at image ${progress()}\n${complaints}`))
    })
  })
}
