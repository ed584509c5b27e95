/**
 * Proves the rules of writing over a log: hears every write and flush of a volume, decodes what is written by
 * itself (decode.ts), judges each write when it begins (rules.ts) and keeps what follows from it (the models).
 *
 * It hears a volume from its first load on; one that was loaded, worked on and saved by several programs in turn is
 * one log. After a power failure another checker is needed, which is deaf while the volume recovers and then takes
 * over what lies on the disk. The first write that breaks a rule throws an OrderViolation.
 */
import type { IoLog } from '../../device/logging-device.js'
import { adoptDisk, type ReadBlock } from './adopt-disk.js'
import {
  BLOCK,
  changedEntries,
  commitPoint,
  decodeJournalBlock,
  decodePage,
  decodeSlabJournalBlock,
  decodeSuperBlock,
  firstSlabOf,
  pageEntry,
  State,
  SUMMARY_BLOCKS,
  SUMMARY_ENTRIES_PER_BLOCK,
  type SuperBlock,
  summaryEntry,
  summaryPbn,
} from './decode.js'
import { JournalModel } from './journal-model.js'
import type {
  Counted,
  Fact,
  HeadLimits,
  OrderLayout,
  OrderModel,
  PageFact,
  SummaryFact,
  Write,
} from './order-model.js'
import { RULES, type Rule } from './rules.js'
import { SlabModel } from './slab-model.js'
import { StableDisk, type Version } from './stable-disk.js'

/** A write that must not have begun yet. */
export class OrderViolation extends Error {
  constructor(
    readonly rule: string,
    section: string,
    sentence: string,
  ) {
    super(`the order of writing is broken (${rule}, ${section}): ${sentence}`)
    this.name = 'OrderViolation'
  }
}

const NO_BYTES = new Uint8Array(0)

export class OrderChecker implements IoLog, OrderModel {
  readonly nonce: bigint
  readonly hasHeardAll: boolean
  readonly journal = new JournalModel()
  readonly slabs: readonly SlabModel[]
  readonly disk: StableDisk<Fact>
  /** How often each rule was asked, by name. */
  readonly asked = new Map<string, number>()
  /** Reads the disk; null once nothing of it must be taken over any more. */
  private read: ReadBlock | null
  /** Writes that began while this was deaf and have not ended. */
  private readonly unheard = new Map<number, { readonly block: number; readonly bytes: Uint8Array }>()
  private readonly deviceOffset: number
  private readonly summaryEnd: number
  /** By the beginning of a flush. */
  private readonly limitsAtFlush = new Map<number, HeadLimits>()
  /** All copies of the summary are being written at once. */
  private isLoading = false

  /**
   * `read` gives what is on the disk of a volume that is not new. `deviceOffset` is added to a block of the log to give
   * its pbn.
   */
  constructor(
    readonly layout: OrderLayout,
    read: ReadBlock | null = null,
    deviceOffset = 0,
  ) {
    this.read = read
    this.hasHeardAll = read === null
    this.deviceOffset = deviceOffset
    this.nonce = BigInt(layout.nonceLow) + (BigInt(layout.nonceHigh) << 32n)
    const room = { plain: layout.slabJournalEntriesPerBlock, mixed: layout.slabJournalMixedEntriesPerBlock }
    this.slabs = Array.from(
      { length: layout.slabCount },
      (_, number) =>
        new SlabModel(
          number,
          layout.depotOrigin + number * layout.slabBlocks,
          layout.slabDataBlocks,
          layout.slabReferenceBlocks,
          room,
        ),
    )
    this.summaryEnd = layout.summaryOrigin + SUMMARY_BLOCKS
    this.disk = new StableDisk<Fact>(
      (version) => this.written(version),
      (version) => this.stabilized(version),
    )
  }

  // The log

