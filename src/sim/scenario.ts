/**
 * One run of the simulator: format a small volume, then load it several times, each time with another layout of
 * zones and threads: let a random client work, suspend and resume it or save it in between, switch compression and
 * deduplication, read everything back, save it, audit it. Everything follows from the seed.
 */
import { assert } from '../base/assert.js'
import { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { DeviceOp } from '../device/block-device.js'
import { arenaBytes, WASM_PAGE_BYTES } from '../engine/arena.js'
import { arenaConfig, type EngineConfig } from '../engine/assemble.js'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { type SuperBlock, VolumeState } from '../format/super-block.js'
import { audit } from '../repair/audit.js'
import { COUNTER_COUNT, Counter } from '../vio/counters.js'
import { AdminCommand } from '../vio/opcodes.js'
import { checkCounters } from './check-counters.js'
import { drawConfig, redrawConfig } from './draw-config.js'
import { recoverNaively } from './naive-recovery.js'
import { Oracle } from './oracle.js'
import { OrderChecker } from './order/order-checker.js'
import { WatchedTarget } from './order/watched-target.js'
import { readMapped, type Unpack } from './read-mapped.js'
import { SimStore } from './sim-store.js'
import { type LendMemory, Simulator } from './simulator.js'
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
  /** Disks that failed and made the volume read-only. */
  readonly readOnlyEntries: number
  readonly rare: Readonly<Record<keyof typeof RARE, number>>
  /** Any other counter, by Counter, over all sessions. */
  readonly counters: readonly number[]
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
const INTERLUDE_CHANCE = 0.01
const READ_BACK_DEPTH = 8
/** How often what a power failure would leave is looked at: at any event, and at one that follows a promise. */
const CRASH_CHANCES = [0, 0.001, 0.005]
const CRASH_AFTER_PROMISE = 0.05
/** How likely each request of a session is to fail, until one does. */
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

class Scenario {
  private readonly prng: Prng
  private readonly oracle = new Oracle()
  private readonly counters = Array.from({ length: COUNTER_COUNT }, () => 0)
  private readonly weakBits: number
  private config: EngineConfig
  private readonly store: SimStore
  /** Judges every write of all sessions. */
  private readonly order: OrderChecker
  private readonly unpack: Unpack
  private traceHash = ''
  private events = 0
  private requests = 0
  private noSpace = 0
  private crashes = 0
  private recoveries = 0
  private readOnlyEntries = 0
  private isReadOnly = false
  private failuresBefore = 0

  constructor(private readonly options: ScenarioOptions) {
    this.prng = new Prng(options.seed)
    this.config = drawConfig(this.prng)
    const { physicalBlocks } = this.config.volume
    this.store = options.makeStore?.(physicalBlocks) ?? new SimStore(physicalBlocks)
    this.order = new OrderChecker({ ...this.config.volume, ...this.config.shape })
    // Names of a few bits: most advice is wrong, and unequal blocks meet in a hash lock.
    this.weakBits = this.prng.pick([0, 0, 0, 2, 5])
    this.unpack = unpacker(options.lend)
  }

  run(): ScenarioReport {
    const { prng, options } = this
    const sessions = prng.between(2, 3)
    for (let session = 0; session < sessions && !this.isReadOnly; session++) {
      if (session > 0) this.reopen()
      this.session(Math.ceil(options.steps / sessions))
    }
    const { seed } = options
    const { counters, traceHash, events, requests, noSpace, crashes, recoveries, readOnlyEntries } = this
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
      readOnlyEntries,
      rare,
      counters,
    }
  }

  /** Load, read back what is there, work, save. */
  private session(steps: number): void {
    const { prng, oracle, config } = this
    this.failuresBefore = this.store.failures
    const simulator = this.boot()
    this.readBack(simulator)
    const failureKind = prng.pick(FAILURE_KINDS)
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
    this.store.failureChance = prng.pick(FAILURE_CHANCES)
    this.store.failuresLeft = failureKind === FailureKind.Data ? DATA_FAILURES : 1
    this.store.mayFail = this.failures(failureKind)
    for (let issued = 0; issued < steps; ) {
      if (!this.hasFailed && prng.chance(INTERLUDE_CHANCE / 10)) this.interlude(simulator)
      if (workload.inFlight < workload.depth && (workload.inFlight === 0 || prng.chance(eagerness))) {
        workload.issue()
        issued++
      }
      assert(simulator.step() || workload.inFlight === 0, 'the engine moves while requests are in flight')
    }
    finish(simulator, workload)
    this.rest(simulator, AdminCommand.Save)
    this.store.failureChance = 0
    for (let counter = 0; counter < COUNTER_COUNT; counter++) {
      this.counters[counter] += simulator.arena.total(counter)
    }
    this.traceHash += simulator.traceHash
    this.events += simulator.steps
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
        this.rest(simulator, AdminCommand.Suspend)
        this.administer(simulator, AdminCommand.Resume)
        return
      case Interlude.Save:
        this.rest(simulator, AdminCommand.Save)
        this.administer(simulator, AdminCommand.Resume)
        return
      case Interlude.Compression:
        simulator.frontEnd.setCompression(!boards.compressing)
        return
      case Interlude.Deduplication:
        boards.deduplicating = !boards.deduplicating
    }
  }

  /** Drains, suspends or saves, and looks at what is left. */
  private rest(simulator: Simulator, command: AdminCommand.Suspend | AdminCommand.Save): void {
    drain(simulator)
    this.administer(simulator, command)
    this.isReadOnly = simulator.arena.boards.readOnlyReason !== Status.Success
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

  /** Whoever opens the volume next must know. */
  private checkReadOnly(): void {
    this.readOnlyEntries++
    const { state } = this.superBlock()
    if (state !== VolumeState.ReadOnly)
      throw new Error(`a read-only volume is ${VolumeState[state]} on the disk`)
    this.order.commandAnswered(VolumeState.ReadOnly)
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
      reader.readBack(blocks[i], count)
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
    simulator.arena.boards.compressing = prng.chance(0.9)
    simulator.arena.boards.deduplicating = prng.chance(0.9)
    const { trace } = this.options
    if (trace !== undefined) {
      trace(`session with ${JSON.stringify({ ...config, superBlock: undefined })}`)
      simulator.onMessage = (step, thread, word) => trace(describeMessage(step, thread, word))
    }
    const crashChance = prng.pick(CRASH_CHANCES)
    let promises = 0
    simulator.onStep = () => {
      const promised = this.oracle.promises > promises
      promises = this.oracle.promises
      if (prng.chance(promised ? CRASH_AFTER_PROMISE : crashChance)) this.crash()
    }
    this.administer(simulator, AdminCommand.Load)
    return simulator
  }

  /** The volume as the next program finds it, with other zones on other threads. */
  private reopen(): void {
    const superBlock = this.superBlock()
    const { superBlockPbn } = this.config.volume
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
    if (state !== VolumeState.Clean) throw new Error(`a saved volume is ${VolumeState[state]}`)
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
    let volume = describeVolume({ nonce: superBlock.nonce, bioOffset: 0 }, superBlock, superBlockPbn)
    if (superBlock.state === VolumeState.Dirty) {
      this.recoveries++
      volume = recoverNaively(disk, volume, config.shape)
    } else if (superBlock.state !== VolumeState.Clean) {
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

/** Every request that was taken is answered, every vio is home. */
function drain(simulator: Simulator): void {
  let drained = false
  simulator.frontEnd.drain(() => {
    drained = true
  })
  assert(
    simulator.runUntil(() => drained),
    'the front end drains',
  )
}

function unpacker(lend: LendMemory): Unpack {
  const { buffer, native } = lend(2 * WASM_PAGE_BYTES)
  const memory = new Uint8Array(buffer)
  const from = WASM_PAGE_BYTES
  const to = from + WASM_PAGE_BYTES / 2
  return (bytes, at, size) => {
    memory.set(bytes.subarray(at, at + size), from)
    return native.decompress(from, size, to) ? memory.slice(to, to + BLOCK_SIZE) : null
  }
}
