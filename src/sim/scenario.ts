/**
 * One run of the simulator: format a small volume, then load it several times, each time with another layout of
 * zones and threads: let a random client work, suspend and resume it or save it in between, switch compression and
 * deduplication, read everything back, save it, audit it. Or the power fails, at any moment, of a recovery too: then
 * the engine finds what the disk has, and all that was promised must be there. Everything follows from the seed.
 */
import { assert } from '../base/assert.js'
import type { Native } from '../base/native.js'
import { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { DeviceOp } from '../device/block-device.js'
import { arenaBytes, WASM_PAGE_BYTES } from '../engine/arena.js'
import { arenaConfig, type EngineConfig } from '../engine/assemble.js'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { encodeSuperBlock, type SuperBlock, VolumeState } from '../format/super-block.js'
import { audit } from '../repair/audit.js'
import { IndexError } from '../uds/index-error.js'
import { IndexStage } from '../vio/boards.js'
import { COUNTER_COUNT, Counter } from '../vio/counters.js'
import { AdminCommand, IndexControl } from '../vio/opcodes.js'
import { LoadKind } from '../vio/volume.js'
import { checkCounters } from './check-counters.js'
import { openCrashedIndex } from './crashed-index.js'
import { drawConfig, NONCE, redrawConfig } from './draw-config.js'
import { recoverNaively } from './naive-recovery.js'
import { Oracle } from './oracle.js'
import { OrderChecker } from './order/order-checker.js'
import type { OrderLayout } from './order/order-model.js'
import { WatchedTarget } from './order/watched-target.js'
import { readMapped, type Unpack } from './read-mapped.js'
import { SimStore } from './sim-store.js'
import { type LendMemory, type LentMemory, Simulator } from './simulator.js'
import { describeMessage } from './trace.js'
import { WeakNames } from './weak-names.js'
import { Workload } from './workload.js'

/** What the report counts: branches that some seed must take. */
export const RARE = {
  journalWraps: Counter.JournalWraps,
  journalReaps: Counter.JournalReaps,
  pageEvictions: Counter.PageEvictions,
  blockedSlabJournals: Counter.SlabJournalBlocked,
  packerEvictions: Counter.PackerEvictions,
  hashRollOvers: Counter.HashRollOvers,
  indexPageReads: Counter.IndexPageReads,
  indexChapters: Counter.IndexChaptersWritten,
  indexSaves: Counter.IndexSaves,
  indexLoads: Counter.IndexLoads,
  lateAnswers: Counter.DedupeAdviceTimeouts,
} as const

export interface ScenarioReport {
  readonly seed: number
  /** The digests of all sessions, one after another. */
  readonly traceHash: string
  readonly events: number
  readonly requests: number
  readonly noSpace: number
  /** Power failures that were looked at, and how many of them needed a recovery. */
  readonly crashes: number
  readonly recoveries: number
  /** Power failures after which the engine itself went on with what the disk had. */
  readonly powerCuts: number
  /** Recoveries that the engine completed. */
  readonly engineRecoveries: number
  /** Read-only volumes that were rebuilt. */
  readonly rebuilds: number
  /** Loads that a disk let fail. */
  readonly failedLoads: number
  /** Disks that failed and made the volume read-only. */
  readonly readOnlyEntries: number
  readonly rare: Readonly<Record<keyof typeof RARE, number>>
  /** Any other counter, by Counter, over all sessions. */
  readonly counters: readonly number[]
  readonly reports: readonly string[]
}

export interface ScenarioOptions {
  readonly seed: number
  /** Requests that the client makes. */
  readonly steps: number
  readonly lend: LendMemory
  /** Reads the super block back from the store, as a real opening would. */
  readonly decodeSuperBlock: (bytes: Uint8Array) => SuperBlock
  /** Makes the disk; tests have worse ones. */
  readonly makeStore?: (blocks: number) => SimStore
  /** Hears what happens, a line each: for a person who replays a seed. */
  readonly trace?: (line: string) => void
}

/** Runs one seed; throws with the seed in the message if anything is wrong. */
export function runScenario(options: ScenarioOptions): ScenarioReport {
  try {
    return new Scenario(options).run()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`seed ${options.seed}: ${message}`, { cause: error })
  }
}

