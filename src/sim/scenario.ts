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
import { WASM_PAGE_BYTES } from '../engine/arena.js'
import type { EngineConfig } from '../engine/assemble.js'
import { type SuperBlock, VolumeState } from '../format/super-block.js'
import { IndexStage } from '../vio/boards.js'
import { Counter } from '../vio/counters.js'
import { ROW_WORDS } from '../vio/marks.js'
import { AdminCommand, IndexControl } from '../vio/opcodes.js'
import { isRebuild, LoadKind } from '../vio/volume.js'
import { checkCounters } from './check-counters.js'
import { CrashJudge } from './crash-judge.js'
import { FAILURE_KINDS, FailureKind, letRequestsLie, spare, spoilLoad, spoilWork } from './disk-faults.js'
import { drawConfig, redrawConfig } from './draw-config.js'
import { administer, drain, readBack, requireRest, work } from './drive.js'
import { auditFound, isBlank, markState, requireConsistent } from './found-volume.js'
import { Oracle } from './oracle.js'
import { OrderChecker } from './order/order-checker.js'
import type { OrderLayout } from './order/order-model.js'
import { WatchedTarget } from './order/watched-target.js'
import { type Unpack, unpackerOn } from './read-mapped.js'
import { useReadOnly } from './read-only-client.js'
import { keptWithin, type Reduction, type Trouble, WHOLE } from './reduction.js'
import { runOrFail } from './scenario-failure.js'
import { noneOf, type ScenarioReport, TALLIED } from './scenario-report.js'
import { SimStore } from './sim-store.js'
import { type LendMemory, Simulator } from './simulator.js'
import { areSlabJournalsBlank, spoilSlabs } from './spoil-slabs.js'
import { type Trace, TraceKind } from './trace.js'
import { told, traceSession } from './traced.js'
import { WeakNames } from './weak-names.js'
import { Workload } from './workload.js'

export interface ScenarioOptions {
  readonly seed: number
  /** Requests that the client makes. */
  readonly steps: number
  readonly lend: LendMemory
  /** Reads the super block back from the store, as a real opening would. */
  readonly decodeSuperBlock: (bytes: Uint8Array) => SuperBlock
  /** Makes the disk; tests have worse ones. */
  readonly makeStore?: (blocks: number) => SimStore
  /** For a person who replays a seed. */
  readonly trace?: Trace
  /** What of the run is left out. */
  readonly reduction?: Reduction
}

