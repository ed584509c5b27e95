/** Volumes in files as the judges handle them: made, copied, and left by a process that was killed. */

import { truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ROOT, run, runOk, VDO } from '../tools.js'

const GIB = 2 ** 30

/** A sparse file of zeros; gives its path. */
export async function emptyImage(path: string, sizeBytes: number): Promise<string> {
  await writeFile(path, '')
  await truncate(path, sizeBytes)
  return path
}

/** A volume that we made, of 1 GiB for clients in small slabs unless `options` say otherwise; gives its path. */
export async function formatOurs(
  path: string,
  sizeBytes = 4 * GIB,
  options: readonly string[] = [],
): Promise<string> {
  await emptyImage(path, sizeBytes)
  await runOk(process.execPath, [VDO, 'format', path, '--logical-size=1G', '--slab-bits=13', ...options])
  return path
}

/** A copy beside the image; gives its path. */
export async function copyImage(image: string, name: string): Promise<string> {
  const copy = join(dirname(image), name)
  await runOk('cp', ['--sparse=always', image, copy])
  return copy
}

/** Runs one of the programs of this folder that end in a SIGKILL; gives what it said. Throws if it ended by itself. */
export async function runUntilKilled(
  program: 'cut-short' | 'write-and-die',
  ...args: readonly (string | number)[]
): Promise<string> {
  const path = join(ROOT, `dist/test/kernel/${program}.js`)
  const { status, stdout, stderr } = await run(process.execPath, [path, ...args.map(String)])
  if (status === null && !stderr.includes('was killed after')) return stdout
  throw new Error(`Running ${program}: exit status is ${status}, wanted a SIGKILL of its own\n${stderr}`)
}

/** Opens the volume so often, each time cut short a little later; gives how many never came to be open. */
export async function cutShort(image: string, threads: string, times: number): Promise<number> {
  let before = 0
  for (let changes = 1; changes <= times; changes++) {
    const said = await runUntilKilled('cut-short', image, threads, changes)
    if (said !== 'open') before++
  }
  return before
}
