/**
 * Boards: shared words with one writer each, read by others when a message tells them to look. The message that
 * follows a write is its fence; a reader may find a newer value than the one the message was sent for, never an
 * older one. What the journal writes is written by repair instead until the journal is loaded.
 */
import type { Bump } from '../base/bump.js'
import type { SequenceNumber } from '../base/ids.js'
import { SharedSentence } from '../base/shared-sentence.js'
import type { Status } from '../base/status.js'
import { MAXIMUM_LOGICAL_BLOCKS, MAXIMUM_PHYSICAL_BLOCKS } from '../format/constants.js'

/** Where the index stands between closed and open. */
export enum IndexStage {
  Closed = 0,
  Opening = 1,
  Open = 2,
  Closing = 3,
}

/** How VDO calls the state of an index: its stage, and whether it is used or has failed. */
export type IndexState = 'closed' | 'closing' | 'error' | 'offline' | 'online' | 'opening'

/** The numbers, up to 2^53, and the atomic words: a place each. */
enum Num {
  Era,
  WantedLock,
  ClosingGeneration,
  LogicalBlocksUsed,
  BlockMapDataBlocks,
  JournalNext,
  CompleteRecoveries,
  ReadOnlyRecoveries,
  Count,
}

enum Word {
  Halted,
  AdminStatus,
  PhaseStatus,
  ReadOnlyReason,
  Compressing,
  Deduplicating,
  Leaving,
  LostWrite,
  AtRest,
  UnscrubbedSlabs,
  InRecovery,
  IndexStage,
  IndexFailed,
  IndexControls,
  Count,
}

export class Boards {
  private readonly numbers: Float64Array
  private readonly words: Int32Array
  private readonly oldestGenerations: Float64Array
  private readonly problem: SharedSentence
  /** The slab summary's working copies: 16 zones of 4 blocks. Each physical zone owns its four. Arena offset. */
  readonly summaryAt: number

  constructor(bump: Bump, logicalZones: number) {
    this.numbers = bump.float64(Num.Count)
    this.words = bump.int32(Word.Count)
    this.oldestGenerations = bump.float64(logicalZones)
    this.problem = new SharedSentence(bump)
    this.summaryAt = bump.blocks(64, 4096)
  }

  /** The journal's newest block; logical zones age their pages by it. Written by the journal. */
  get era(): SequenceNumber {
    return this.numbers[Num.Era]
  }
  set era(sequence: SequenceNumber) {
    this.numbers[Num.Era] = sequence
  }

  /** The journal block that slab journal tails are asked to let go. Written by the journal. */
  get wantedLock(): SequenceNumber {
    return this.numbers[Num.WantedLock]
  }
  set wantedLock(sequence: SequenceNumber) {
    this.numbers[Num.WantedLock] = sequence
  }

  /** The flush generation being closed. Written by the flusher. */
  get closingGeneration(): number {
    return this.numbers[Num.ClosingGeneration]
  }
  set closingGeneration(generation: number) {
    this.numbers[Num.ClosingGeneration] = generation
  }

  /**
   * Counters as the journal keeps them, for the super block and for statistics. Written by the journal. Those of a
   * damaged volume may be wrong by any number: they stay what a super block can say.
   */
  get logicalBlocksUsed(): number {
    return this.numbers[Num.LogicalBlocksUsed]
  }
  set logicalBlocksUsed(count: number) {
    this.numbers[Num.LogicalBlocksUsed] = Math.min(Math.max(0, count), MAXIMUM_LOGICAL_BLOCKS)
  }
  get blockMapDataBlocks(): number {
    return this.numbers[Num.BlockMapDataBlocks]
  }
  set blockMapDataBlocks(count: number) {
    this.numbers[Num.BlockMapDataBlocks] = Math.min(Math.max(0, count), MAXIMUM_PHYSICAL_BLOCKS)
  }
  /** The next journal sequence to use, set when the journal is drained. Written by the journal. */
  get journalNext(): SequenceNumber {
    return this.numbers[Num.JournalNext]
  }
  set journalNext(sequence: SequenceNumber) {
    this.numbers[Num.JournalNext] = sequence
  }

  /** Recoveries and rebuilds in the volume's life, for journal and super block. Written by the journal. */
  get completeRecoveries(): number {
    return this.numbers[Num.CompleteRecoveries]
  }
  set completeRecoveries(count: number) {
    this.numbers[Num.CompleteRecoveries] = count
  }
  get readOnlyRecoveries(): number {
    return this.numbers[Num.ReadOnlyRecoveries]
  }
  set readOnlyRecoveries(count: number) {
    this.numbers[Num.ReadOnlyRecoveries] = count
  }

  /** The oldest flush generation with an active write in a logical zone. Written by that zone. */
  oldestGeneration(zone: number): number {
    return this.oldestGenerations[zone]
  }
  setOldestGeneration(zone: number, generation: number): void {
    this.oldestGenerations[zone] = generation
  }

