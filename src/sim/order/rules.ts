/**
 * The rules of writing, as data: each has a name, the section of the references that it is from, what it says, and
 * a check of one write that begins. `A before B` means that A is stable when B begins.
 *
 * Sections are those of dm-vdo's on-disk format (F) and engine (E) as docs/write-order.md tells them.
 */
import {
  COUNTERS_PER_BLOCK,
  commitPoint,
  counter,
  ENTRIES_PER_PAGE,
  type JournalBlock,
  Kind,
  type Page,
  PROVISIONAL,
  pageEntry,
  SECTORS_PER_BLOCK,
  type SlabJournalBlock,
  State,
  type SuperBlock,
} from './decode.js'
import type { Counted, OrderModel, Write } from './order-model.js'
import type { SlabModel } from './slab-model.js'

export interface Rule<W extends Write> {
  readonly name: string
  /** Where the references say it. */
  readonly section: string
  readonly says: string
  /** A sentence about what is wrong, or null. */
  readonly check: (write: W, model: OrderModel) => string | null
}

export interface JournalWrite extends Write {
  readonly position: number
  readonly block: JournalBlock
}
export interface PageWrite extends Write {
  readonly page: Page
  /** The slots that differ from the page as it was written last. */
  readonly changed: readonly number[]
}
export interface SlabJournalWrite extends Write {
  readonly slab: SlabModel
  readonly position: number
  readonly block: SlabJournalBlock
}
export interface ReferenceWrite extends Write {
  readonly slab: SlabModel
  readonly index: number
  /** The number of the last change that it shows; null if its commit point is no place of the slab journal. */
  readonly change: number | null
}
export interface SummaryWrite extends Write {
  readonly slab: SlabModel
  /** Null: the tail fits no block that was written. */
  readonly counted: Counted | null
  readonly before: Counted | null
}
export interface SuperWrite extends Write {
  readonly superBlock: SuperBlock
}

const ANY_RULES: readonly Rule<Write>[] = [
  {
    name: 'nothing after read-only',
    section: 'E9.4, E11.1 (36)',
    says: 'Once the super block is being written as READ_ONLY nothing else changes on the disk.',
    check: ({ pbn }, { disk, layout }) => {
      const fact = [...disk.possible(layout.superBlockPbn)].at(-1)?.fact
      const isReadOnly = fact?.kind === 'super block' && fact.superBlock.state === State.ReadOnly
      return isReadOnly && pbn !== layout.superBlockPbn
        ? `block ${pbn} is written to a read-only volume`
        : null
    },
  },
  {
    name: 'one write at a time',
    section: 'E8.5',
    says: 'A block is not written again before its last write has ended.',
    check: ({ pbn }, { disk }) =>
      disk.unstable(pbn).some(({ ended }) => ended === 0) ? `block ${pbn} is being written already` : null,
  },
]

const DATA_RULES: readonly Rule<Write>[] = [
  {
    name: 'what is used is not overwritten',
    section: 'E11.1 (19)',
    says: 'A block is written only when no entry that a crash may leave refers to it.',
    check: ({ pbn }, { journal }) => {
      const { durable, coming } = journal.referencesOf(pbn)
      return durable === 0 && coming === 0
        ? null
        : `block ${pbn} is overwritten, with ${durable} durable references and ${coming} on their way`
    },
  },
]

