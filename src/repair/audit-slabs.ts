/**
 * Audits slab after slab: loads its counters as an engine would (summary entry, reference blocks, replay of the
 * slab journal where the summary says dirty) and compares them with what the map was found to refer to.
 */

import { findFragment, readFragmentSize } from '../format/compressed-block.js'
import {
  BLOCK_SIZE,
  MAXIMUM_FRAGMENTS,
  REFERENCE_FREE,
  REFERENCE_MAXIMUM,
  REFERENCE_PROVISIONAL,
  REFERENCES_PER_BLOCK,
  REFERENCES_PER_SECTOR,
  SECTOR_SIZE,
  SECTORS_PER_BLOCK,
  SLAB_SUMMARY_BLOCKS,
} from '../format/constants.js'
import {
  isCommittedBefore,
  readCommitIndex,
  readCommitSequence,
  referenceBlockOf,
  referenceSectorOf,
  unpackReferenceBlock,
} from '../format/reference-block.js'
import {
  isSlabJournalBlock,
  isSlabJournalIncrement,
  isSlabJournalMapIncrement,
  readSlabJournalEntryCount,
  readSlabJournalEntrySbn,
  readSlabJournalHead,
  readSlabJournalRecoveryIndex,
  readSlabJournalRecoverySequence,
  readSlabJournalSequence,
} from '../format/slab-journal-block.js'
import {
  fullnessHint,
  readSummaryEntry,
  summaryBlockOf,
  summaryDirty,
  summaryHint,
  summaryIndexOf,
  summaryLoad,
  summaryTail,
  summaryZoneOf,
} from '../format/slab-summary.js'
import type { Volume } from '../vio/volume.js'
import type { VolumeReader } from './audit-disk.js'
import type { AuditReport, ProblemCode } from './audit-report.js'
import type { FoundReferences } from './found-references.js'

/** Expands the raw LZ4 block of `size` bytes at `at`; false unless that gives a whole block. */
export type Expand = (bytes: Uint8Array, at: number, size: number) => boolean

export interface SlabAuditOptions {
  /** The volume was closed: its hints are exact and its recovery points lie in the past. */
  readonly closed: boolean
  /** The most references that a data block may have. */
  readonly maximumReferences: number
  readonly expand: Expand | undefined
}

/** The newest block of a slab journal, as far as a load needs it. */
interface JournalTail {
  readonly head: number
  readonly sequence: number
  readonly count: number
}

const SECTOR_HEADER = 8
const HINT_BITS = 6

export class SlabAudit {
  private readonly summary = new Uint8Array(SLAB_SUMMARY_BLOCKS * BLOCK_SIZE)
  private readonly referenceBlocks: number
  private readonly references: Uint8Array
  private readonly counters: Uint8Array
  private readonly journalBlock = new Uint8Array(BLOCK_SIZE)
  private readonly slabBits: number
  /** Free blocks that one step of a hint stands for. */
  private readonly hintUnit: number

  constructor(
    private readonly volume: Volume,
    private readonly reader: VolumeReader,
    private readonly found: FoundReferences,
    private readonly report: AuditReport,
    private readonly options: SlabAuditOptions,
  ) {
    // What the counters need: a slab of some sizes has one block more, which is never used.
    this.referenceBlocks = Math.ceil(volume.slabDataBlocks / REFERENCES_PER_BLOCK)
    this.references = new Uint8Array(this.referenceBlocks * BLOCK_SIZE)
    this.counters = new Uint8Array(volume.slabDataBlocks)
    this.slabBits = Math.log2(volume.slabBlocks)
    this.hintUnit = 2 ** Math.max(this.slabBits - HINT_BITS, 0)
  }

  run(progress: (done: number, all: number) => void): void {
    const { volume, report } = this
    if (!this.reader.read(volume.summaryOrigin, SLAB_SUMMARY_BLOCKS, this.summary)) {
      report.problem('UNREADABLE_SUMMARY', { pbn: volume.summaryOrigin }, 'Cannot read the slab summary')
      return
    }
    report.totals.slabs = volume.slabCount
    for (let slab = 0; slab < volume.slabCount; slab++) {
      progress(slab, volume.slabCount)
      this.auditSlab(slab)
    }
  }

