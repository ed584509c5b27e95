/**
 * One run of the simulator: format a small volume, load it, let a random client work, save it, load it again with
 * another layout of zones and threads, read everything back, save it. Everything follows from the seed.
 */
import { assert } from '../base/assert.js'
import { Prng } from '../base/prng.js'
import { Status } from '../base/status.js'
import { arenaBytes } from '../engine/arena.js'
import { arenaConfig, type EngineConfig } from '../engine/assemble.js'
import { describeVolume } from '../engine/describe-volume.js'
import type { SuperBlock } from '../format/super-block.js'
import { Counter } from '../vio/counters.js'
import { AdminCommand } from '../vio/opcodes.js'
import { drawConfig, redrawPlan } from './draw-config.js'
import { Oracle } from './oracle.js'
import { SimStore } from './sim-store.js'
import { type LendMemory, Simulator } from './simulator.js'
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
  readonly traceHash: number
  readonly events: number
  readonly requests: number
  readonly noSpace: number
  readonly rare: Readonly<Record<keyof typeof RARE, number>>
  /** Any other counter, by Counter. */
  readonly counters: readonly number[]
}

export interface ScenarioOptions {
  readonly seed: number
  /** Requests that the client makes. */
  readonly steps: number
  readonly lend: LendMemory
  /** Reads the super block back from the store, as a real opening would. */
  readonly decodeSuperBlock: (bytes: Uint8Array) => SuperBlock
  /** Looks over the store after each save; throws for what it finds. */
  readonly audit?: (store: SimStore, config: EngineConfig) => void
}

/** Runs one seed; throws with the seed in the message if anything is wrong. */
export function runScenario(options: ScenarioOptions): ScenarioReport {
  try {
    return run(options)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`seed ${options.seed}: ${message}`, { cause: error })
  }
}

function run({ seed, steps, lend, decodeSuperBlock, audit }: ScenarioOptions): ScenarioReport {
  const prng = new Prng(seed)
  const config = drawConfig(prng)
  const store = new SimStore(config.volume.physicalBlocks)
  const oracle = new Oracle()
  const first = boot(config, store, prng.fork(), lend)
  const workload = new Workload(
    first.frontEnd,
    prng.fork(),
    oracle,
    prng.between(1, config.shape.dataVios * 2),
  )
  const eagerness = prng.pick([0.02, 0.2, 0.8])
  for (let issued = 0; issued < steps; ) {
    if (workload.inFlight < workload.depth && (workload.inFlight === 0 || prng.chance(eagerness))) {
      workload.issue()
      issued++
    }
    assert(first.step() || workload.inFlight === 0, 'the engine moves while requests are in flight')
  }
  finish(first, workload)
  shutDown(first)
  audit?.(store, config)

  const superBlock = decodeSuperBlock(store.read(config.volume.superBlockPbn))
  const again: EngineConfig = {
    shape: config.shape,
    plan: redrawPlan(prng, Math.min(3, config.volume.slabCount)),
    superBlock,
    volume: describeVolume(
      { nonce: superBlock.nonce, bioOffset: 0 },
      superBlock,
      config.volume.superBlockPbn,
    ),
  }
  const logicalShare = again.plan.counts.logical
  const shape = {
    ...again.shape,
    cachePages: Math.ceil(again.shape.cachePages / logicalShare) * logicalShare,
  }
  const second = boot({ ...again, shape }, store, prng.fork(), lend)
  const reader = new Workload(second.frontEnd, prng.fork(), oracle, 16)
  for (let leaf = 0; leaf < Math.floor(config.volume.logicalBlocks / 812); leaf++) {
    for (let i = 0; i < 40; i++) {
      reader.readBack(leaf * 812 + i)
      while (reader.inFlight > 16) assert(second.step(), 'the engine moves while requests are in flight')
    }
  }
  for (let i = 0; i < steps / 4; i++) {
    reader.issue()
    second.step()
  }
  finish(second, reader)
  shutDown(second)
  audit?.(store, { ...again, shape })

  const counters = Array.from(
    { length: Object.keys(Counter).length / 2 },
    (_, counter) => first.arena.total(counter) + second.arena.total(counter),
  )
  const rare = Object.fromEntries(
    Object.entries(RARE).map(([name, counter]) => [name, counters[counter]]),
  ) as Record<keyof typeof RARE, number>
  return {
    seed,
    traceHash: (first.traceHash ^ Math.imul(second.traceHash, 31)) >>> 0,
    events: first.steps + second.steps,
    requests: workload.answered + reader.answered,
    noSpace: workload.noSpace + reader.noSpace,
    rare,
    counters,
  }
}

function boot(config: EngineConfig, store: SimStore, prng: Prng, lend: LendMemory): Simulator {
  const simulator = new Simulator(config, store, prng, lend, arenaBytes(arenaConfig(config)))
  simulator.arena.boards.compressing = true
  simulator.arena.boards.deduplicating = true
  administer(simulator, AdminCommand.Load)
  return simulator
}

function administer(simulator: Simulator, command: AdminCommand): void {
  let answer: Status | null = null
  simulator.frontEnd.administer(command, (status) => {
    answer = status
  })
  const answered = simulator.runUntil(() => answer !== null)
  assert(answered, 'an administrative command is answered')
  if (answer !== Status.Success) throw new Error(`${AdminCommand[command]} ends with ${Status[answer!]}`)
}

function finish(simulator: Simulator, workload: Workload): void {
  const done = simulator.runUntil(() => workload.inFlight === 0)
  assert(done, 'every request is answered')
}

function shutDown(simulator: Simulator): void {
  let drained = false
  simulator.frontEnd.drain(() => {
    drained = true
  })
  assert(
    simulator.runUntil(() => drained),
    'the front end drains',
  )
  administer(simulator, AdminCommand.Save)
}