  /** Whether a thread died or an assertion broke: every thread leaves at once, nothing is saved. */
  get halted(): boolean {
    return this.isSet(Word.Halted)
  }
  halt(): void {
    this.put(Word.Halted, true)
  }

  /** How the command that the admin zone answers has ended. Written by the admin zone. */
  get adminStatus(): Status {
    return Atomics.load(this.words, Word.AdminStatus)
  }
  set adminStatus(status: Status) {
    Atomics.store(this.words, Word.AdminStatus, status)
  }

  /** The first error of a phase that visits many zones; cleared by the admin zone before the phase. */
  get phaseStatus(): Status {
    return Atomics.load(this.words, Word.PhaseStatus)
  }
  failPhase(status: Status): void {
    Atomics.compareExchange(this.words, Word.PhaseStatus, 0, status)
  }
  clearPhase(): void {
    Atomics.store(this.words, Word.PhaseStatus, 0)
  }

  /** Why the volume is read-only (0: it is not). The first error wins. */
  get readOnlyReason(): Status {
    return Atomics.load(this.words, Word.ReadOnlyReason)
  }
  setReadOnlyReason(status: Status): boolean {
    return Atomics.compareExchange(this.words, Word.ReadOnlyReason, 0, status) === 0
  }

  /** Whether a write was lost that its client had been told of. Written by logical zones; never taken back. */
  get hasLostWrite(): boolean {
    return this.isSet(Word.LostWrite)
  }
  loseWrite(): void {
    this.put(Word.LostWrite, true)
  }

  /** Whether the volume is suspended or saved, and so nothing asks anything of the store. Written by the admin zone. */
  get atRest(): boolean {
    return this.isSet(Word.AtRest)
  }
  set atRest(isAtRest: boolean) {
    this.put(Word.AtRest, isAtRest)
  }

  /** Whether new fragments are packed. Written by the packer's commands. */
  get compressing(): boolean {
    return this.isSet(Word.Compressing)
  }
  set compressing(on: boolean) {
    this.put(Word.Compressing, on)
  }

  /** Where the index stands. Hash zones ask it only while it is open. Written by index zone 0. */
  get indexStage(): IndexStage {
    return Atomics.load(this.words, Word.IndexStage)
  }
  set indexStage(stage: IndexStage) {
    Atomics.store(this.words, Word.IndexStage, stage)
  }

  /** Whether the index could not be opened, or failed; what it said is in `indexProblem`. Written by index zone 0. */
  get indexFailed(): boolean {
    return this.isSet(Word.IndexFailed)
  }
  set indexFailed(failed: boolean) {
    this.put(Word.IndexFailed, failed)
  }

  /** How many controls the index has taken. Written by index zone 0. */
  get indexControls(): number {
    return Atomics.load(this.words, Word.IndexControls)
  }
  set indexControls(count: number) {
    Atomics.store(this.words, Word.IndexControls, count)
  }

  /** What went wrong with the index last, in a sentence. Written by index zone 0. */
  get indexProblem(): string {
    return this.problem.text
  }
  set indexProblem(sentence: string) {
    this.problem.text = sentence
  }

  get indexState(): IndexState {
    switch (this.indexStage) {
      case IndexStage.Opening:
        return 'opening'
      case IndexStage.Open:
        return this.deduplicating ? 'online' : 'offline'
      case IndexStage.Closing:
        return 'closing'
      case IndexStage.Closed:
        return this.indexFailed ? 'error' : 'closed'
    }
  }

  /** Whether hash zones are to ask the index, when it is open. */
  get deduplicating(): boolean {
    return this.isSet(Word.Deduplicating)
  }
  set deduplicating(on: boolean) {
    this.put(Word.Deduplicating, on)
  }

  /** Slabs whose counts are not in memory yet. Each physical zone adds and takes its own. */
  get unscrubbedSlabs(): number {
    return Atomics.load(this.words, Word.UnscrubbedSlabs)
  }
  addUnscrubbed(slabs: number): void {
    Atomics.add(this.words, Word.UnscrubbedSlabs, slabs)
  }

  /** Whether the volume runs after a crash and some slab waits for its counts still. */
  get isRecovering(): boolean {
    return this.isSet(Word.InRecovery) && this.unscrubbedSlabs > 0
  }
  /** The load was, or follows, a recovery. Written by the admin zone, once. */
  enterRecovery(): void {
    this.put(Word.InRecovery, true)
  }

  /** Set by the front end's thread after an orderly stop: every other thread leaves its loop. */
  get leaving(): boolean {
    return this.isSet(Word.Leaving)
  }
  leave(): void {
    this.put(Word.Leaving, true)
  }

  private isSet(word: Word): boolean {
    return Atomics.load(this.words, word) !== 0
  }

  private put(word: Word, on: boolean): void {
    Atomics.store(this.words, word, on ? 1 : 0)
  }
}