  private auditSlab(slab: number): void {
    const { report, found, volume } = this
    const block = summaryBlockOf(slab, summaryZoneOf(slab, volume.savedPhysicalZones)) * BLOCK_SIZE
    const entry = readSummaryEntry(this.summary, block, summaryIndexOf(slab))
    const loads = summaryLoad(entry)
    const isDirty = summaryDirty(entry)
    const isUsed = summaryTail(entry) !== 0 || loads || isDirty
    if (isUsed) report.totals.usedSlabs++
    if (isDirty) {
      report.totals.dirtySlabs++
      report.note('DIRTY_SLAB', { slab }, `Slab ${slab} is dirty: its journal is replayed for the comparison`)
    }
    if (!isUsed && !found.hasSlab(slab)) {
      this.auditHint(slab, summaryHint(entry), isDirty, volume.slabDataBlocks)
      return
    }
    if (!this.loadCounters(slab, entry)) return
    let free = 0
    for (let sbn = 0; sbn < volume.slabDataBlocks; sbn++) {
      if (this.counters[sbn] === REFERENCE_FREE) free++
      this.compare(slab, sbn)
    }
    report.totals.blocksInUse += volume.slabDataBlocks - free
    this.auditHint(slab, summaryHint(entry), isDirty, free)
    if (found.hasSlab(slab)) this.auditFragments(slab)
  }

  private auditHint(slab: number, hint: number, isDirty: boolean, free: number): void {
    const wanted = fullnessHint(free, this.slabBits)
    if (hint === wanted) return
    const sentence = `The summary's hint for slab ${slab} is ${hint}, its ${free} free blocks give ${wanted}`
    // A block that was provisional when the hint was written may be free by now: one step proves nothing.
    const isFar = Math.abs(hint * this.hintUnit - free) > this.hintUnit
    if (this.options.closed && !isDirty && isFar) this.report.problem('SUMMARY_HINT', { slab }, sentence)
    else this.report.note('STALE_HINT', { slab }, sentence)
  }

  // Counters

  /** Loads the counters of a slab; false when they are not to be known. */
  private loadCounters(slab: number, entry: number): boolean {
    const { report } = this
    const loads = summaryLoad(entry)
    const isDirty = summaryDirty(entry)
    this.counters.fill(REFERENCE_FREE)
    this.references.fill(0)
    if (summaryTail(entry) === 0 && !loads) {
      if (isDirty) {
        report.problem(
          'SUMMARY_ENTRY',
          { slab },
          `Slab ${slab} is dirty, but has neither journal nor counters`,
        )
      }
      return true
    }
    if (loads && !this.readCounters(slab)) return false
    const tail = this.readTail(slab, summaryTail(entry), isDirty)
    if (isDirty) {
      if (tail === null) return false
      if (!this.replay(slab, tail, loads)) return false
    }
    if (loads) this.auditCommitPoints(slab, tail)
    return true
  }

  private readCounters(slab: number): boolean {
    const { volume, report, references, counters } = this
    const first = this.slabStart(slab) + volume.slabDataBlocks
    if (!this.reader.read(first, this.referenceBlocks, references)) {
      report.problem(
        'UNREADABLE_REFERENCES',
        { slab, pbn: first },
        `Cannot read the reference blocks of slab ${slab}`,
      )
      return false
    }
    for (let block = 0; block < this.referenceBlocks; block++) {
      unpackReferenceBlock(references, block * BLOCK_SIZE, counters, block * REFERENCES_PER_BLOCK)
    }
    for (let sector = 0; sector < this.referenceBlocks * SECTORS_PER_BLOCK; sector++) {
      const at = sector * SECTOR_SIZE + SECTOR_HEADER
      for (let i = 0; i < REFERENCES_PER_SECTOR; i++) {
        const stored = references[at + i]
        if (stored === REFERENCE_FREE) continue
        const sbn = sector * REFERENCES_PER_SECTOR + i
        const place = { slab, pbn: this.slabStart(slab) + sbn }
        if (sbn >= volume.slabDataBlocks) {
          report.problem(
            'STRAY_COUNTER',
            { slab },
            `Slab ${slab} has a counter of ${stored} for its block ${sbn}, which is no data block`,
          )
        } else if (stored === REFERENCE_PROVISIONAL) {
          report.note('PROVISIONAL_COUNTER', place, `The counter of PBN ${place.pbn} is provisional on disk`)
        }
      }
    }
    return true
  }