  writeBegun(request: number, block: number, bytes: Uint8Array): void {
    if (this.read !== null && !this.hears(request, block, bytes, this.read)) return
    const versions: Version<Fact>[] = []
    this.isLoading = bytes.length === SUMMARY_BLOCKS * BLOCK
    for (let i = 0; i * BLOCK < bytes.length; i++) {
      const pbn = block + i + this.deviceOffset
      const write = { pbn, bytes: bytes.subarray(i * BLOCK, (i + 1) * BLOCK) }
      this.judge(RULES.any, write)
      const fact = this.take(write)
      const kept = fact.kind === 'data' ? NO_BYTES : write.bytes.slice()
      versions.push({ block: pbn, bytes: kept, fact, ended: 0, isLost: false })
    }
    this.disk.beginWrite(request, versions)
  }

  flushBegun(request: number): void {
    if (this.read !== null) return
    this.disk.beginFlush(request)
    this.limitsAtFlush.set(this.disk.now, this.headLimits)
  }

  ended(request: number, isDone: boolean): void {
    if (this.read !== null) this.unheard.delete(request)
    this.disk.end(request, isDone)
    for (const began of this.limitsAtFlush.keys()) {
      if (began < this.disk.lastFlushBegan) this.limitsAtFlush.delete(began)
    }
  }

  /** A client's flush was answered that was asked for at `began`. */
  flushAnswered(began: number): void {
    if (this.read !== null || this.disk.flushedUpTo > began) return
    throw new OrderViolation('a flush before its answer', 'E3.8', 'no flush began since one was asked for')
  }

  /** An administrative command was answered: it leaves the volume in this state. */
  commandAnswered(state: number): void {
    const found = this.stableSuperBlock?.state
    if (this.read !== null || found === state) return
    const sentence = `a command leaves state ${state}, the stable super block says ${found ?? 'nothing'}`
    throw new OrderViolation('super block before the answer', 'F8 (10), E9.3', sentence)
  }

  /** Whether a write is judged: the super block that ends the load is the first. */
  private hears(request: number, block: number, bytes: Uint8Array, read: ReadBlock): boolean {
    const isSuperBlock = block + this.deviceOffset === this.layout.superBlockPbn
    const superBlock = isSuperBlock ? decodeSuperBlock(bytes) : null
    if (superBlock?.state !== State.Dirty) {
      this.unheard.set(request, { block, bytes: bytes.slice() })
      return false
    }
    this.read = null
    adoptDisk(this, superBlock, read)
    const { summaryOrigin } = this.layout
    for (let pbn = summaryOrigin; pbn < this.summaryEnd; pbn++) {
      const kept = read(pbn).slice()
      const fact = this.summaryFact({ pbn, bytes: kept }, NOTHING_COUNTED, false)
      this.disk.adopt({ block: pbn, bytes: kept, fact, ended: 0, isLost: false })
    }
    // Slabs may be scrubbed meanwhile.
    for (const [other, write] of this.unheard) this.writeBegun(other, write.block, write.bytes)
    this.unheard.clear()
    return true
  }

  // What rules ask

  get stableSuperBlock(): SuperBlock | null {
    const fact = this.disk.stable(this.layout.superBlockPbn)?.fact
    return fact?.kind === 'super block' ? fact.superBlock : null
  }

  get headLimits(): HeadLimits {
    const { entries, durable } = this.journal
    const oldest = durable < entries.length ? entries[durable].sequence : Number.POSITIVE_INFINITY
    let slabJournal = oldest
    for (const slab of this.slabs) {
      const first = slab.after(this.stablyCounted(slab.number)?.newest ?? 0)
      if (first <= slab.changes.length) slabJournal = Math.min(slabJournal, slab.change(first).sequence)
    }
    return { map: Math.min(oldest, this.journal.oldestUnshown), slabJournal }
  }

  get flushedHeadLimits(): HeadLimits {
    return this.limitsAtFlush.get(this.disk.lastFlushBegan) ?? this.headLimits
  }