/** What happens between the client's requests, and how often. */
enum Interlude {
  Suspend = 0,
  Save,
  Compression,
  Deduplication,
}
const INTERLUDE_CHANCES = [0.001, 0.001, 0.001, 0.02]
const INDEX_CONTROLS = [
  IndexControl.Enable,
  IndexControl.Enable,
  IndexControl.Disable,
  IndexControl.Close,
  IndexControl.Create,
]
const READ_BACK_DEPTH = 8
const SLEEPY_DISK_CHANCE = 0.3
const SUMMARY_BLOCKS = 64
/** How often the index is looked at too when the power fails: it takes long. */
const CRASHED_INDEX_CHANCE = 0.1
/** How often what a power failure would leave is looked at: at any event, and at one that follows a promise. */
const CRASH_CHANCES = [0, 0.001, 0.005]
const CRASH_AFTER_PROMISE = 0.05
/** How likely the power is to fail at any event of a session, and how often it may in one run. */
const CUT_CHANCES = [0, 0.0002, 0.001, 0.01]
const MOST_CUTS = 6
/** How often a volume that became read-only is rebuilt, and what is asked of it before. */
const REBUILD_CHANCE = 0.8
const READ_ONLY_REQUESTS = 30
/** How likely each request of a session is to fail, until one does. */
const LOAD_FAILURE_CHANCES = [0, 0, 0, 0, 0, 0, 0, 0.003, 0.03]
const FAILURE_CHANCES = [0, 0, 0, 0, 0, 0.01, 0.001]
/** What the disk fails at: anything, flushes, or writes of data, which need not make the volume read-only. */
enum FailureKind {
  Any = 0,
  Flush,
  Data,
}
const FAILURE_KINDS = [FailureKind.Any, FailureKind.Flush, FailureKind.Data]
/** A write of data that fails does harm only to a client that was not answered yet: it has the next ones fail too. */
const DATA_FAILURES = 20
/** How much a client wants to be durable at once: nearly all of it where its data may fail. */
const FUA_CHANCE = 0.1
const FUA_CHANCE_WITH_DATA_FAILURES = 0.95

/** The power fails: thrown through whatever the engine is doing. */
class PowerCut extends Error {}

/** What a read-only volume reads may be older than what was promised: its journal is not replayed. */
class Undecided extends Oracle {
  override endRead(): null {
    return null
  }
}

class Scenario {
  private readonly prng: Prng
  private readonly oracle = new Oracle()
  private readonly counters = Array.from({ length: COUNTER_COUNT }, () => 0)
  private readonly weakBits: number
  private readonly lies: number
  private config: EngineConfig
  private store: SimStore
  /** Judges every write of all sessions. */
  private order: OrderChecker
  private readonly native: Native
  private readonly unpack: Unpack
  private traceHash = ''
  private events = 0
  private requests = 0
  private noSpace = 0
  private crashes = 0
  private recoveries = 0
  private powerCuts = 0
  private engineRecoveries = 0
  private rebuilds = 0
  private failedLoads = 0
  private readOnlyEntries = 0
  private isReadOnly = false
  /** What the engine had to say to people. */
  private readonly reports: string[] = []
  /** An index was found on the disk. */
  private hasIndex = false
  /** The last volume that was saved had time to open its index before, and so to save it too. */
  private isIndexSaved = true
  /** The power failed, and what the blocks hold is not known yet. */
  private isUnsettled = false
  private cutChance = 0
  private failuresBefore = 0

  constructor(private readonly options: ScenarioOptions) {
    this.prng = new Prng(options.seed)
    this.config = drawConfig(this.prng)
    const { physicalBlocks } = this.config.volume
    this.store = options.makeStore?.(physicalBlocks) ?? new SimStore(physicalBlocks)
    this.order = new OrderChecker(this.orderLayout)
    // Names of a few bits: most advice is wrong, and unequal blocks meet in a hash lock.
    this.weakBits = this.prng.pick([0, 0, 0, 2, 5])
    this.lies = this.prng.pick([0, 0, 0, 0.1, 0.6])
    const lent = options.lend(2 * WASM_PAGE_BYTES)
    this.native = lent.native
    this.unpack = unpacker(lent)
  }