  /** The newest block that the summary counts, or null when there is none. */
  private readTail(slab: number, tail: number, isDirty: boolean): JournalTail | null {
    const { volume, report, journalBlock } = this
    const { slabJournalBlocks } = volume
    const position = (tail + slabJournalBlocks - 1) % slabJournalBlocks
    const pbn = this.journalStart(slab) + position
    if (tail >= slabJournalBlocks) {
      report.problem(
        'SUMMARY_ENTRY',
        { slab },
        `Slab ${slab} has its journal's tail at ${tail}, beyond the ring`,
      )
      return null
    }
    if (!this.reader.read(pbn, 1, journalBlock)) {
      report.problem(
        'SLAB_JOURNAL_BLOCK',
        { slab, pbn },
        `Cannot read the journal of slab ${slab} at PBN ${pbn}`,
      )
      return null
    }
    if (!isSlabJournalBlock(journalBlock, 0, volume.nonceLow, volume.nonceHigh)) {
      // A journal is blank after a rebuild (0), and where a slab was opened but got no entry (the kernel stores 1).
      if (isDirty || tail > 1) {
        report.problem(
          'SLAB_JOURNAL_BLOCK',
          { slab, pbn },
          `The newest journal block of slab ${slab} should be at PBN ${pbn}, which holds none`,
        )
      }
      return null
    }
    const sequence = readSlabJournalSequence(journalBlock, 0)
    const head = readSlabJournalHead(journalBlock, 0)
    const count = readSlabJournalEntryCount(journalBlock, 0)
    if (
      sequence < 1 ||
      sequence % slabJournalBlocks !== position ||
      head < 1 ||
      head > sequence ||
      sequence - head >= slabJournalBlocks ||
      count === 0
    ) {
      report.problem(
        'SLAB_JOURNAL_BLOCK',
        { slab, pbn },
        `The newest journal block of slab ${slab} at PBN ${pbn} has sequence ${sequence}, head ${head} and ` +
          `${count} entries, which cannot be`,
      )
      return null
    }
    const recoverySequence = readSlabJournalRecoverySequence(journalBlock, 0)
    if (this.options.closed && recoverySequence >= volume.journalStart) {
      report.problem(
        'RECOVERY_POINT',
        { slab, pbn },
        `The journal of slab ${slab} ends with an entry of recovery journal block ${recoverySequence}, ` +
          `which is still to come: the next one is ${volume.journalStart}`,
      )
    }
    return { head, sequence, count }
  }

  /** Applies what the counters lack; false when the journal cannot be followed to its end. */
  private replay(slab: number, tail: JournalTail, loaded: boolean): boolean {
    const { volume, report, journalBlock } = this
    let pointSequence = -1
    let pointIndex = 0
    for (let sequence = tail.head; sequence <= tail.sequence; sequence++) {
      const pbn = this.journalStart(slab) + (sequence % volume.slabJournalBlocks)
      if (
        !this.reader.read(pbn, 1, journalBlock) ||
        !isSlabJournalBlock(journalBlock, 0, volume.nonceLow, volume.nonceHigh) ||
        readSlabJournalSequence(journalBlock, 0) !== sequence
      ) {
        report.problem(
          'SLAB_JOURNAL_BLOCK',
          { slab, pbn },
          `Journal block ${sequence} of slab ${slab} should be at PBN ${pbn}, and is not`,
        )
        return false
      }
      const recoverySequence = readSlabJournalRecoverySequence(journalBlock, 0)
      const recoveryIndex = readSlabJournalRecoveryIndex(journalBlock, 0)
      if (
        recoverySequence < pointSequence ||
        (recoverySequence === pointSequence && recoveryIndex <= pointIndex)
      ) {
        report.problem(
          'RECOVERY_POINT',
          { slab, pbn },
          `The recovery point of journal block ${sequence} of slab ${slab} is (${recoverySequence}, ` +
            `${recoveryIndex}), that of the block before it (${pointSequence}, ${pointIndex})`,
        )
      }
      pointSequence = recoverySequence
      pointIndex = recoveryIndex
      const count = readSlabJournalEntryCount(journalBlock, 0)
      for (let index = 0; index < count; index++) this.apply(slab, sequence, index, loaded)
    }
    return true
  }

  private apply(slab: number, sequence: number, index: number, loaded: boolean): void {
    const { volume, counters, references, journalBlock } = this
    const sbn = readSlabJournalEntrySbn(journalBlock, 0, index)
    if (sbn >= volume.slabDataBlocks) {
      this.badEntry(slab, sequence, index, `names block ${sbn}, which is no data block`)
      return
    }
    if (loaded) {
      const block = referenceBlockOf(sbn) * BLOCK_SIZE
      if (!isCommittedBefore(references, block, referenceSectorOf(sbn), sequence, index)) return
    }
    const counter = counters[sbn]
    if (isSlabJournalMapIncrement(journalBlock, 0, index)) {
      if (counter === REFERENCE_FREE) counters[sbn] = REFERENCE_MAXIMUM
      else
        this.badEntry(slab, sequence, index, `makes block ${sbn}, whose counter is ${counter}, a tree page`)
    } else if (isSlabJournalIncrement(journalBlock, 0, index)) {
      if (counter < REFERENCE_MAXIMUM) counters[sbn]++
      else this.badEntry(slab, sequence, index, `adds to block ${sbn}, whose counter is ${counter}`)
    } else if (counter > REFERENCE_FREE) {
      counters[sbn]--
    } else {
      this.badEntry(slab, sequence, index, `takes from block ${sbn}, whose counter is 0`)
    }
  }