  possiblyCounted(slab: number): readonly Counted[] {
    const zones = new Set<number>()
    for (const { fact } of this.disk.possible(this.layout.superBlockPbn)) {
      if (fact.kind === 'super block') zones.add(fact.superBlock.zones)
    }
    const counted: Counted[] = []
    const { summaryOrigin } = this.layout
    for (const pbn of new Set([...zones].map((count) => summaryPbn(summaryOrigin, count, slab)))) {
      for (const { fact } of this.disk.possible(pbn)) {
        const here = fact.kind === 'summary' ? fact.counted.get(slab) : undefined
        if (here !== undefined) counted.push(here)
      }
    }
    return counted
  }

  stablyCounted(slab: number, zones = this.stableSuperBlock?.zones ?? 1): Counted | null {
    const fact = this.disk.stable(summaryPbn(this.layout.summaryOrigin, zones, slab))?.fact
    return fact?.kind === 'summary' ? (fact.counted.get(slab) ?? null) : null
  }

  // A write begins

  /** Judges a block by what lies at its place, and takes it into the models. */
  private take(write: Write): Fact {
    const { layout, journal } = this
    const { pbn } = write
    if (pbn === layout.superBlockPbn) return this.takeSuperBlock(write)
    if (pbn >= layout.rootOrigin && pbn < layout.rootOrigin + layout.rootCount) return this.takePage(write)
    if (pbn >= layout.journalOrigin && pbn < layout.journalOrigin + layout.journalBlocks)
      return this.takeJournalBlock(write)
    if (pbn >= layout.summaryOrigin && pbn < this.summaryEnd) return this.takeSummaryBlock(write)
    const slab = this.slabs[Math.floor((pbn - layout.depotOrigin) / layout.slabBlocks)]
    if (pbn < layout.depotOrigin || slab === undefined) return DATA
    const offset = pbn - slab.start
    if (offset < layout.slabDataBlocks)
      return journal.treePages.has(pbn) ? this.takePage(write) : this.takeData(write)
    const counts = offset - layout.slabDataBlocks
    if (counts < layout.slabReferenceBlocks) return this.takeReferenceBlock(write, slab, counts)
    return this.takeSlabJournalBlock(write, slab, counts - layout.slabReferenceBlocks)
  }

  private takeData(write: Write): Fact {
    this.judge(RULES.data, write)
    return DATA
  }

  private takePage(write: Write): Fact {
    const { pbn, bytes } = write
    const page = decodePage(bytes, this.nonce)
    // What was no page before is as good as an empty one.
    const changed = changedEntries(this.disk.newest(pbn), bytes)
    this.judge(RULES.page, { ...write, page, changed })
    const newest = new Map<number, number>()
    for (const slot of new Set([...changed, ...this.journal.pendingSlotsOf(pbn)])) {
      const entry = this.journal.entriesShowing(pbn, slot, pageEntry(bytes, slot)).at(-1)
      if (entry !== undefined) newest.set(slot, entry.number)
    }
    return { kind: 'page', page, shown: this.journal.show(pbn, newest) }
  }

  private takeJournalBlock(write: Write): Fact {
    const block = decodeJournalBlock(write.bytes)
    const position = write.pbn - this.layout.journalOrigin
    this.judge(RULES.journal, { ...write, position, block })
    this.journal.write(block)
    return { kind: 'journal', block }
  }

  private takeSlabJournalBlock(write: Write, slab: SlabModel, position: number): Fact {
    const block = decodeSlabJournalBlock(write.bytes)
    this.judge(RULES.slabJournal, { ...write, slab, position, block })
    slab.write(block)
    return { kind: 'slab journal', slab, block }
  }

  private takeReferenceBlock(write: Write, slab: SlabModel, index: number): Fact {
    const { sequence, index: entry } = commitPoint(write.bytes, 0)
    const change = slab.locate(sequence, entry)
    this.judge(RULES.reference, { ...write, slab, index, change })
    return { kind: 'reference', slab, index, change: change ?? 0 }
  }

  /** Each slab's entry is judged by itself; a copy is only judged where it changes, but for a load. */
  private takeSummaryBlock(write: Write): Fact {
    const { pbn } = write
    const previous = [...this.disk.possible(pbn)].at(-1)?.fact
    const before = previous?.kind === 'summary' ? previous.counted : NOTHING_COUNTED
    return this.summaryFact(write, before, true)
  }