  run(): ScenarioReport {
    const { prng, options } = this
    const sessions = prng.between(2, 3)
    for (let session = 0; !this.isReadOnly && (session < sessions || this.isUnsettled); session++) {
      if (session > 0) this.reopen()
      this.sessionOrCut(Math.ceil(options.steps / sessions))
    }
    if (this.isReadOnly && prng.chance(REBUILD_CHANCE)) this.mend(Math.ceil(options.steps / sessions))
    const { seed } = options
    const { counters, traceHash, events, requests, noSpace, crashes, recoveries, readOnlyEntries } = this
    const { powerCuts, engineRecoveries, rebuilds, failedLoads } = this
    const rare = Object.fromEntries(
      Object.entries(RARE).map(([name, counter]) => [name, counters[counter]]),
    ) as Record<keyof typeof RARE, number>
    return {
      seed,
      traceHash,
      events,
      requests,
      noSpace,
      crashes,
      recoveries,
      powerCuts,
      engineRecoveries,
      rebuilds,
      failedLoads,
      readOnlyEntries,
      rare,
      counters,
      reports: this.reports,
    }
  }

  /**
   * What a failed disk made read-only is looked at, then rebuilt, and all that was promised must be there. A disk that
   * took no writes any more does not know of it: that volume is recovered.
   */
  private mend(steps: number): void {
    this.oracle.powerFailed()
    this.isUnsettled = true
    while (this.isUnsettled) {
      if (this.superBlock().state === VolumeState.ReadOnly) {
        this.readOnlySession()
        this.markForRebuild()
      }
      this.isReadOnly = false
      // A mark that the disk would not take does not count.
      this.order = this.hearAgain()
      this.reopen()
      this.sessionOrCut(steps)
    }
  }

  /** Whatever clients ask of a read-only volume, the disk stays as it is. */
  private readOnlySession(): void {
    const { prng, store } = this
    this.cutChance = 0
    this.reopen()
    const simulator = this.boot()
    const { written } = store
    assert(administer(simulator, AdminCommand.Load) === Status.Success, 'a read-only volume can be loaded')
    const workload = new Workload(
      simulator.frontEnd,
      prng.fork(),
      new Undecided(),
      READ_BACK_DEPTH,
      () => true,
    )
    for (let issued = 0; issued < READ_ONLY_REQUESTS; issued++) {
      workload.issue()
      while (workload.inFlight === workload.depth) simulator.step()
    }
    finish(simulator, workload)
    simulator.frontEnd.write(0, new Uint8Array(BLOCK_SIZE).fill(1), false, (status) =>
      assert(status === Status.ReadOnly, 'a read-only volume refuses writes'),
    )
    drain(simulator, false)
    assert(administer(simulator, AdminCommand.Save) === Status.Success, 'a read-only volume can be closed')
    assert(store.written === written, 'nothing is written to a read-only volume')
    this.checkReadOnly()
  }

  /** As an operator does. */
  private markForRebuild(): void {
    const { store, native } = this
    const superBlock = { ...this.superBlock(), state: VolumeState.ForceRebuild }
    const bytes = encodeSuperBlock(superBlock, (data, seed) => native.crc32(data, seed))
    store.write(this.config.volume.superBlockPbn, bytes)
    store.endFlush(store.beginFlush())
  }

  private get orderLayout(): OrderLayout {
    return { ...this.config.volume, ...this.config.shape }
  }

  /** What was written before is not known any more: the disk tells, when the volume has recovered. */
  private hearAgain(): OrderChecker {
    const { store } = this
    return new OrderChecker(this.orderLayout, (pbn) => store.blockAt(pbn))
  }

  private sessionOrCut(steps: number): void {
    const { prng } = this
    this.cutChance = this.powerCuts < MOST_CUTS ? prng.pick(CUT_CHANCES) : 0
    const simulator = this.boot()
    try {
      this.session(simulator, steps)
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.powerCuts++
      this.isUnsettled = true
      this.store = this.store.crash(prng)
      this.order = this.hearAgain()
      this.oracle.powerFailed()
      this.options.trace?.('the power fails')
    } finally {
      this.traceHash += simulator.traceHash
      this.events += simulator.steps
    }
  }