const JOURNAL_RULES: readonly Rule<JournalWrite>[] = [
  {
    name: 'journal blocks are whole',
    section: 'F5.1, F5.2',
    says: 'A journal block lies at its place, with check byte and recovery count in each sector.',
    check: ({ block, position }, { layout, nonce, stableSuperBlock }) => {
      const { sequence, check, type, recoveries } = block
      const wanted = (Math.floor(sequence / layout.journalBlocks) & 0x7f) | 0x80
      const isRight =
        block.isWhole &&
        block.nonce === nonce &&
        type === 3 &&
        check === wanted &&
        sequence % layout.journalBlocks === position &&
        recoveries === (stableSuperBlock?.recoveries ?? 0) % 256
      return isRight ? null : `the journal block at position ${position} is not that of ${sequence}`
    },
  },
  {
    name: 'journal blocks in order',
    section: 'F5',
    says: 'A new block has the next sequence number, and follows one that is full or was the last of a save.',
    check: ({ block: { sequence } }, { journal, layout }) => {
      if (journal.isBegun(sequence)) return null
      if (journal.next !== 0 && sequence !== journal.next)
        return `block ${sequence} begins, ${journal.next} is next`
      if (journal.isReopened) return null
      const last = journal.entriesOf(sequence - 1).length
      return last === layout.journalEntriesPerBlock || !journal.isBegun(sequence - 1)
        ? null
        : `block ${sequence} begins, block ${sequence - 1} has ${last} entries`
    },
  },
  {
    name: 'journal blocks only grow',
    section: 'F5.4',
    says: 'A block that is written again keeps its entries; one that is full stays as it is.',
    check: ({ block }, { journal, layout }) => {
      if (!journal.isBegun(block.sequence)) return null
      const had = journal.entriesOf(block.sequence)
      if (had.length >= layout.journalEntriesPerBlock) return `block ${block.sequence} is full`
      const isKept = had.every(({ page, slot, to, from, isTree }, i) => {
        const now = block.entries[i]
        return (
          now !== undefined &&
          now.page === page &&
          now.slot === slot &&
          now.isTree === isTree &&
          now.to.pbn === to.pbn &&
          now.to.state === to.state &&
          now.from.pbn === from.pbn &&
          now.from.state === from.state
        )
      })
      return isKept ? null : `block ${block.sequence} loses or changes entries`
    },
  },
  {
    name: 'data before entry',
    section: 'F8 (1)',
    says: 'What an entry maps is stable before the journal block with the entry is written.',
    check: ({ block }, model) => {
      for (const { to, isTree } of newEntries(block, model)) {
        if (isTree || to.pbn === 0) continue
        if (model.disk.unstable(to.pbn).length > 0) return `block ${to.pbn} is mapped and not stable`
        if (model.hasHeardAll && model.disk.stable(to.pbn) === null)
          return `block ${to.pbn} is mapped and was never written`
      }
      return null
    },
  },
  {
    name: 'entries follow each other',
    section: 'F5.3, E3.5',
    says: 'An entry takes away what the entry before it put into the slot; a tree page comes to an empty slot.',
    check: ({ block }, model) => {
      const now = new Map<number, { pbn: number; state: number }>()
      for (const { page, slot, to, from, isTree } of newEntries(block, model)) {
        const key = page * ENTRIES_PER_PAGE + slot
        const mapped = now.get(key) ?? model.journal.mappingOf(page, slot)
        if (mapped.pbn !== from.pbn || mapped.state !== from.state)
          return `slot ${slot} of page ${page} is (${mapped.pbn}, ${mapped.state}), the entry takes (${from.pbn}, ${from.state})`
        if (isTree && model.journal.referencesOf(to.pbn).written > 0)
          return `block ${to.pbn} becomes a tree page and has references`
        now.set(key, to)
      }
      return null
    },
  },
  {
    name: 'references within the limit',
    section: 'F6.3',
    says: 'No block ever has more references than a counter holds, and no tree page is shared.',
    check: ({ block }, model) => {
      const extra = new Map<number, number>()
      for (const { to, from, isTree } of newEntries(block, model)) {
        const count = model.journal.referencesOf(to.pbn).written + (extra.get(to.pbn) ?? 0) + 1
        if (to.pbn !== 0) {
          if (count > model.layout.maximumReferences) return `block ${to.pbn} gets reference ${count}`
          if (!isTree && model.journal.treePages.has(to.pbn)) return `tree page ${to.pbn} is mapped as data`
          extra.set(to.pbn, (extra.get(to.pbn) ?? 0) + 1)
        }
        extra.set(from.pbn, (extra.get(from.pbn) ?? 0) - 1)
      }
      return null
    },
  },
  {
    name: 'pages before map head',
    section: 'F8 (4)',
    says: 'The block map head passes a block when stable pages show all its entries.',
    check: ({ block: { mapHead } }, { headLimits: { map } }) =>
      mapHead <= map ? null : `the head is ${mapHead}, no page shows all of ${map}`,
  },
  {
    name: 'summary before slab journal head',
    section: 'F8 (6)',
    says: 'The slab journal head passes a block when stable summaries count the slab journal blocks with its entries.',
    check: ({ block }, { headLimits: { slabJournal } }) =>
      block.slabJournalHead <= slabJournal
        ? null
        : `the head is ${block.slabJournalHead}, no summary counts all of ${slabJournal}`,
  },
  {
    name: 'a flush of its own before the heads move',
    section: 'E8.2, E8.6',
    says: 'What lets a head pass is stable before the preflush of the block begins that has the new head.',
    check: ({ block: { mapHead, slabJournalHead } }, { flushedHeadLimits: { map, slabJournal } }) =>
      mapHead <= map && slabJournalHead <= slabJournal
        ? null
        : `the heads are ${mapHead} and ${slabJournalHead}, before the flush they could be ${map} and ${slabJournal}`,
  },
  {
    name: 'heads only move on',
    section: 'F5.1',
    says: 'Neither head goes back.',
    check: ({ block: { mapHead, slabJournalHead } }, { journal }) =>
      mapHead >= journal.mapHead && slabJournalHead >= journal.slabJournalHead
        ? null
        : `the heads go from ${journal.mapHead}, ${journal.slabJournalHead} to ${mapHead}, ${slabJournalHead}`,
  },
  {
    name: 'heads before the ring closes',
    section: 'F5.5, F9.3',
    says: 'A block is overwritten when blocks are stable whose heads have passed it.',
    check: ({ block }, { journal, disk, layout }) => {
      const { sequence } = block
      if (journal.isBegun(sequence)) return null
      const overwritten = sequence - layout.journalBlocks
      if (overwritten < 1) return null
      let mapHead = 0
      let slabJournalHead = 0
      for (let position = 0; position < layout.journalBlocks; position++) {
        const fact = disk.stable(layout.journalOrigin + position)?.fact
        if (fact?.kind !== 'journal') continue
        mapHead = Math.max(mapHead, fact.block.mapHead)
        slabJournalHead = Math.max(slabJournalHead, fact.block.slabJournalHead)
      }
      const head = Math.min(mapHead, slabJournalHead)
      return overwritten < head || !journal.isBegun(overwritten)
        ? null
        : `block ${overwritten} is overwritten, the stable heads are ${mapHead} and ${slabJournalHead}`
    },
  },
  {
    name: 'usage when a block opens',
    section: 'F5.1',
    says: 'A block says how many slots are mapped, and how many tree pages there are, before its entries.',
    check: ({ block }, { journal }) => {
      if (journal.isBegun(block.sequence)) return null
      const { used, mapBlocks } = block
      return used === journal.used && mapBlocks === journal.mapBlocks
        ? null
        : `it says ${used} and ${mapBlocks}, the entries before it make ${journal.used} and ${journal.mapBlocks}`
    },
  },
  {
    name: 'dirty before work',
    section: 'F2.2, F9.1',
    says: 'The super block says DIRTY before the first journal block.',
    check: (_, { stableSuperBlock }) =>
      stableSuperBlock?.state === State.Dirty
        ? null
        : `the stable super block says ${stableSuperBlock?.state ?? 'nothing'}`,
  },
]

