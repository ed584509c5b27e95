/** One write of metadata fails, of each structure in turn: the volume becomes read-only, once, and stays so. */
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import type { EngineConfig } from '../../src/engine/assemble.js'
import { decodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { drawConfig, redrawConfig } from '../../src/sim/draw-config.js'
import { administer, drain, work } from '../../src/sim/drive.js'
import { Oracle } from '../../src/sim/oracle.js'
import { OrderChecker } from '../../src/sim/order/order-checker.js'
import { useReadOnly } from '../../src/sim/read-only-client.js'
import { SimStore } from '../../src/sim/sim-store.js'
import { type LendMemory, Simulator } from '../../src/sim/simulator.js'
import { Structure, structureOf } from '../../src/sim/structures.js'
import { Workload } from '../../src/sim/workload.js'
import { AdminCommand } from '../../src/vio/opcodes.js'

const SEEDS = [1, 2, 3, 4]
const REQUESTS = 100
const DEPTH = 8
const EAGERNESS = 0.2

const METADATA = [
  Structure.RecoveryJournal,
  Structure.SlabJournal,
  Structure.References,
  Structure.Summary,
  Structure.Root,
  Structure.MapPage,
  Structure.SuperBlock,
]

/** Hears how often the super block is written as READ_ONLY, and proves that nothing follows. */
class Listener extends OrderChecker {
  readOnlyMarks = 0

  constructor(private readonly config: EngineConfig) {
    super({ ...config.volume, ...config.shape })
  }

  override writeBegun(request: number, block: number, bytes: Uint8Array): void {
    super.writeBegun(request, block, bytes)
    if (block !== this.config.volume.superBlockPbn) return
    if (decodeSuperBlock(bytes, crc32).state === VolumeState.ReadOnly) this.readOnlyMarks++
  }
}

describe('a write that fails', function () {
  this.timeout(60_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  function run(seed: number, structure: Structure): void {
    const prng = new Prng(seed)
    const config = drawConfig(prng)
    const { superBlockPbn, physicalBlocks } = config.volume
    const store = new SimStore(physicalBlocks)
    const boot = (found: EngineConfig, log: OrderChecker | null) =>
      new Simulator(found, store, prng.fork(), lend, log)
    const superBlock = () => decodeSuperBlock(store.blockAt(superBlockPbn), crc32)

    const listener = new Listener(config)
    const simulator = boot(config, listener)
    const { boards } = simulator.arena
    expect(administer(simulator, AdminCommand.Load)).to.equal(Status.Success)
    // The super block is written once more only, by the save.
    store.failureChance = structure === Structure.SuperBlock ? 1 : 0.5
    store.failuresLeft = 1
    store.mayFail = (op, block) =>
      op === DeviceOp.Write && structureOf(config, block, store.blockAt(block)) === structure
    const hasFailed = () => store.failures > 0
    const isReadOnly = () => boards.readOnlyReason !== Status.Success
    const workload = new Workload(simulator.frontEnd, prng.fork(), new Oracle(), DEPTH, hasFailed, isReadOnly)
    const numbers = Array.from({ length: REQUESTS }, (_, i) => i + 1)
    work(simulator, workload, prng, numbers, EAGERNESS)
    drain(simulator, false)
    administer(simulator, AdminCommand.Save)
    store.failuresLeft = 0
    expect(hasFailed(), 'a write has failed').to.equal(true)
    expect(isReadOnly()).to.equal(true)
    expect(listener.readOnlyMarks).to.equal(1)
    expect(superBlock().state).to.equal(VolumeState.ReadOnly)

    const { written } = store
    const found = redrawConfig(prng, config, superBlock())
    const again = boot(found, null)
    expect(administer(again, AdminCommand.Load)).to.equal(Status.Success)
    expect(again.arena.boards.readOnlyReason).to.equal(Status.ReadOnly)
    useReadOnly(again, prng)
    expect(store.written).to.equal(written)
  }

  for (const structure of METADATA) {
    it(`makes the volume read-only, once and for good (${Structure[structure]})`, () => {
      for (const seed of SEEDS) run(seed, structure)
    })
  }
})