  /** Load, read back what is there, work, save. */
  private session(simulator: Simulator, steps: number): void {
    const { prng, oracle, config } = this
    this.failuresBefore = this.store.failures
    // What a rebuild cannot read is lost, as in dm-vdo, so then nothing could be judged.
    const chance = prng.pick(LOAD_FAILURE_CHANCES)
    this.store.failureChance = config.volume.load === LoadKind.Rebuild ? 0 : chance
    this.store.failsForGood = false
    if (!this.load(simulator)) return
    this.store.failureChance = 0
    this.readBack(simulator)
    const failureKind = prng.pick(FAILURE_KINDS)
    this.isUnsettled = false
    const workload = new Workload(
      new WatchedTarget(simulator.frontEnd, this.order),
      prng.fork(),
      oracle,
      prng.between(1, config.shape.dataVios * 2),
      () => this.hasFailed,
      () => simulator.arena.boards.readOnlyReason !== Status.Success,
      failureKind === FailureKind.Data ? FUA_CHANCE_WITH_DATA_FAILURES : FUA_CHANCE,
    )
    const eagerness = prng.pick([0.02, 0.2, 0.8])
    const interludeChance = prng.pick(INTERLUDE_CHANCES)
    this.store.failureChance = prng.pick(FAILURE_CHANCES)
    this.store.failuresLeft = failureKind === FailureKind.Data ? DATA_FAILURES : 1
    this.store.mayFail = this.failures(failureKind)
    this.store.failsForGood = failureKind === FailureKind.Any && prng.chance(0.5)
    for (let issued = 0; issued < steps; ) {
      if (!this.hasFailed && prng.chance(interludeChance)) this.interlude(simulator)
      if (workload.inFlight < workload.depth && (workload.inFlight === 0 || prng.chance(eagerness))) {
        workload.issue()
        issued++
      }
      assert(simulator.step() || workload.inFlight === 0, 'the engine moves while requests are in flight')
    }
    finish(simulator, workload)
    this.rest(simulator, AdminCommand.Save)
    this.isIndexSaved = simulator.arena.boards.indexStage !== IndexStage.Opening
    this.store.failureChance = 0
    this.store.broken = null
    for (let counter = 0; counter < COUNTER_COUNT; counter++) {
      this.counters[counter] += simulator.arena.total(counter)
    }
    this.requests += workload.answered
    this.noSpace += workload.noSpace
  }

  private failures(kind: FailureKind): (op: DeviceOp, block: number) => boolean {
    const { depotOrigin, journalOrigin, slabBlocks, slabDataBlocks } = this.config.volume
    switch (kind) {
      case FailureKind.Any:
        return () => true
      case FailureKind.Flush:
        return (op) => op === DeviceOp.Flush
      case FailureKind.Data:
        return (op, block) => {
          const isInSlab = block >= depotOrigin && block < journalOrigin
          return op === DeviceOp.Write && isInSlab && (block - depotOrigin) % slabBlocks < slabDataBlocks
        }
    }
  }

  private interlude(simulator: Simulator): void {
    const { prng } = this
    const { boards } = simulator.arena
    switch (prng.below(4) as Interlude) {
      case Interlude.Suspend:
        return this.pause(simulator, AdminCommand.Suspend)
      case Interlude.Save:
        return this.pause(simulator, AdminCommand.Save)
      case Interlude.Compression:
        simulator.frontEnd.setCompression(!boards.compressing)
        return
      case Interlude.Deduplication:
        simulator.frontEnd.controlIndex(prng.pick(INDEX_CONTROLS))
    }
  }

  /** To rest and back; clients that are held meanwhile have requests that wait, a large one in its middle. */
  private pause(simulator: Simulator, command: AdminCommand.Suspend | AdminCommand.Save): void {
    this.rest(simulator, command, this.prng.chance(0.5))
    this.administer(simulator, AdminCommand.Resume)
    simulator.frontEnd.letGo()
  }