const PAGE_RULES: readonly Rule<PageWrite>[] = [
  {
    name: 'pages name themselves',
    section: 'F4.2',
    says: 'A page has version, nonce and its own place.',
    check: ({ page, pbn }) =>
      page.isOurs && page.pbn === pbn ? null : `page ${pbn} says that it is ${page.pbn}`,
  },
  {
    name: 'entry before page',
    section: 'F8 (2, 3)',
    says: 'A page shows nothing but what durable entries put there.',
    check: (write, model) => {
      for (const slot of write.changed) {
        const value = pageEntry(write.bytes, slot)
        if (model.journal.entriesShowing(write.pbn, slot, value).length === 0)
          return `slot ${slot} of page ${write.pbn} becomes (${value.pbn}, ${value.state}), which no durable entry says`
      }
      return null
    },
  },
  {
    name: 'flush between entry and page',
    section: 'F4.5, F8 (3)',
    says: 'A flush lies between the commit of an entry and the write of the page that shows it.',
    check: (write, { journal, disk }) => {
      for (const slot of write.changed) {
        const [oldest] = journal.entriesShowing(write.pbn, slot, pageEntry(write.bytes, slot))
        if (oldest !== undefined && oldest.durableAt >= disk.flushedUpTo)
          return `slot ${slot} of page ${write.pbn} shows an entry of block ${oldest.sequence}, without a flush between`
      }
      return null
    },
  },
  {
    name: 'first write twice',
    section: 'F4.5',
    says: 'A page is first written as uninitialized; it is stable as that before it is written as initialized.',
    check: ({ page, pbn }, { disk }) => {
      const before = disk.stable(pbn)?.fact
      const unstable = disk.unstable(pbn).map(({ fact }) => fact)
      const wasInitialized = [before, ...unstable].some(
        (fact) => fact?.kind === 'page' && fact.page.isInitialized,
      )
      if (!page.isInitialized) return wasInitialized ? `page ${pbn} becomes uninitialized` : null
      if (wasInitialized || before?.kind === 'page') return null
      return `page ${pbn} is written as initialized, and is not stable as uninitialized`
    },
  },
]

