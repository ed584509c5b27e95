import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import type { EngineConfig } from '../../src/engine/assemble.js'
import { decodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { audit } from '../../src/repair/audit.js'
import { drawConfig, redrawConfig } from '../../src/sim/draw-config.js'
import { administer, drain } from '../../src/sim/drive.js'
import { requireConsistent, volumeOf } from '../../src/sim/found-volume.js'
import { SimStore } from '../../src/sim/sim-store.js'
import { type LendMemory, Simulator } from '../../src/sim/simulator.js'
import { Counter } from '../../src/vio/counters.js'
import { AdminCommand } from '../../src/vio/opcodes.js'

const BLOCK = 4096
const SEEDS = [1, 2, 3, 4, 5, 6]
const MOST_DATA_BLOCKS = 400
const AT_ONCE = 8
const FREED = 10

/** A small volume, and what its blocks must hold. */
class FilledVolume {
  private readonly prng: Prng
  private readonly held = new Map<number, Uint8Array>()
  private config: EngineConfig
  private store: SimStore
  private simulator: Simulator

  constructor(
    seed: number,
    private readonly lend: LendMemory,
  ) {
    this.prng = new Prng(seed)
    do this.config = drawConfig(this.prng)
    while (this.dataBlocks > MOST_DATA_BLOCKS)
    this.store = new SimStore(this.config.volume.physicalBlocks)
    this.simulator = this.boot()
  }

  /** Blocks that hold something, ascending. */
  get lbns(): number[] {
    return [...this.held.keys()].sort((a, b) => a - b)
  }

  get freeBlocks(): number {
    return this.dataBlocks - this.simulator.arena.total(Counter.DataBlocksAllocated)
  }

  /** Writes what no other block holds, and gives the answers in order. A block that is refused keeps what it has. */
  write(lbns: readonly number[]): Status[] {
    const answers: Status[] = []
    let inFlight = 0
    lbns.forEach((lbn, i) => {
      const bytes = new Uint8Array(BLOCK)
      this.prng.fill(bytes)
      inFlight++
      this.simulator.frontEnd.write(lbn * BLOCK, bytes, false, (status) => {
        inFlight--
        answers[i] = status
        if (status === Status.Success) this.held.set(lbn, bytes)
      })
      this.until(() => inFlight < AT_ONCE)
    })
    this.until(() => inFlight === 0)
    return answers
  }

  /** Writes on, block after block, until there is room for none. */
  fill(): void {
    for (let lbn = (this.lbns.at(-1) ?? -1) + 1; ; lbn += AT_ONCE) {
      const answers = this.write(Array.from({ length: AT_ONCE }, (_, i) => lbn + i))
      if (answers.every((status) => status === Status.NoSpace)) break
    }
    this.flush()
  }

  discard(lbns: readonly number[]): void {
    for (const lbn of lbns) {
      this.answered((done) => this.simulator.frontEnd.trim(lbn * BLOCK, BLOCK, false, done))
      this.held.delete(lbn)
    }
    this.flush()
  }

  flush(): void {
    this.answered((done) => this.simulator.frontEnd.flush(done))
  }

  /** Every block holds what it must. */
  readBack(): void {
    const bytes = new Uint8Array(BLOCK)
    for (const [lbn, wanted] of this.held) {
      this.answered((done) => this.simulator.frontEnd.read(lbn * BLOCK, bytes, done))
      expect(Buffer.compare(bytes, wanted), `block ${lbn}`).to.equal(0)
    }
  }

  /** The power fails while new blocks are being refused; the next engine has other zones. */
  cut(): void {
    const block = new Uint8Array(BLOCK)
    for (let i = 0; i < AT_ONCE; i++) {
      this.prng.fill(block)
      this.simulator.frontEnd.write((this.lbns.at(-1)! + 1 + i) * BLOCK, block.slice(), false, () => {})
    }
    for (let left = this.prng.below(200); left > 0; left--) this.simulator.step()
    this.store = this.store.crash(this.prng)
    this.reopen()
  }

  /** Closes the volume, finds it in order, and opens it again. */
  restart(): void {
    drain(this.simulator, false)
    expect(administer(this.simulator, AdminCommand.Save)).to.equal(Status.Success)
    const { superBlockPbn } = this.config.volume
    const superBlock = decodeSuperBlock(this.store.blockAt(superBlockPbn), crc32)
    const volume = volumeOf(superBlock, superBlockPbn)
    requireConsistent(audit({ disk: this.store, volume, state: VolumeState.Clean }), 'the audit')
    this.reopen()
  }

  private get dataBlocks(): number {
    return this.config.volume.slabCount * this.config.volume.slabDataBlocks
  }

  private reopen(): void {
    const { superBlockPbn } = this.config.volume
    const superBlock = decodeSuperBlock(this.store.blockAt(superBlockPbn), crc32)
    this.config = redrawConfig(this.prng, this.config, superBlock)
    this.simulator = this.boot()
  }

  private boot(): Simulator {
    const { config, lend, prng, store } = this
    const simulator = new Simulator(config, store, prng.fork(), lend)
    expect(administer(simulator, AdminCommand.Load)).to.equal(Status.Success)
    return simulator
  }

  private answered(ask: (done: (status: Status) => void) => void): void {
    let answer: Status | null = null
    ask((status) => {
      answer = status
    })
    this.until(() => answer !== null)
    expect(answer).to.equal(Status.Success)
  }

  private until(done: () => boolean): void {
    if (!this.simulator.runUntil(done)) throw new Error('the engine stops before it has answered')
  }
}

describe('a volume without a free block', function () {
  this.timeout(60_000)
  let lend: LendMemory

  before(async () => {
    lend = await memoryLender()
  })

  for (const seed of SEEDS) {
    it(`loses nothing when the power fails, and uses at once what is discarded (seed ${seed})`, () => {
      const volume = new FilledVolume(seed, lend)
      volume.fill()
      expect(volume.freeBlocks).to.equal(0)
      volume.cut()
      volume.readBack()

      const [first] = volume.lbns
      expect(volume.write([first!])).to.deep.equal([Status.NoSpace])
      volume.readBack()

      const freed = volume.lbns.slice(-FREED)
      volume.discard(freed)
      const answers = volume.write(freed)
      expect(answers).to.deep.equal(freed.map(() => Status.Success))
      expect(volume.write([first!])).to.deep.equal([Status.NoSpace])
      volume.flush()

      volume.cut()
      volume.readBack()
      volume.restart()
      volume.readBack()
      expect(volume.write([first!])).to.deep.equal([Status.NoSpace])
      volume.discard(volume.lbns.slice(0, FREED))
      volume.cut()
      volume.readBack()
      expect(volume.write([volume.lbns[0]!])).to.deep.equal([Status.Success])
    })
  }
})