  /** Drains (or holds the clients), suspends or saves, and looks at what is left. */
  private rest(
    simulator: Simulator,
    command: AdminCommand.Suspend | AdminCommand.Save,
    isHeld = false,
  ): void {
    drain(simulator, isHeld)
    this.administer(simulator, command)
    this.isReadOnly = simulator.arena.boards.readOnlyReason !== Status.Success
    if (this.isReadOnly && this.store.broken === null) this.order.commandAnswered(VolumeState.ReadOnly)
    if (this.isReadOnly) this.checkReadOnly()
    else if (command === AdminCommand.Save) this.audit(simulator)
    this.checkRest(simulator)
  }

  private administer(simulator: Simulator, command: AdminCommand): void {
    const status = administer(simulator, command)
    if (this.hasFailed) return
    if (status !== Status.Success) throw new Error(`${AdminCommand[command]} ends with ${Status[status]}`)
    const { readOnlyReason } = simulator.arena.boards
    if (readOnlyReason !== Status.Success) {
      throw new Error(`the volume is read-only: ${Status[readOnlyReason]}`)
    }
    this.order.commandAnswered(command === AdminCommand.Save ? VolumeState.Clean : VolumeState.Dirty)
  }

  /** Whoever opens the volume next must know, if that could be written. */
  private checkReadOnly(): void {
    this.readOnlyEntries++
    if (this.store.broken === DeviceOp.Write) return
    const { state } = this.superBlock()
    if (state !== VolumeState.ReadOnly)
      throw new Error(`a read-only volume is ${VolumeState[state]} on the disk`)
  }

  /** Whether a request of this session has failed. */
  private get hasFailed(): boolean {
    return this.store.failures > this.failuresBefore
  }

  /** An engine at rest asks nothing of the disk, whatever time passes. */
  private checkRest(simulator: Simulator): void {
    const { requests } = this.store
    while (simulator.step())
      assert(this.store.requests === requests, 'an engine at rest leaves the disk alone')
    assert(this.store.requests === requests, 'an engine at rest leaves the disk alone')
  }

  private readBack(simulator: Simulator): void {
    const reader = new Workload(simulator.frontEnd, this.prng.fork(), this.oracle, READ_BACK_DEPTH)
    const blocks = this.oracle.writtenBlocks()
    for (let i = 0; i < blocks.length; ) {
      let count = 1
      while (count < READ_BACK_DEPTH && blocks[i + count] === blocks[i] + count) count++
      reader.readBack(blocks[i], count, this.isUnsettled)
      while (reader.inFlight > READ_BACK_DEPTH) {
        assert(simulator.step(), 'the engine moves while requests are in flight')
      }
      i += count
    }
    finish(simulator, reader)
    this.requests += reader.answered
  }

  private boot(): Simulator {
    const { config, prng, store } = this
    const lend: LendMemory = (bytes) => {
      const lent = this.options.lend(bytes)
      return this.weakBits === 0
        ? lent
        : { ...lent, native: new WeakNames(lent.native, new Uint8Array(lent.buffer), this.weakBits) }
    }
    const simulator = new Simulator(
      config,
      store,
      prng.fork(),
      lend,
      arenaBytes(arenaConfig(config)),
      this.order,
    )
    simulator.lies = this.lies
    simulator.arena.boards.compressing = prng.chance(0.9)
    simulator.arena.boards.deduplicating = prng.chance(0.9)
    const { trace } = this.options
    if (trace !== undefined) {
      trace(`session with ${JSON.stringify({ ...config, superBlock: undefined })}`)
      simulator.onMessage = (step, thread, word) => trace(describeMessage(step, thread, word))
    }
    simulator.onReport = (sentence) => this.hear(sentence)
    this.letRequestsLie(simulator)
    const crashChance = prng.pick(CRASH_CHANCES)
    let promises = 0
    simulator.onStep = () => {
      const promised = this.oracle.promises > promises
      promises = this.oracle.promises
      if (prng.chance(promised ? CRASH_AFTER_PROMISE : crashChance)) this.crash()
      if (!this.hasFailed && prng.chance(this.cutChance)) throw new PowerCut()
    }
    return simulator
  }