const SLAB_JOURNAL_RULES: readonly Rule<SlabJournalWrite>[] = [
  {
    name: 'slab journal blocks in order',
    section: 'F6.2',
    says: 'A block is written once, with the next sequence number, at its place.',
    check: ({ slab, block, position }, { layout, nonce }) => {
      const isRight =
        block.type === 2 &&
        block.nonce === nonce &&
        block.sequence === slab.nextSequence &&
        block.sequence % layout.slabJournalBlocks === position
      return isRight
        ? null
        : `block ${block.sequence} of slab ${slab.number} is written at ${position}, ${slab.nextSequence} is next`
    },
  },
  {
    name: 'entry before slab journal',
    section: 'F8 (2), E8.3',
    says: 'A block holds the next changes that durable entries make to the slab, in their order.',
    check: ({ slab, block }) => {
      const at = slab.nextChange
      for (let i = 0; i < block.entries.length; i++) {
        const { sbn, kind } = block.entries[i]
        if (at + i > slab.changes.length)
          return `entry ${i} of block ${block.sequence} of slab ${slab.number} has no durable entry`
        const change = slab.change(at + i)
        if (change.sbn !== sbn || change.kind !== kind)
          return `entry ${i} of block ${block.sequence} of slab ${slab.number} is ${Kind[kind]} ${sbn}, ${Kind[change.kind]} ${change.sbn} is next`
      }
      const last = slab.change(at + block.entries.length - 1)
      return block.entries.length > 0 &&
        last.sequence === block.pointSequence &&
        last.index === block.pointIndex
        ? null
        : `block ${block.sequence} of slab ${slab.number} has the recovery point of another entry`
    },
  },
  {
    name: 'nothing after a partial block',
    section: 'F6.2',
    says: 'After a block that is not full there is none before a summary that counts it has been written.',
    check: ({ slab, block }) => {
      const last = slab.block(block.sequence - 1)
      return last === undefined || last.isFull || slab.countedWritten >= last.sequence
        ? null
        : `block ${block.sequence} of slab ${slab.number} follows one that is not full and not counted`
    },
  },
  {
    name: 'counts before slab journal head',
    section: 'F8 (8)',
    says: 'The head passes a block when stable reference blocks show its changes.',
    check: ({ slab, block: { head, sequence } }) => {
      if (head < slab.head || head > sequence)
        return `the head of slab ${slab.number} goes from ${slab.head} to ${head}`
      const change = slab.firstUnshown(slab.after(slab.head - 1), slab.after(head - 1))
      return change === null
        ? null
        : `the head of slab ${slab.number} is ${head}, stable counts do not show change ${change}`
    },
  },
  {
    name: 'slab journal blocks stay for a replay',
    section: 'F6.5, F8 (8)',
    says: 'A block is overwritten when no summary that a crash may leave makes a replay read it.',
    check: ({ slab, block: { sequence } }, model) => {
      const overwritten = sequence - model.layout.slabJournalBlocks
      for (const { newest, dirty } of model.possiblyCounted(slab.number)) {
        if (newest === 0) continue
        const first = dirty ? (slab.block(newest)?.head ?? 1) : newest
        if (overwritten >= first)
          return `block ${sequence} of slab ${slab.number} overwrites ${overwritten}, a summary makes a replay begin at ${first}`
      }
      return null
    },
  },
]

