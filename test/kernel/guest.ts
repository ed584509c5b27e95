/** Runs scripts in a guest whose kernel has the real dm-vdo (`test/kernel/guest/setup.sh` prepares it). */

import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ROOT, requireThat, requireTool, run, withTempDir } from '../tools.js'

const GUEST = join(ROOT, 'test/kernel/guest')

/** Where the guest and the real tools are kept. */
export const KERNEL_HOME = process.env['UVDO_KERNEL_HOME'] ?? join(homedir(), '.cache/uvdo-kernel')

export interface GuestRun {
  /** Run by the guest's shell, after `set -eu` and the helpers of `guest/lib.sh`. */
  readonly script: string
  /** Content by name; they lie in /share. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>
  /** Raw images: /dev/vda, /dev/vdb and so on. They keep what the guest writes. */
  readonly images?: readonly string[]
  readonly timeoutMs?: number
  /** How the run must end: the script succeeds, or it cuts the power. */
  readonly ends?: 'well' | 'by power cut'
}

const EXIT_CUT = 3

/** What the guest printed. Throws, with all of it, when the guest ended in another way than it must. */
export function runGuest({
  script,
  files = {},
  images = [],
  timeoutMs = 240_000,
  ends = 'well',
}: GuestRun): Promise<string> {
  return withTempDir(async (folder) => {
    const share = join(folder, 'share')
    await mkdir(share)
    await writeFile(join(share, 'run.sh'), `set -eu\n. /share/lib.sh\n${script}\n`)
    for (const [name, content] of Object.entries(files)) await writeFile(join(share, name), content)
    process.env['GUEST_SECONDS'] = String(Math.ceil(timeoutMs / 1000))
    const { status, stdout, stderr } = await run(
      join(GUEST, 'run.sh'),
      [share, ...images],
      timeoutMs + 10_000,
    )
    const wanted = ends === 'well' ? 0 : EXIT_CUT
    if (status !== wanted) {
      throw new Error(
        `Running in the guest: exit status is ${status}, wanted ${wanted}\n${stdout}\n${stderr}`,
      )
    }
    return stdout
  })
}

/** The checksums that the guest's `sums` printed, by run. */
export function readSums(output: string): Map<number, string> {
  const sums = new Map<number, string>()
  for (const [, run, sum] of output.matchAll(/^SUM (\d+) ([0-9a-f]{64})$/gm)) sums.set(Number(run), sum ?? '')
  return sums
}

/** The statistics that the guest's `volume_stats` printed last, in the kernel's notation. */
export function readStats(output: string): string {
  const lines = [...output.matchAll(/^STATS (.*)$/gm)]
  return lines.at(-1)?.[1] ?? ''
}

/** Skips the test unless the guest is prepared. */
export function requireGuest(context: Mocha.Context): void {
  requireTool(context, 'qemu-system-x86_64', 'cpio')
  requireThat(context, existsSync(join(KERNEL_HOME, 'ready')), 'test/kernel/guest/setup.sh to have run')
}

/** The processor of the guest: 'kvm', or 'tcg' where it is emulated. */
export function guestAccelerator(): string {
  return readFileSync(join(KERNEL_HOME, 'accel'), 'utf8').trim()
}
