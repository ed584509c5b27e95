/**
 * The real VDO user tools, on this machine. The offline ones take a plain file; the formatter takes only block
 * devices, so it gets a loop device, or formats in the guest where loop devices cannot be had.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { canJudge, canLoop, type Outcome, requireThat, requireTool, run, runOk } from '../tools.js'
import { KERNEL_HOME, requireGuest, runGuest } from './guest.js'

export type RealTool =
  | 'vdoformat'
  | 'vdoaudit'
  | 'vdolistmetadata'
  | 'vdodumpblockmap'
  | 'vdodumpmetadata'
  | 'vdoreadonly'
  | 'vdoforcerebuild'

export function realTool(name: RealTool): string {
  return join(KERNEL_HOME, 'vdo/usr/bin', name)
}

const hasRealTools = (): boolean => existsSync(realTool('vdoaudit'))
const REAL_TOOLS = 'the real VDO tools (test/kernel/guest/setup.sh)'

/** Skips the test unless the real tools are there. */
export function requireRealTools(context: Mocha.Context): void {
  requireThat(context, hasRealTools(), REAL_TOOLS)
}

/** Whether a test that has judges of its own can ask the real tools too. */
export function canAskRealTools(): boolean {
  return canJudge(hasRealTools(), REAL_TOOLS)
}

/** Skips the test unless the real formatter can run in one way or the other. */
export function requireFormatter(context: Mocha.Context): void {
  requireRealTools(context)
  if (!canLoop()) requireGuest(context)
  requireTool(context, 'truncate')
}

export interface Audit {
  /** The tool's own count of mapped blocks. */
  readonly logicalBlocks: number
  readonly text: string
}

/** Audits a volume that was closed: throws, with what the real tool says, unless it finds nothing wrong. */
export async function auditOk(image: string): Promise<Audit> {
  const { status, stdout, stderr } = await run(realTool('vdoaudit'), ['--verbose', image], 120_000)
  const text = stdout + stderr
  const matched = /Logical block count matched at (\d+)/.exec(text)
  if (status !== 0 || matched === null || !text.includes('All pbn references matched.')) {
    throw new Error(`Auditing ${image}: exit status is ${status}\n${text.slice(0, 8000)}`)
  }
  return { logicalBlocks: Number(matched[1]), text }
}

/** Physical blocks that hold data, by the real tool's dump of the map: each counted once, the zero block never. */
export async function countDataBlocks(image: string): Promise<number> {
  const text = await runOk(realTool('vdodumpblockmap'), [image], 120_000)
  const blocks = new Set<string>()
  for (const [, target] of text.matchAll(/height 0\t-> PBN ([1-9]\d*) /g)) blocks.add(target ?? '')
  return blocks.size
}

/** Formats a file with the real `vdoformat`; the file has its size already. */
export async function formatReal(image: string, args: readonly string[]): Promise<void> {
  if (!canLoop()) {
    await runGuest({ script: `vdoformat ${args.join(' ')} /dev/vda`, images: [image] })
    return
  }
  const device = (await runOk('losetup', ['-f', '--show', image])).trim()
  let outcome: Outcome
  try {
    outcome = await run(realTool('vdoformat'), [...args, device])
  } finally {
    await run('losetup', ['-d', device])
  }
  if (outcome.status !== 0)
    throw new Error(`Formatting ${image}: exit status is ${outcome.status}\n${outcome.stderr}`)
}