  private summaryFact(write: Write, before: SummaryFact['counted'], isJudged: boolean): SummaryFact {
    const { bytes, pbn } = write
    const first = firstSlabOf(pbn - this.layout.summaryOrigin)
    const counted = new Map<number, Counted>()
    for (const slab of this.slabs.slice(first, first + SUMMARY_ENTRIES_PER_BLOCK)) {
      const { tail, load, dirty } = summaryEntry(bytes, slab.number - first)
      const was = before.get(slab.number) ?? null
      // A copy that does not count may say the same for ever, while the ring goes round.
      if (!this.isLoading && was !== null && tail === was.tail && load === was.load && dirty === was.dirty) {
        counted.set(slab.number, was)
        continue
      }
      const newest = this.newestCounted(slab, tail)
      const now = newest === null ? null : { tail, newest, load, dirty }
      if (isJudged) this.judge(RULES.summary, { ...write, slab, counted: now, before: was })
      if (now !== null) counted.set(slab.number, now)
    }
    return { kind: 'summary', counted }
  }

  /** The newest block that a tail can mean, 0 if none; null if the tail fits none that was written. */
  private newestCounted({ nextSequence }: SlabModel, tail: number): number | null {
    const { slabJournalBlocks } = this.layout
    const oldest = Math.max(1, nextSequence - slabJournalBlocks)
    for (let sequence = nextSequence - 1; sequence >= oldest; sequence--) {
      if ((sequence + 1) % slabJournalBlocks === tail) return sequence
    }
    return tail === 0 ? 0 : null
  }

  private takeSuperBlock(write: Write): Fact {
    const superBlock = decodeSuperBlock(write.bytes)
    this.judge(RULES.superBlock, { ...write, superBlock })
    if (superBlock.state !== State.ReadOnly) this.journal.reopen(superBlock.journalStart)
    return { kind: 'super block', superBlock }
  }

  // A write has ended, or is stable

  private written({ fact, isLost }: Version<Fact>): void {
    if (isLost || fact.kind !== 'summary') return
    for (const [number, { newest }] of fact.counted) {
      const slab = this.slabs[number]
      slab.countedWritten = Math.max(slab.countedWritten, newest)
    }
  }

  private stabilized({ block, fact }: Version<Fact>): void {
    switch (fact.kind) {
      case 'page':
        return this.pageStabilized(block, fact)
      case 'journal': {
        const { sequence, entries } = fact.block
        for (const entry of this.journal.stabilize(sequence, entries.length, this.disk.now)) {
          this.slabOf(entry.to.pbn)?.addIncrement(entry)
          this.slabOf(entry.from.pbn)?.addDecrement(entry)
        }
        return
      }
      case 'reference': {
        const { slab, index, change } = fact
        slab.stableChanges[index] = Math.max(slab.stableChanges[index], change)
        return
      }
      case 'data':
      case 'slab journal':
      case 'summary':
      case 'super block':
    }
  }

  private pageStabilized(pbn: number, { page, shown }: PageFact): void {
    // A page that is not initialized counts as empty.
    if (page.isInitialized) this.journal.stabilizePage(pbn, shown)
  }

  private slabOf(pbn: number): SlabModel | undefined {
    const { depotOrigin, slabBlocks } = this.layout
    return pbn < depotOrigin ? undefined : this.slabs[Math.floor((pbn - depotOrigin) / slabBlocks)]
  }

  private judge<W extends Write>(rules: readonly Rule<W>[], write: W): void {
    for (const { name, section, check } of rules) {
      this.asked.set(name, (this.asked.get(name) ?? 0) + 1)
      const sentence = check(write, this)
      if (sentence !== null) throw new OrderViolation(name, section, sentence)
    }
  }
}

const DATA: Fact = { kind: 'data' }
const NOTHING_COUNTED: SummaryFact['counted'] = new Map()