const REFERENCE_RULES: readonly Rule<ReferenceWrite>[] = [
  {
    name: 'entries before counts',
    section: 'F8 (7)',
    says: 'A reference block shows no change whose journal entry is not durable.',
    check: ({ slab, change, bytes }) => {
      const { sequence, index } = commitPoint(bytes, 0)
      return change === null
        ? `counts of slab ${slab.number} are those after (${sequence}, ${index}), where no durable entry is`
        : null
    },
  },
  {
    name: 'flush between entries and counts',
    section: 'F8 (7), E8.6',
    says: 'A flush lies between the commit of an entry and the write of the counts that show it.',
    check: ({ slab, change }, { disk }) => {
      if (change === null || change === 0) return null
      const { durableAt, sequence } = slab.change(change)
      return durableAt < disk.flushedUpTo
        ? null
        : `counts of slab ${slab.number} show an entry of block ${sequence}, without a flush between`
    },
  },
  {
    name: 'counts are those of their commit point',
    section: 'F6.3',
    says: 'All sectors have one commit point, and each counter is what the changes up to it make.',
    check: ({ slab, index, change, bytes }, { layout }) => {
      if (change === null) return null
      const point = commitPoint(bytes, 0)
      for (let sector = 1; sector < SECTORS_PER_BLOCK; sector++) {
        const { sequence, index: entry } = commitPoint(bytes, sector)
        if (sequence !== point.sequence || entry !== point.index)
          return `sector ${sector} of slab ${slab.number} has a commit point of its own`
      }
      const first = index * COUNTERS_PER_BLOCK
      const end = Math.min(first + COUNTERS_PER_BLOCK, layout.slabDataBlocks)
      for (let sbn = first; sbn < end; sbn++) {
        const count = counter(bytes, sbn - first)
        const wanted = slab.countAfter(change, sbn)
        if (count !== wanted && !(count === PROVISIONAL && wanted === 0))
          return `block ${sbn} of slab ${slab.number} counts ${count} after change ${change}, which makes ${wanted}`
      }
      return null
    },
  },
  {
    name: 'partial blocks are counted before counts go on',
    section: 'F6.2, F8 (7)',
    says: 'Counts that go beyond a block which is not full are written when a stable summary counts that block.',
    check: ({ slab, change, bytes }, model) => {
      if (change === null) return null
      const { sequence } = commitPoint(bytes, 0)
      const counted = model.stablyCounted(slab.number)?.newest ?? 0
      for (let at = counted + 1; at < sequence; at++) {
        if (slab.block(at)?.isFull === false)
          return `counts of slab ${slab.number} go on after block ${at}, which is not full and not counted`
      }
      return null
    },
  },
]

const SUMMARY_RULES: readonly Rule<SummaryWrite>[] = [
  {
    name: 'slab journal before summary',
    section: 'F8 (5)',
    says: 'A summary counts only blocks that are stable.',
    check: ({ slab, counted, before }, { disk, layout }) => {
      if (counted === null) return `the tail of slab ${slab.number} fits no block that was written`
      const { newest } = counted
      const origin = slab.start + layout.slabDataBlocks + layout.slabReferenceBlocks
      for (let at = Math.max(before?.newest ?? 0, slab.adopted) + 1; at <= newest; at++) {
        const fact = disk.stable(origin + (at % layout.slabJournalBlocks))?.fact
        if (fact?.kind !== 'slab journal' || fact.block.sequence < at)
          return `the summary counts block ${at} of slab ${slab.number}, which is not stable`
      }
      return null
    },
  },
  {
    name: 'the summary only counts on',
    section: 'F6.4',
    says: 'A summary never takes a block back, nor the mark that counts were written.',
    check: ({ slab, counted, before }) =>
      before === null ||
      counted === null ||
      (counted.newest >= before.newest && (counted.load || !before.load))
        ? null
        : `the summary of slab ${slab.number} goes from block ${before.newest} to ${counted.newest}`,
  },
  {
    name: 'counts before their mark',
    section: 'F6.3',
    says: 'The summary says that counts can be loaded when every reference block was written and is stable.',
    check: ({ slab, counted }) =>
      counted?.load === true && slab.stableChanges.includes(-1)
        ? `the counts of slab ${slab.number} are to be loaded, some were never written`
        : null,
  },
  {
    name: 'counts before the clean mark',
    section: 'F8 (9)',
    says: 'The summary says that a slab is clean when stable reference blocks show all that its journal says.',
    check: ({ slab, counted }) => {
      if (counted === null || counted.dirty || counted.newest === 0) return null
      const change = slab.firstUnshown(slab.after(slab.head - 1), slab.after(counted.newest))
      return change === null
        ? null
        : `slab ${slab.number} is clean up to block ${counted.newest}, stable counts do not show change ${change}`
    },
  },
]