  private badEntry(slab: number, sequence: number, index: number, what: string): void {
    this.report.problem(
      'SLAB_JOURNAL_ENTRY',
      { slab },
      `Entry ${index} of journal block ${sequence} of slab ${slab} ${what}`,
    )
  }

  /** No sector may know more than the journal's last entry; with a blank journal, none may know anything. */
  private auditCommitPoints(slab: number, tail: JournalTail | null): void {
    const { references, report, volume } = this
    const lastSequence = tail?.sequence ?? 0
    const lastIndex = tail === null ? 0 : tail.count - 1
    for (let block = 0; block < this.referenceBlocks; block++) {
      for (let sector = 0; sector < SECTORS_PER_BLOCK; sector++) {
        const sequence = readCommitSequence(references, block * BLOCK_SIZE, sector)
        const index = readCommitIndex(references, block * BLOCK_SIZE, sector)
        if (sequence < lastSequence || (sequence === lastSequence && index <= lastIndex)) continue
        const pbn = this.slabStart(slab) + volume.slabDataBlocks + block
        report.problem(
          'COMMIT_POINT',
          { slab, pbn },
          `Sector ${sector} of the reference block at PBN ${pbn} was written at slab journal entry ` +
            `(${sequence}, ${index}), the journal of slab ${slab} ends at (${lastSequence}, ${lastIndex})`,
        )
      }
    }
  }

  // Comparison

  private compare(slab: number, sbn: number): void {
    const { found, report, counters } = this
    const stored = counters[sbn]
    const mappings = found.mappings(slab, sbn)
    const isTree = found.isTree(slab, sbn)
    const wanted = isTree ? REFERENCE_MAXIMUM : mappings
    if (stored === 0 && wanted === 0) return
    const pbn = this.slabStart(slab) + sbn
    if (!isTree && mappings > 0) {
      report.totals.dataBlocks++
      if (found.fragments(slab, sbn) !== 0) report.totals.compressedBlocks++
    }
    if (mappings > this.options.maximumReferences) {
      report.problem(
        'TOO_MANY_REFERENCES',
        { slab, pbn },
        `PBN ${pbn} is mapped ${mappings} times, more than ${this.options.maximumReferences}`,
      )
    }
    if (stored === wanted) return
    report.counterOff(slab, stored, wanted)
    const what = isTree ? 'it is a page of the tree' : `it is mapped ${mappings} times`
    report.problem('REFERENCE_COUNT', { slab, pbn }, `The counter of PBN ${pbn} is ${stored}, ${what}`)
  }

  // Fragments

  private auditFragments(slab: number): void {
    const { found, report } = this
    const blocks: number[] = []
    for (let sbn = 0; sbn < this.volume.slabDataBlocks; sbn++) {
      if (found.fragments(slab, sbn) === 0) continue
      const pbn = this.slabStart(slab) + sbn
      blocks.push(pbn)
      if (found.isMappedWhole(slab, sbn)) {
        report.note('MIXED_MAPPING', { slab, pbn }, `PBN ${pbn} is mapped both as a whole and by fragments`)
      }
    }
    this.reader.visit(blocks, (i, bytes, at) => {
      const pbn = blocks[i]
      if (bytes === null) {
        report.problem('UNREADABLE_DATA', { slab, pbn }, `Cannot read the compressed block at PBN ${pbn}`)
        return
      }
      const slots = found.fragments(slab, pbn - this.slabStart(slab))
      for (let slot = 0; slot < MAXIMUM_FRAGMENTS; slot++) {
        if ((slots & (1 << slot)) !== 0) this.auditFragment(slab, pbn, slot, bytes, at)
      }
    })
  }

  private auditFragment(slab: number, pbn: number, slot: number, bytes: Uint8Array, at: number): void {
    const code: ProblemCode = 'BAD_FRAGMENT'
    const start = findFragment(bytes, at, slot)
    if (start < 0) {
      this.report.problem(
        code,
        { slab, pbn },
        `Fragment ${slot} is mapped in PBN ${pbn}, which has none such`,
      )
      return
    }
    const size = readFragmentSize(bytes, at, slot)
    if (this.options.expand?.(bytes, at + start, size) === false) {
      this.report.problem(code, { slab, pbn }, `Fragment ${slot} of PBN ${pbn} cannot be expanded to a block`)
    }
  }

  private slabStart(slab: number): number {
    return this.volume.depotOrigin + slab * this.volume.slabBlocks
  }

  private journalStart(slab: number): number {
    return this.slabStart(slab) + this.volume.slabDataBlocks + this.volume.slabReferenceBlocks
  }
}
