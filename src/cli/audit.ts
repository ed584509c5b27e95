/** `vdo audit FILE`: whether a volume at rest agrees with itself. */

import { Command } from 'commander'
import type { AuditResult, SlabErrors } from '../repair/audit-report.js'
import { ExitStatus } from './exit-status.js'
import { NO_PROGRESS, showProgress } from './progress.js'

interface AuditCommandOptions {
  readonly verbose?: boolean
  readonly summary?: boolean
  readonly json?: boolean
}

/** Stars of a whole line of the histogram. */
const STARS = 50

export function auditCommand(name = 'audit'): Command {
  return new Command(name)
    .description('check that the block map, the counters and the summary of a closed volume agree')
    .argument('<file>', 'file or block device with a volume; it is only read')
    .option('--summary', 'print totals, and how far counters are off (default)')
    .option('--verbose', 'print a line for each problem')
    .option('--json', 'print one JSON object')
    .action((path: string, options: AuditCommandOptions) => auditVolume(path, options))
}

async function auditVolume(
  path: string,
  { verbose = false, summary = false, json = false }: AuditCommandOptions,
): Promise<void> {
  const [{ auditFile }, { lockForReading }] = await Promise.all([
    import('../host/audit-file.js'),
    import('../host/volume-lock.js'),
  ])
  // A volume that changes while it is read agrees with nothing.
  const unlock = await lockForReading(path, 'Cannot audit')
  // Problems that are told as they are found would break the line.
  const progress = verbose ? NO_PROGRESS : showProgress('Auditing')
  let result: AuditResult
  try {
    result = auditFile(path, {
      progress: (done, all, what) => progress.update(done, all, what),
      ...(verbose && !json && { hear: ({ sentence }: { sentence: string }) => print(sentence) }),
    })
  } finally {
    progress.stop()
    unlock()
  }
  if (json) print(JSON.stringify({ path, ...result }))
  else if (verbose && !summary) tellEnd(result)
  else tellSummary(path, result)
  if (!result.consistent) process.exitCode = ExitStatus.Failed
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function tellEnd(result: AuditResult): void {
  for (const { sentence } of result.notes) print(`Note: ${sentence}`)
  print(result.consistent ? 'The volume is consistent.' : `Problems found: ${problemCount(result)}.`)
}

function tellSummary(path: string, result: AuditResult): void {
  const { totals, kindCounts, noteCounts } = result
  if (noteCounts.NOT_CLEAN !== undefined) print(`${result.notes[0]?.sentence}.`)
  if (result.problemCounts.NEVER_STARTED !== undefined) {
    for (const { sentence } of result.problems) print(`${sentence}.`)
    return
  }
  print(`Audit of ${path}`)
  print(
    `  logical blocks used    ${totals.logicalBlocksUsed} ` +
      `(${totals.zeroBlocks} zero, ${totals.compressedMappings} compressed)`,
  )
  print(`  data blocks used       ${totals.dataBlocks} (${totals.compressedBlocks} hold fragments)`)
  print(`  pages of the tree      ${totals.treePages} (${totals.unwrittenPages} never written)`)
  print(`  slabs                  ${totals.slabs} (${totals.usedSlabs} used, ${totals.dirtySlabs} dirty)`)
  print(`  mapping errors         ${kindCounts.mapping}`)
  print(`  free-space hint errors ${kindCounts.hint}`)
  print(`  reference count errors ${kindCounts.reference}`)
  print(`  journal errors         ${kindCounts.journal}`)
  print(`  errors in totals       ${kindCounts.total}`)
  print(`  slabs with errors      ${totals.slabsWithErrors}`)
  for (const slab of result.slabErrors) tellSlab(slab)
  print(result.consistent ? 'The volume is consistent.' : 'The volume is NOT consistent.')
}

function tellSlab({ slab, firstPbn, lastPbn, differences }: SlabErrors): void {
  const all = differences.reduce((sum, { counters }) => sum + counters, 0)
  print(`Slab ${slab} (PBN ${firstPbn} to ${lastPbn}): ${all} counters differ, stored minus found`)
  for (const { difference, counters } of differences) {
    const stars = '*'.repeat(Math.ceil((counters * STARS) / all))
    print(`  ${String(difference).padStart(5)} ${String(counters).padStart(8)} ${stars}`)
  }
}

function problemCount({ problemCounts }: AuditResult): number {
  return Object.values(problemCounts).reduce((sum, count) => sum + count, 0)
}