  /**
   * Now and then the disk lets something lie for a while: what is read of the index, so that answers are late, or the
   * summary, so that slab journals go on without being counted.
   */
  private letRequestsLie(simulator: Simulator): void {
    const { store, config, prng } = this
    store.isAsleep = null
    if (!prng.chance(SLEEPY_DISK_CHANCE)) return
    const { block, blocks } = config.indexRegion
    const { summaryOrigin } = config.volume
    const span = prng.between(50, 1000)
    const isNight = () => simulator.steps % (2 * span) < span
    store.isAsleep = prng.chance(0.5)
      ? (op, at) => op === DeviceOp.Read && at >= block && at < block + blocks && isNight()
      : (op, at) =>
          op === DeviceOp.Write && at >= summaryOrigin && at < summaryOrigin + SUMMARY_BLOCKS && isNight()
  }

  /** On a disk that never failed an index may be told of as new, or as rebuilt if there was no time to save it. */
  private hear(sentence: string): void {
    this.options.trace?.(sentence)
    this.reports.push(sentence)
    if (this.store.failures > 0 || sentence.includes('a new one is made')) return
    if ((this.powerCuts > 0 || !this.isIndexSaved) && sentence.includes('is rebuilt')) return
    throw new Error(`an index on a sound disk says: ${sentence}`)
  }

  /** What the power failure leaves of the index can be opened, once there was one. */
  private checkIndex(disk: SimStore): void {
    const { indexRegion, shape } = this.config
    if (shape.index === null) return
    const place = { shape: shape.index, start: indexRegion.block, blocks: indexRegion.blocks, nonce: NONCE }
    try {
      openCrashedIndex(disk, place)
      this.hasIndex = true
    } catch (error) {
      if (this.hasIndex || !(error instanceof IndexError) || error.code !== 'VDO_INDEX_MISSING') throw error
    }
  }

  /** False if the disk failed meanwhile: nobody is served then, and the disk says why. */
  private load(simulator: Simulator): boolean {
    const { completeRecoveries, readOnlyRecoveries, load } = this.config.volume
    const status = administer(simulator, AdminCommand.Load)
    if (this.hasFailed && status !== Status.Success) {
      this.failedLoads++
      // A rebuild is asked for until it is done.
      this.isReadOnly = load !== LoadKind.Rebuild || this.superBlock().state !== VolumeState.ForceRebuild
      if (this.isReadOnly) this.checkReadOnly()
      return false
    }
    if (status !== Status.Success) throw new Error(`the load ends with ${Status[status]}`)
    const { boards } = simulator.arena
    const recovered = boards.completeRecoveries - completeRecoveries
    const rebuilt = boards.readOnlyRecoveries - readOnlyRecoveries
    assert(recovered === (load === LoadKind.Normal ? 0 : 1), 'a recovery is counted, and so is a rebuild')
    assert(rebuilt === (load === LoadKind.Rebuild ? 1 : 0), 'a rebuild is counted apart')
    if (load === LoadKind.Recovery) this.engineRecoveries++
    if (load === LoadKind.Rebuild) this.rebuilds++
    return true
  }

  /** The volume as the next program finds it, with other zones on other threads. */
  private reopen(): void {
    const { superBlockPbn, isNew } = this.config.volume
    // A volume that was never loaded has no super block on the disk here.
    if (isNew && this.store.blockAt(superBlockPbn).every((byte) => byte === 0)) return
    const superBlock = this.superBlock()
    const volume = describeVolume({ nonce: superBlock.nonce, bioOffset: 0 }, superBlock, superBlockPbn)
    this.config = redrawConfig(this.prng, this.config, volume, superBlock)
  }

  private superBlock(): SuperBlock {
    return this.options.decodeSuperBlock(this.store.blockAt(this.config.volume.superBlockPbn))
  }