const SUPER_RULES: readonly Rule<SuperWrite>[] = [
  {
    name: 'everything before clean',
    section: 'F8 (10)',
    says: 'The super block says CLEAN, or RECOVERING, when every write is stable.',
    check: ({ superBlock: { state } }, { disk }) =>
      !isSaved(state) || disk.isSettled ? null : 'the volume is saved, some writes are not stable',
  },
  {
    name: 'nothing left in the journal',
    section: 'F2.2, F5.6',
    says: 'A saved volume has all entries in stable pages and counted slab journals, and goes on after the last block.',
    check: ({ superBlock: { state, journalStart } }, model) => {
      if (!isSaved(state)) return null
      const { journal, slabs } = model
      if (journal.oldestUnshown !== Number.POSITIVE_INFINITY)
        return `the volume is saved, no page shows all of block ${journal.oldestUnshown}`
      const lagging = slabs.find(
        (slab) => slab.after(model.stablyCounted(slab.number)?.newest ?? 0) <= slab.changes.length,
      )
      if (lagging !== undefined)
        return `the volume is saved, the journal of slab ${lagging.number} lacks changes`
      return journal.next === 0 || journalStart === journal.next
        ? null
        : `the volume is saved to go on with block ${journalStart}, ${journal.next} is next`
    },
  },
  {
    name: 'usage of a saved volume',
    section: 'F2.1',
    says: 'A saved volume says how many slots are mapped and how many tree pages there are.',
    check: ({ superBlock: { state, used, mapBlocks } }, { journal }) =>
      !isSaved(state) || (used === journal.used && mapBlocks === journal.mapBlocks)
        ? null
        : `it says ${used} and ${mapBlocks}, the journal makes ${journal.used} and ${journal.mapBlocks}`,
  },
  {
    name: 'summary copies before their count',
    section: 'F6.4',
    says: 'The super block names a count of zones when the copies that it makes count say the same, and are stable.',
    check: ({ superBlock: { zones, state } }, model) => {
      if (state === State.ReadOnly) return null
      const lagging = model.slabs.find((slab) => {
        const now = model.stablyCounted(slab.number)
        const then = model.stablyCounted(slab.number, zones)
        return now !== null && (then === null || then.newest < now.newest || (now.load && !then.load))
      })
      return lagging === undefined
        ? null
        : `with ${zones} zones the summary of slab ${lagging.number} lacks what it said before`
    },
  },
  {
    name: 'the journal is never set back',
    section: 'F5, F6.2',
    says: 'The super block never names a journal block that was used, but for one that is read-only.',
    check: ({ superBlock: { state, journalStart } }, { journal }) =>
      state === State.ReadOnly || journal.next === 0 || journalStart >= journal.next
        ? null
        : `the journal is to go on with block ${journalStart}, ${journal.next} is next`,
  },
]

/** The rules by what they judge. */
export const RULES = {
  any: ANY_RULES,
  data: DATA_RULES,
  journal: JOURNAL_RULES,
  page: PAGE_RULES,
  slabJournal: SLAB_JOURNAL_RULES,
  reference: REFERENCE_RULES,
  summary: SUMMARY_RULES,
  superBlock: SUPER_RULES,
} as const

/** The entries of a block that no earlier write of it had. */
function newEntries(block: JournalBlock, { journal }: OrderModel): JournalBlock['entries'] {
  return block.entries.slice(journal.entriesOf(block.sequence).length)
}

function isSaved(state: number): boolean {
  return state === State.Clean || state === State.Recovering
}
