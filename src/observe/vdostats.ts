/**
 * What `vdostats` prints: one line a volume in the manner of `df`, or every statistic under its label. Pure: it
 * takes statistics and gives text.
 *
 * A number that cannot be known is `N/A`: the use of a volume that is recovering or read-only, whose slabs are not
 * counted or not to be trusted, and the saving while nothing is stored.
 */

import { humanSize } from '../base/sizes.js'
import type { BioStatistics, VdoStatistics } from '../engine/statistics.js'

/** A volume's statistics with the name it is shown under. */
export interface NamedStatistics {
  readonly name: string
  readonly statistics: VdoStatistics
}

/** How the df form writes sizes: in 1K blocks, or for people in powers of 1024 or 1000. */
export type SizeUnit = '1k' | '1024' | '1000'

const UNKNOWN = 'N/A'
const SI_UNITS = 'KMGTPE'

/** What is used of a volume, in blocks and percent; undefined where it cannot be known. */
export interface Usage {
  readonly usedBlocks: number
  readonly availableBlocks: number
  readonly usedPercent: number
  readonly savingPercent: number | undefined
}

export function usageOf(s: VdoStatistics): Usage | undefined {
  if (s.mode !== 'normal') return undefined
  const usedBlocks = s.dataBlocksUsed + s.overheadBlocksUsed
  return {
    usedBlocks,
    availableBlocks: s.physicalBlocks - usedBlocks,
    usedPercent: Math.floor((100 * usedBlocks) / s.physicalBlocks + 0.5),
    savingPercent: savingPercent(s),
  }
}

/** How much less the data take than they would unshared and unpacked. Growth is not told as a saving. */
function savingPercent({ logicalBlocksUsed, dataBlocksUsed }: VdoStatistics): number | undefined {
  const saved = logicalBlocksUsed - dataBlocksUsed
  if (logicalBlocksUsed === 0 || saved < 0) return undefined
  return Math.floor((100 * saved) / logicalBlocksUsed)
}

/** The df form: a heading and a line for each volume. */
export function formatTable(volumes: readonly NamedStatistics[], unit: SizeUnit): string {
  const nameWidth = Math.max('Device'.length, ...volumes.map(({ name }) => name.length))
  const row = (name: string, cells: readonly string[]): string =>
    [name.padEnd(nameWidth), ...cells.map((cell, i) => cell.padStart(COLUMN_WIDTHS[i]))].join(' ')
  const heading = [unit === '1k' ? '1k-blocks' : 'Size', 'Used', 'Available', 'Use%', 'Space saving%']
  const lines = volumes.map(({ name, statistics }) => row(name, cellsOf(statistics, unit)))
  return `${[row('Device', heading), ...lines].join('\n')}\n`
}

const COLUMN_WIDTHS = [9, 9, 9, 4, 13]