  /** The store after a save: everything agrees, nothing is left to do. */
  private audit(simulator: Simulator): void {
    const superBlock = this.superBlock()
    const { state } = superBlock
    const { isRecovering, unscrubbedSlabs } = simulator.arena.boards
    const wanted = isRecovering ? VolumeState.Recovering : VolumeState.Clean
    if (state !== wanted) throw new Error(`a saved volume is ${VolumeState[state]}`)
    const { superBlockPbn } = this.config.volume
    const result = audit({
      disk: this.store,
      volume: describeVolume({ nonce: superBlock.nonce, bioOffset: 0 }, superBlock, superBlockPbn),
      state,
      maximumReferences: this.config.shape.maximumReferences,
      expand: this.expand,
    })
    const { problems, totals } = result
    if (!result.consistent) {
      const sentences = problems.slice(0, 5).map(({ sentence }) => sentence)
      throw new Error(`the audit finds ${JSON.stringify(result.problemCounts)}: ${sentences.join('; ')}`)
    }
    if (unscrubbedSlabs > 0) return
    if (totals.dirtySlabs > 0) throw new Error(`${totals.dirtySlabs} slabs are dirty after a save`)
    if (!this.hasFailed) checkCounters(simulator.arena, this.config.shape.cachePages, totals.blocksInUse)
  }

  private readonly expand = (bytes: Uint8Array, at: number, size: number): boolean =>
    this.unpack(bytes, at, size) !== null

  /** Looks at what the disk would hold if the power failed now: a volume that recovers, and what must be in it. */
  private crash(): void {
    const { prng, config, options } = this
    if (this.hasFailed) return
    const disk = this.store.crash(prng)
    const { superBlockPbn, isNew } = config.volume
    // A volume that was never loaded has no super block on the disk here.
    if (isNew && disk.blockAt(superBlockPbn).every((byte) => byte === 0)) return
    this.crashes++
    const superBlock = options.decodeSuperBlock(disk.blockAt(superBlockPbn))
    // Nothing is promised of these until they are rebuilt.
    if (superBlock.state === VolumeState.ReadOnly || superBlock.state === VolumeState.ForceRebuild) return
    let volume = describeVolume({ nonce: superBlock.nonce, bioOffset: 0 }, superBlock, superBlockPbn)
    if (superBlock.state === VolumeState.Dirty) {
      this.recoveries++
      volume = recoverNaively(disk, volume, config.shape)
    } else if (superBlock.state !== VolumeState.Clean && superBlock.state !== VolumeState.Recovering) {
      throw new Error(`the volume is ${VolumeState[superBlock.state]} on the disk`)
    }
    const { consistent, problems, problemCounts } = audit({
      disk,
      volume,
      state: VolumeState.Clean,
      expand: this.expand,
    })
    if (!consistent) {
      const sentences = problems.slice(0, 5).map(({ sentence }) => sentence)
      throw new Error(
        `the audit after a crash finds ${JSON.stringify(problemCounts)}: ${sentences.join('; ')}`,
      )
    }
    if (prng.chance(CRASHED_INDEX_CHANCE)) this.checkIndex(disk)
    for (const block of this.oracle.writtenBlocks()) {
      const complaint = this.oracle.judgeCrash(block, readMapped(disk, volume, block, this.unpack))
      if (complaint !== null) throw new Error(`after a crash ${complaint}`)
    }
  }
}

/** Gives the answer to a command. */
function administer(simulator: Simulator, command: AdminCommand): Status {
  let answer: Status | null = null
  simulator.frontEnd.administer(command, (status) => {
    answer = status
  })
  const answered = simulator.runUntil(() => answer !== null)
  assert(answered && answer !== null, 'an administrative command is answered')
  return answer
}

function finish(simulator: Simulator, workload: Workload): void {
  const done = simulator.runUntil(() => workload.inFlight === 0)
  assert(done, 'every request is answered')
}

/** Every vio is home; every request that was taken is answered, unless its client is held. */
function drain(simulator: Simulator, isHeld: boolean): void {
  const { frontEnd } = simulator
  let drained = false
  const done = () => {
    drained = true
  }
  if (isHeld) frontEnd.hold(done)
  else frontEnd.drain(done)
  assert(
    simulator.runUntil(() => drained),
    'the front end drains',
  )
}

function unpacker({ buffer, native }: LentMemory): Unpack {
  const memory = new Uint8Array(buffer)
  const from = WASM_PAGE_BYTES
  const to = from + WASM_PAGE_BYTES / 2
  return (bytes, at, size) => {
    memory.set(bytes.subarray(at, at + size), from)
    return native.decompress(from, size, to) ? memory.slice(to, to + BLOCK_SIZE) : null
  }
}
