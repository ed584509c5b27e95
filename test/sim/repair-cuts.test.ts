/**
 * A recovery of one crashed volume is cut short by a power failure after each event that it consists of, one after the
 * other, and begun again with other zones on other threads. Every time the volume must come up with all that was
 * promised, and be sound when it is closed. So is a rebuild, after every few of its events.
 */
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import type { EngineConfig } from '../../src/engine/assemble.js'
import { collectStatistics } from '../../src/engine/statistics.js'
import { decodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { drawConfig, redrawConfig } from '../../src/sim/draw-config.js'
import { administer, drain, readBack, work } from '../../src/sim/drive.js'
import { auditFound, markState, requireConsistent } from '../../src/sim/found-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { type Unpack, unpackerOn } from '../../src/sim/read-mapped.js'
import { SimStore } from '../../src/sim/sim-store.js'
import { type LendMemory, Simulator } from '../../src/sim/simulator.js'
import { Workload } from '../../src/sim/workload.js'
import { AdminCommand } from '../../src/vio/opcodes.js'

const BLOCK = 4096
const SEED = 9
const REQUESTS = 60
const DEPTH = 8
const EAGERNESS = 0.2
const LEAST_SLABS = 6
/** Events between two cuts: nothing is left out of a recovery. */
const RECOVERY_STRIDE = 1
const REBUILD_STRIDE = 4

/** A disk on which a volume waits for its repair, and what was promised. */
interface Crashed {
  readonly store: SimStore
  readonly config: EngineConfig
  readonly oracle: Oracle
}

describe('a repair that the power cuts short', function () {
  this.timeout(120_000)
  let lend: LendMemory
  let unpack: Unpack

  before(async () => {
    lend = await memoryLender()
    unpack = unpackerOn(lend(2 ** 17))
  })

  function boot(config: EngineConfig, store: SimStore, prng: Prng): Simulator {
    return new Simulator(config, store, prng, lend)
  }

  /** The same disk once more: what is on it is stable. */
  function copyOf(store: SimStore): SimStore {
    return store.crash(new Prng(1))
  }

  function crash(): Crashed {
    const prng = new Prng(SEED)
    let config = drawConfig(prng)
    while (config.volume.slabCount < LEAST_SLABS || config.shape.index !== null) config = drawConfig(prng)
    const store = new SimStore(config.volume.physicalBlocks)
    const oracle = new Oracle()
    const simulator = boot(config, store, prng.fork())
    administer(simulator, AdminCommand.Load)
    const workload = new Workload(simulator.frontEnd, prng.fork(), oracle, DEPTH)
    const numbers = Array.from({ length: REQUESTS }, (_, i) => i + 1)
    work(simulator, workload, prng, numbers, EAGERNESS)
    for (let i = 0; i < DEPTH; i++) workload.issue()
    for (let i = 0; i < 40; i++) simulator.step()
    oracle.powerFailed()
    return { store: store.crash(prng), config, oracle }
  }

  /** The volume as it is found, for other zones on other threads. */
  function found(config: EngineConfig, store: SimStore, prng: Prng): EngineConfig {
    const { superBlockPbn } = config.volume
    const superBlock = decodeSuperBlock(store.blockAt(superBlockPbn), crc32)
    return redrawConfig(prng, config, superBlock)
  }

  /** As an operator does. */
  function mark(store: SimStore, { volume: { superBlockPbn } }: EngineConfig, state: VolumeState): void {
    const superBlock = decodeSuperBlock(store.blockAt(superBlockPbn), crc32)
    markState(store, superBlock, superBlockPbn, state, lend(2 ** 17).native)
  }

  const isRepaired = ({ arena }: Simulator) => arena.boards.unscrubbedSlabs === 0

  /** Repairs the volume; gives the events that it took. */
  function repair(simulator: Simulator): number {
    expect(administer(simulator, AdminCommand.Load)).to.equal(Status.Success)
    expect(simulator.runUntil(() => isRepaired(simulator))).to.equal(true)
    return simulator.steps
  }

  /** Begins to repair the volume, always in the same way, and loses power after so many events. */
  function cut(config: EngineConfig, store: SimStore, events: number): SimStore {
    const simulator = boot(config, store, new Prng(SEED))
    simulator.frontEnd.administer(AdminCommand.Load, () => {})
    for (let i = 0; i < events; i++) simulator.step()
    return store.crash(new Prng(events))
  }

  /** The volume is repaired and has all that was promised; closed, it is sound. */
  function judge({ store, config, oracle }: Crashed, prng: Prng): void {
    const simulator = boot(config, store, prng.fork())
    repair(simulator)
    readBack(simulator, simulator.frontEnd, prng.fork(), oracle, false)
    drain(simulator, false)
    expect(administer(simulator, AdminCommand.Save)).to.equal(Status.Success)
    const superBlock = decodeSuperBlock(store.blockAt(config.volume.superBlockPbn), crc32)
    expect(superBlock.state).to.equal(VolumeState.Clean)
    requireConsistent(auditFound(store, superBlock, config, unpack), 'the audit')
  }

  for (const [what, stride] of [
    ['recovery', RECOVERY_STRIDE],
    ['rebuild', REBUILD_STRIDE],
  ] as const) {
    it(`is begun again, wherever it was (${what})`, () => {
      const { store, config, oracle } = crash()
      if (what === 'rebuild') mark(store, config, VolumeState.ForceRebuild)
      const first = found(config, store, new Prng(SEED))
      const whole = repair(boot(first, copyOf(store), new Prng(SEED)))
      for (let events = 1; events <= whole; events += stride) {
        const left = cut(first, copyOf(store), events)
        const prng = new Prng(events)
        judge({ store: left, config: found(config, left, prng), oracle }, prng)
      }
    })
  }

  it('serves while its slabs are scrubbed, and tells how far it is', () => {
    const { store, config } = crash()
    // One zone for all slabs: only its first is scrubbed before it serves.
    const prng = new Prng(SEED)
    let again = found(config, store, prng)
    while (again.plan.counts.physical > 1) again = found(config, store, prng)
    const { depotOrigin, journalOrigin, slabBlocks, slabDataBlocks, slabCount } = again.volume
    const simulator = boot(again, store, new Prng(SEED))
    expect(administer(simulator, AdminCommand.Load)).to.equal(Status.Success)
    // Nothing that a slab says of itself can be read for now.
    store.isAsleep = (op, block) =>
      op === DeviceOp.Read &&
      block >= depotOrigin &&
      block < journalOrigin &&
      (block - depotOrigin) % slabBlocks >= slabDataBlocks
    const progress = () => {
      const { mode, inRecoveryMode, recoveryPercentage } = collectStatistics(again, simulator.arena)
      return { mode, inRecoveryMode, recoveryPercentage }
    }
    const written = new Uint8Array(BLOCK).fill(7)
    const bytes = new Uint8Array(BLOCK)
    const { frontEnd } = simulator
    const answers: Status[] = []
    const answered = (status: Status) => void answers.push(status)
    frontEnd.write(0, written, true, () => frontEnd.read(0, bytes, answered))
    frontEnd.flush(answered)
    expect(simulator.runUntil(() => answers.length === 2)).to.equal(true)
    expect(answers).to.deep.equal([Status.Success, Status.Success])
    expect(bytes).to.deep.equal(written)
    const seen = [progress()]
    store.isAsleep = null
    while (!isRepaired(simulator)) {
      simulator.step()
      const now = progress()
      if (now.recoveryPercentage !== seen.at(-1)!.recoveryPercentage) seen.push(now)
    }
    expect(seen).to.deep.equal([
      ...[3, 4, 5].map((slabs) => ({
        mode: 'recovering',
        inRecoveryMode: true,
        recoveryPercentage: Math.floor((100 * slabs) / slabCount),
      })),
      { mode: 'normal', inRecoveryMode: false, recoveryPercentage: 100 },
    ])
  })
})