/** Runs one seed; throws a `ScenarioFailure` if anything is wrong. */
export function runScenario(options: ScenarioOptions): ScenarioReport {
  return runOrFail(options.seed, () => new Scenario(options))
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
/** How often what a power failure would leave is looked at: at any event, and at one that follows a promise. */
const CRASH_CHANCES = [0, 0.001, 0.005]
const CRASH_AFTER_PROMISE = 0.05
/** How likely the power is to fail at any event of a session, and how often it may in one run. */
const CUT_CHANCES = [0, 0.0002, 0.001, 0.01]
const MOST_CUTS = 6
/** Where it may fail, it is likely to while the engine still tells itself that the disk has. */
const CUT_CHANCE_AFTER_FAILURE = 0.003
/** How often a volume that became read-only is rebuilt. */
const REBUILD_CHANCE = 0.8
/** How often nothing that slabs say is right before a rebuild. */
const SPOILT_SLABS_CHANCE = 0.7
/** How much a client wants to be durable at once: nearly all of it where its data may fail. */
const FUA_CHANCE = 0.1
const FUA_CHANCE_WITH_DATA_FAILURES = 0.95

/** The power fails: thrown through whatever the engine is doing. */
class PowerCut extends Error {}

class Scenario {
  /** Each session draws from a generator of its own, whatever happened in the one before. */
  private readonly sessions: Prng
  private prng: Prng
  private readonly reduction: Reduction
  /** The number of the next session's first request. */
  private firstRequest = 0
  private readonly oracle = new Oracle()
  private readonly counters = Array.from({ length: ROW_WORDS }, () => 0)
  private readonly weakBits: number
  private readonly lies: number
  private config: EngineConfig
  private store: SimStore
  /** Judges every write of all sessions. */
  private order: OrderChecker
  private readonly native: Native
  private readonly unpack: Unpack
  private readonly crashes: CrashJudge
  private traceHash = ''
  private readonly tally = noneOf(TALLIED)
  private isReadOnly = false
  /** What the engine had to say to people. */
  private readonly reports: string[] = []
  /** The last volume that was saved had time to open its index before, and so to save it too. */
  private isIndexSaved = true
  /** The power failed, and what the blocks hold is not known yet. */
  private isUnsettled = false
  private isLoaded = false
  private cutChance = 0
  private failuresBefore = 0

  constructor(private readonly options: ScenarioOptions) {
    this.reduction = options.reduction ?? WHOLE
    this.sessions = new Prng(options.seed)
    this.prng = this.sessions.fork()
    this.config = drawConfig(this.prng)
    const { physicalBlocks } = this.config.volume
    this.store = options.makeStore?.(physicalBlocks) ?? new SimStore(physicalBlocks)
    this.order = new OrderChecker(this.orderLayout)
    // Names of a few bits: most advice is wrong, and unequal blocks meet in a hash lock.
    this.weakBits = this.unless('weak-names', this.prng.pick([0, 0, 0, 2, 5]))
    this.lies = this.unless('lies', this.prng.pick([0, 0, 0, 0.1, 0.6]))
    const lent = options.lend(2 * WASM_PAGE_BYTES)
    this.native = lent.native
    this.unpack = unpackerOn(lent)
    this.crashes = new CrashJudge(this.prng.fork(), this.oracle, options.decodeSuperBlock, this.unpack)
  }

  run(): ScenarioReport {
    const { prng, options } = this
    const sessions = prng.between(2, 3)
    const steps = Math.ceil(options.steps / sessions)
    for (let session = 0; !this.isReadOnly && (session < sessions || this.isUnsettled); session++) {
      this.prng = this.sessions.fork()
      if (session > 0) this.reopen()
      this.sessionOrCut(steps)
    }
    if (this.isReadOnly && prng.chance(REBUILD_CHANCE)) this.mend(steps)
    const { counters, crashes, reports, tally, traceHash } = this
    return {
      seed: options.seed,
      traceHash,
      ...tally,
      crashes: crashes.crashes,
      recoveries: crashes.recoveries,
      counters,
      reports,
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
      this.prng = this.sessions.fork()
      if (this.isMarkedReadOnly) {
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
    const { store } = this
    this.cutChance = 0
    this.reopen()
    const simulator = this.boot()
    const { written } = store
    assert(administer(simulator, AdminCommand.Load) === Status.Success, 'a read-only volume can be loaded')
    this.useReadOnly(simulator)
    this.take(simulator)
    assert(store.written === written, 'nothing is written to a read-only volume')
  }

  private useReadOnly(simulator: Simulator): void {
    useReadOnly(simulator, this.prng.fork())
    this.checkReadOnly()
    requireRest(simulator, this.store)
  }

  /** As an operator does; what slabs say is lost too. */
  private markForRebuild(): void {
    const { store, native, prng, config } = this
    if (prng.chance(SPOILT_SLABS_CHANCE)) spoilSlabs(store, config.volume, prng.fork())
    markState(store, this.superBlock(), config.volume.superBlockPbn, VolumeState.ForceRebuild, native)
  }

  /** Numbers of the client's requests in all sessions up to now. */
  get requests(): readonly number[] {
    return keptWithin(this.reduction, 0, this.firstRequest)
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
    this.isLoaded = false
    const cutChance = this.unless('cuts', prng.pick(CUT_CHANCES))
    this.cutChance = this.tally.powerCuts < MOST_CUTS ? cutChance : 0
    const requests = keptWithin(this.reduction, this.firstRequest, steps)
    this.firstRequest += steps
    const simulator = this.boot()
    try {
      this.session(simulator, requests)
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
      this.tally.powerCuts++
      if (this.isFull(simulator)) this.tally.fullCrashes++
      this.isUnsettled = true
      this.store = this.store.crash(prng)
      this.isReadOnly = this.isMarkedReadOnly
      this.order = this.hearAgain()
      this.oracle.powerFailed()
      this.options.trace?.('the power fails', TraceKind.Note)
    } finally {
      this.take(simulator)
    }
  }

  /** What a session adds to the report, however it ended. */
  private take(simulator: Simulator): void {
    this.traceHash += simulator.traceHash
    this.tally.events += simulator.steps
    this.tally.messages += simulator.messages
    for (let word = 0; word < ROW_WORDS; word++) this.counters[word] += simulator.arena.total(word)
  }

  private isFull({ arena }: Simulator): boolean {
    const { slabCount, slabDataBlocks } = this.config.volume
    const isKnown = this.isLoaded && arena.boards.unscrubbedSlabs === 0
    return isKnown && arena.total(Counter.DataBlocksAllocated) === slabCount * slabDataBlocks
  }

  /** Load, read back what is there, work, save. */
  private session(simulator: Simulator, requests: readonly number[]): void {
    const { prng, oracle, config } = this
    const { trace } = this.options
    this.failuresBefore = this.store.failures
    spoilLoad(this.store, prng, config.volume)
    if (this.isLeftOut('failures')) spare(this.store)
    if (!this.load(simulator)) return
    this.isLoaded = true
    spare(this.store)
    const reader = told(trace, simulator, simulator.frontEnd, () => 'the read-back')
    this.tally.requests += readBack(simulator, reader, prng.fork(), oracle, this.isUnsettled)
    const failureKind = prng.pick(FAILURE_KINDS)
    this.isUnsettled = false
    const workload: Workload = new Workload(
      told(
        trace,
        simulator,
        new WatchedTarget(simulator.frontEnd, this.order),
        () => `request ${workload.number}`,
      ),
      prng.fork(),
      oracle,
      prng.between(1, config.shape.dataVios * 2),
      () => this.hasFailed,
      () => simulator.arena.boards.readOnlyReason !== Status.Success,
      failureKind === FailureKind.Data ? FUA_CHANCE_WITH_DATA_FAILURES : FUA_CHANCE,
    )
    const eagerness = prng.pick([0.02, 0.2, 0.8])
    const interludeChance = this.unless('interludes', prng.pick(INTERLUDE_CHANCES))
    spoilWork(this.store, prng, failureKind, config.volume)
    if (this.isLeftOut('failures')) spare(this.store)
    work(simulator, workload, prng, requests, eagerness, () => {
      if (!this.hasFailed && prng.chance(interludeChance)) this.interlude(simulator)
    })
    this.rest(simulator, AdminCommand.Save)
    this.isIndexSaved = simulator.arena.boards.indexStage !== IndexStage.Opening
    spare(this.store)
    this.tally.requests += workload.answered
    this.tally.noSpace += workload.noSpace
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
    if (this.isReadOnly && this.canBeTold) this.order.commandAnswered(VolumeState.ReadOnly)
    if (this.isReadOnly) this.checkReadOnly()
    else if (command === AdminCommand.Save) this.audit(simulator)
    requireRest(simulator, this.store)
  }

  private administer(simulator: Simulator, command: AdminCommand): void {
    const status = administer(simulator, command)
    if (this.hasFailed) return
    if (status !== Status.Success) throw new Error(`${AdminCommand[command]} ends with ${Status[status]}`)
    const { readOnlyReason, isRecovering } = simulator.arena.boards
    if (readOnlyReason !== Status.Success) {
      throw new Error(`the volume is read-only: ${Status[readOnlyReason]}`)
    }
    const saved = isRecovering ? VolumeState.Recovering : VolumeState.Clean
    this.order.commandAnswered(command === AdminCommand.Save ? saved : VolumeState.Dirty)
  }

  /** Whoever opens the volume next must know, if that could be written. */
  private checkReadOnly(): void {
    this.tally.readOnlyEntries++
    if (this.store.refuses(DeviceOp.Write, this.config.volume.superBlockPbn)) return
    const { state } = this.superBlock()
    if (state !== VolumeState.ReadOnly)
      throw new Error(`a read-only volume is ${VolumeState[state]} on the disk`)
  }

  /** Whether the disk still takes a super block that is to be durable. */
  private get canBeTold(): boolean {
    const { store, config } = this
    const { superBlockPbn } = config.volume
    return [DeviceOp.Write, DeviceOp.Flush].every((op) => !store.refuses(op, superBlockPbn))
  }

  /** Whether a request of this session has failed. */
  private get hasFailed(): boolean {
    return this.store.failures > this.failuresBefore
  }

  private get cutChanceNow(): number {
    return this.hasFailed && this.cutChance > 0 ? CUT_CHANCE_AFTER_FAILURE : this.cutChance
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
      new Prng(prng.below(2 ** 52) + this.reduction.schedule),
      lend,
      this.order,
    )
    simulator.lies = this.lies
    simulator.arena.boards.compressing = prng.chance(0.9)
    simulator.arena.boards.deduplicating = prng.chance(0.9)
    traceSession(this.options.trace, simulator, config)
    simulator.onReport = (sentence) => this.hear(sentence)
    letRequestsLie(store, prng, config, () => simulator.steps)
    if (this.isLeftOut('delays')) store.isAsleep = null
    const crashChance = prng.pick(CRASH_CHANCES)
    const fate = prng.fork()
    let promises = 0
    simulator.onStep = () => {
      const promised = this.oracle.promises > promises
      promises = this.oracle.promises
      const isLookedAt = fate.chance(this.unless('looks', promised ? CRASH_AFTER_PROMISE : crashChance))
      if (isLookedAt) {
        this.crashes.judge(this.store, this.config)
        if (this.isFull(simulator)) this.tally.fullCrashes++
      }
      if (fate.chance(this.cutChanceNow)) throw new PowerCut()
    }
    return simulator
  }

  private isLeftOut(trouble: Trouble): boolean {
    return this.reduction.without.includes(trouble)
  }

  /** How likely something is, if it is not left out. */
  private unless(trouble: Trouble, chance: number): number {
    return this.isLeftOut(trouble) ? 0 : chance
  }

  /** On a disk that never failed an index may be told of as new, or as rebuilt if there was no time to save it. */
  private hear(sentence: string): void {
    this.options.trace?.(sentence, TraceKind.Note)
    this.reports.push(sentence)
    if (this.store.failures > 0 || sentence.includes('a new one is made')) return
    if ((this.tally.powerCuts > 0 || !this.isIndexSaved) && sentence.includes('is rebuilt')) return
    throw new Error(`an index on a sound disk says: ${sentence}`)
  }

  /**
   * False if the disk let a recovery or a rebuild fail. A volume that became read-only by a recovery, or by anything
   * later, is served like any other; but what it reads is not known while the journal is not replayed. A rebuild is
   * begun again. What either has made of the disk is looked at before anything else happens.
   */
  private load(simulator: Simulator): boolean {
    const { completeRecoveries, readOnlyRecoveries, load } = this.config.volume
    const status = administer(simulator, AdminCommand.Load)
    if (this.hasFailed && status !== Status.Success && isRebuild(load)) {
      this.tally.failedRebuilds++
      spare(this.store)
      const left = this.superBlock()
      // Its last write may be there though it failed: that tells of a rebuild that is done.
      const isDone = left.state === VolumeState.Dirty && left.completeRecoveries === completeRecoveries + 1
      assert(isDone || left.state === VolumeState.ForceRebuild, 'a rebuild that fails is asked for still')
      return false
    }
    if (status !== Status.Success) throw new Error(`the load ends with ${Status[status]}`)
    const { boards } = simulator.arena
    const recovered = boards.completeRecoveries - completeRecoveries
    const rebuilt = boards.readOnlyRecoveries - readOnlyRecoveries
    if (this.hasFailed && load === LoadKind.Recovery && recovered === 0) {
      this.tally.failedRecoveries++
      this.isReadOnly = true
      spare(this.store)
      this.useReadOnly(simulator)
      return false
    }
    assert(recovered === (load === LoadKind.Normal ? 0 : 1), 'a recovery is counted, and so is a rebuild')
    assert(rebuilt === (load === LoadKind.Rebuild ? 1 : 0), 'a rebuild is counted apart')
    if (load === LoadKind.Recovery) this.tally.engineRecoveries++
    if (load === LoadKind.Rebuild) {
      this.tally.rebuilds++
      assert(areSlabJournalsBlank(this.store, this.config.volume), 'a rebuild leaves no slab journal')
    }
    if (load !== LoadKind.Normal && !this.isLeftOut('looks')) this.crashes.judge(this.store, this.config)
    return true
  }

  /** The volume as the next program finds it, with other zones on other threads. */
  private reopen(): void {
    const { store, config } = this
    if (isBlank(store, config.volume)) return
    this.config = redrawConfig(this.prng, config, this.superBlock())
  }

  private get isMarkedReadOnly(): boolean {
    return !isBlank(this.store, this.config.volume) && this.superBlock().state === VolumeState.ReadOnly
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
    const result = auditFound(this.store, superBlock, this.config, this.unpack)
    requireConsistent(result, 'the audit')
    const { totals } = result
    if (unscrubbedSlabs > 0) return
    if (totals.dirtySlabs > 0) throw new Error(`${totals.dirtySlabs} slabs are dirty after a save`)
    if (!this.hasFailed) checkCounters(simulator.arena, this.config.shape.cachePages, totals.blocksInUse)
  }
}
