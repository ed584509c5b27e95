/**
 * The audit of a volume at rest: reads it and says whether everything in it agrees. It walks the whole block map
 * and counts what it refers to, loads the counters of every slab as an engine would, and compares the two, the
 * hints of the summary, and the counts in the super block. One check for the tool, the simulator and tests.
 *
 * It only reads, and trusts nothing that it reads: whatever is wrong is a problem in the result.
 */

import { BLOCK_SIZE, REFERENCE_MAXIMUM } from '../format/constants.js'
import { isJournalCandidate, readJournalSequence } from '../format/recovery-journal-block.js'
import { stateName, VolumeState } from '../format/super-block.js'
import type { Volume } from '../vio/volume.js'
import { type AuditDisk, VolumeReader } from './audit-disk.js'
import { MapAudit } from './audit-map.js'
import { AuditReport, type AuditResult, type Problem } from './audit-report.js'
import { type Expand, SlabAudit } from './audit-slabs.js'
import { FoundReferences } from './found-references.js'

export interface AuditOptions {
  readonly disk: AuditDisk
  /** With sizes as `validateSuperBlock` lets pass. */
  readonly volume: Volume
  /** As stored in the super block. */
  readonly state: VolumeState
  /** Tries each fragment that is mapped. Without it, only where fragments lie is judged. */
  readonly expand?: Expand
  /** The format's limit, unless a smaller one was chosen. */
  readonly maximumReferences?: number
  /** Hears every problem as it is found. */
  readonly hear?: (problem: Problem) => void
  /** How many problems, and notes, the result keeps. */
  readonly keep?: number
  /** Hears how many pages of the map, then how many slabs, of how many are done. */
  readonly progress?: AuditProgress
}

export type AuditProgress = (done: number, all: number, what: 'map' | 'slabs') => void

const KEEP = 1000
const JOURNAL_RUN_BLOCKS = 64

export function audit({
  disk,
  volume,
  state,
  expand,
  maximumReferences = REFERENCE_MAXIMUM,
  hear = () => {},
  keep = KEEP,
  progress = () => {},
}: AuditOptions): AuditResult {
  const report = new AuditReport(keep, hear)
  const closed = state === VolumeState.Clean || state === VolumeState.Recovering
  if (wasStarted(state, report)) {
    if (!closed) {
      const name = stateName(state)
      report.note('NOT_CLEAN', {}, `The volume was not closed (its state is ${name}): differences are likely`)
    }
    const reader = new VolumeReader(disk, volume)
    const found = new FoundReferences(volume)
    new MapAudit(volume, reader, found, report).walk((done, all) => progress(done, all, 'map'))
    new SlabAudit(volume, reader, found, report, { closed, maximumReferences, expand }).run((done, all) =>
      progress(done, all, 'slabs'),
    )
    compareTotals(volume, report)
    if (closed) auditJournal(volume, reader, report)
  }
  return report.finish((slab) => {
    const first = volume.depotOrigin + slab * volume.slabBlocks
    return [first, first + volume.slabDataBlocks - 1]
  })
}

function wasStarted(state: VolumeState, report: AuditReport): boolean {
  if (state !== VolumeState.New) return true
  report.problem('NEVER_STARTED', {}, 'The volume was never started: there is nothing to audit yet')
  return false
}

function compareTotals(volume: Volume, report: AuditReport): void {
  const { logicalBlocksUsed, treePages } = report.totals
  if (volume.logicalBlocksUsed !== logicalBlocksUsed) {
    report.problem(
      'LOGICAL_BLOCKS_USED',
      {},
      `The super block counts ${volume.logicalBlocksUsed} used logical blocks, the map has ${logicalBlocksUsed}`,
    )
  }
  if (volume.blockMapDataBlocks !== treePages) {
    report.problem(
      'BLOCK_MAP_DATA_BLOCKS',
      {},
      `The super block counts ${volume.blockMapDataBlocks} pages of the tree, the map has ${treePages}`,
    )
  }
}

/** A sequence number that was used must not be used again: a recovery would take the old block for a new one. */
function auditJournal(volume: Volume, reader: VolumeReader, report: AuditReport): void {
  const { journalOrigin, journalBlocks } = volume
  const bytes = new Uint8Array(JOURNAL_RUN_BLOCKS * BLOCK_SIZE)
  let highest = 0
  for (let first = 0; first < journalBlocks; first += JOURNAL_RUN_BLOCKS) {
    const count = Math.min(JOURNAL_RUN_BLOCKS, journalBlocks - first)
    if (!reader.read(journalOrigin + first, count, bytes)) {
      const pbn = journalOrigin + first
      report.problem('UNREADABLE_JOURNAL', { pbn }, `Cannot read the recovery journal from PBN ${pbn}`)
      continue
    }
    for (let i = 0; i < count; i++) {
      const at = i * BLOCK_SIZE
      const { nonceLow, nonceHigh, recoveryCount } = volume
      if (isJournalCandidate(bytes, at, first + i, journalBlocks, nonceLow, nonceHigh, recoveryCount))
        highest = Math.max(highest, readJournalSequence(bytes, at))
    }
  }
  if (highest >= volume.journalStart) {
    report.problem(
      'JOURNAL_START',
      {},
      `The recovery journal is to go on at block ${volume.journalStart}, it holds block ${highest} already`,
    )
  }
}