function cellsOf(s: VdoStatistics, unit: SizeUnit): string[] {
  const size = (blocks: number): string => sizeText(blocks * s.blockSize, unit)
  const usage = usageOf(s)
  if (usage === undefined) return [size(s.physicalBlocks), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
  return [
    size(s.physicalBlocks),
    size(usage.usedBlocks),
    size(usage.availableBlocks),
    percentText(usage.usedPercent),
    percentText(usage.savingPercent),
  ]
}

function percentText(percent: number | undefined): string {
  return percent === undefined ? UNKNOWN : `${percent}%`
}

function sizeText(bytes: number, unit: SizeUnit): string {
  if (unit === '1k') return String(bytes / 1024)
  return unit === '1024' ? humanSize(bytes) : siSize(bytes)
}

function siSize(bytes: number): string {
  let value = bytes
  let letter = 'B'
  for (const next of SI_UNITS) {
    if (Math.round(value * 10) < 10_000) break
    value /= 1000
    letter = next
  }
  return letter === 'B' ? `${value}B` : `${value.toFixed(1)}${letter}`
}

/** The full form: the volume's name, then a line for each label. */
export function formatVerbose({ name, statistics }: NamedStatistics): string {
  const lines = labelled(statistics)
  const width = Math.max(...lines.map(([label]) => label.length))
  return `${[`${name} : `, ...lines.map(([label, value]) => `  ${label.padEnd(width)} : ${value}`)].join('\n')}\n`
}

type Line = readonly [label: string, value: number | string]

/** Every label with its value, in the order of the original. */
export function labelled(s: VdoStatistics): Line[] {
  return [
    ...usageLines(s),
    ['compressed fragments written', s.packer.compressedFragmentsWritten],
    ['compressed blocks written', s.packer.compressedBlocksWritten],
    ['compressed fragments in packer', s.packer.compressedFragmentsInPacker],
    ['slab count', s.allocator.slabCount],
    ['slabs opened', s.allocator.slabsOpened],
    ['slabs reopened', s.allocator.slabsReopened],
    ['journal disk full count', s.journal.diskFull],
    ['journal commits requested count', s.journal.slabJournalCommitsRequested],
    ...journalLines('entries', s.journal.entries),
    ...journalLines('blocks', s.journal.blocks),
    ['slab journal disk full count', s.slabJournal.diskFullCount],
    ['slab journal flush count', s.slabJournal.flushCount],
    ['slab journal blocked count', s.slabJournal.blockedCount],
    ['slab journal blocks written', s.slabJournal.blocksWritten],
    ['slab journal tail busy count', s.slabJournal.tailBusyCount],
    ['slab summary blocks written', s.slabSummary.blocksWritten],
    ['reference blocks written', s.refCounts.blocksWritten],
    ['block map dirty pages', s.blockMap.dirtyPages],
    ['block map clean pages', s.blockMap.cleanPages],
    ['block map free pages', s.blockMap.freePages],
    ['block map failed pages', s.blockMap.failedPages],
    ['block map incoming pages', s.blockMap.incomingPages],
    ['block map outgoing pages', s.blockMap.outgoingPages],
    ['block map cache pressure', s.blockMap.cachePressure],
    ['block map read count', s.blockMap.readCount],
    ['block map write count', s.blockMap.writeCount],
    ['block map failed reads', s.blockMap.failedReads],
    ['block map failed writes', s.blockMap.failedWrites],
    ['block map reclaimed', s.blockMap.reclaimed],
    ['block map read outgoing', s.blockMap.readOutgoing],
    ['block map found in cache', s.blockMap.foundInCache],
    ['block map discard required', s.blockMap.discardRequired],
    ['block map wait for page', s.blockMap.waitForPage],
    ['block map fetch required', s.blockMap.fetchRequired],
    ['block map pages loaded', s.blockMap.pagesLoaded],
    ['block map pages saved', s.blockMap.pagesSaved],
    ['block map flush count', s.blockMap.flushCount],
    ['dedupe advice valid', s.hashLock.dedupeAdviceValid],
    ['dedupe advice stale', s.hashLock.dedupeAdviceStale],
    ['concurrent data matches', s.hashLock.concurrentDataMatches],
    ['concurrent hash collisions', s.hashLock.concurrentHashCollisions],
    ['current dedupe queries', s.hashLock.currDedupeQueries],
    ['invalid advice PBN count', s.errors.invalidAdvicePBNCount],
    ['no space error count', s.errors.noSpaceErrorCount],
    ['read only error count', s.errors.readOnlyErrorCount],
    ['instance', s.instance],
    ['512 byte emulation', s.logicalBlockSize === 512 ? 'on' : 'off'],
    ['current VDO IO requests in progress', s.currentVIOsInProgress],
    ['maximum VDO IO requests in progress', s.maxVIOs],
    ['dedupe advice timeouts', s.dedupeAdviceTimeouts],
    ['flush out', s.flushOut],
    ['write amplification ratio', amplification(s)],
    ...bioLines('in', s.biosIn),
    ...bioLines('in partial', s.biosInPartial),
    ...bioLines('out', s.biosOut),
    ...bioLines('meta', s.biosMeta),
    ...bioLines('journal', s.biosJournal),
    ...bioLines('page cache', s.biosPageCache),
    ...bioLines('out completed', s.biosOutCompleted),
    ...bioLines('meta completed', s.biosMetaCompleted),
    ...bioLines('journal completed', s.biosJournalCompleted),
    ...bioLines('page cache completed', s.biosPageCacheCompleted),
    ...bioLines('acknowledged', s.biosAcknowledged),
    ...bioLines('acknowledged partial', s.biosAcknowledgedPartial),
    ...bioLines('in progress', s.biosInProgress),
    ['KVDO module bytes used', s.memoryUsage.bytesUsed],
    ['KVDO module peak bytes used', s.memoryUsage.peakBytesUsed],
    ['entries indexed', s.index.entriesIndexed],
    ['posts found', s.index.postsFound],
    ['posts not found', s.index.postsNotFound],
    ['queries found', s.index.queriesFound],
    ['queries not found', s.index.queriesNotFound],
    ['updates found', s.index.updatesFound],
    ['updates not found', s.index.updatesNotFound],
    ['entries discarded', s.index.entriesDiscarded],
  ]
}

function usageLines(s: VdoStatistics): Line[] {
  const recovering = s.inRecoveryMode
  const usage = usageOf(s)
  const unlessRecovering = (value: number): number | string => (recovering ? UNKNOWN : value)
  const kilobytes = (blocks: number): number => (blocks * s.blockSize) / 1024
  return [
    ['version', s.version],
    ['data blocks used', usage === undefined ? UNKNOWN : s.dataBlocksUsed],
    ['overhead blocks used', unlessRecovering(s.overheadBlocksUsed)],
    ['logical blocks used', unlessRecovering(s.logicalBlocksUsed)],
    ['physical blocks', s.physicalBlocks],
    ['logical blocks', s.logicalBlocks],
    ['1K-blocks', kilobytes(s.physicalBlocks)],
    ['1K-blocks used', usage === undefined ? UNKNOWN : kilobytes(usage.usedBlocks)],
    ['1K-blocks available', usage === undefined ? UNKNOWN : kilobytes(usage.availableBlocks)],
    ['used percent', usage?.usedPercent ?? UNKNOWN],
    ['saving percent', usage?.savingPercent ?? UNKNOWN],
    ['block map cache size', s.blockMapCacheSize],
    ['block size', s.blockSize],
    ['completed recovery count', s.completeRecoveries],
    ['read-only recovery count', s.readOnlyRecoveries],
    ['operating mode', s.mode],
    ['recovery progress (%)', recovering ? s.recoveryPercentage : UNKNOWN],
  ]
}

function journalLines(what: string, counts: VdoStatistics['journal']['entries']): Line[] {
  return [
    [`journal ${what} batching`, counts.started - counts.written],
    [`journal ${what} started`, counts.started],
    [`journal ${what} writing`, counts.written - counts.committed],
    [`journal ${what} written`, counts.written],
    [`journal ${what} committed`, counts.committed],
  ]
}

function bioLines(what: string, counts: BioStatistics): Line[] {
  return [
    [`bios ${what} read`, counts.read],
    [`bios ${what} write`, counts.write],
    [`bios ${what} empty flush`, counts.emptyFlush],
    [`bios ${what} discard`, counts.discard],
    [`bios ${what} flush`, counts.flush],
    [`bios ${what} fua`, counts.fua],
  ]
}

/** Blocks written below for each block written above, with two true decimals. */
function amplification(s: VdoStatistics): string {
  if (s.biosIn.write === 0) return '0.00'
  return ((s.biosMeta.write + s.biosOut.write) / s.biosIn.write).toFixed(2)
}
