/**
 * A small engine in the simulator with an index whose chapters close after a few records, on a disk that can be
 * watched: for what happens to an index while the volume serves.
 */
import { crc32 } from 'node:zlib'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import type { EngineConfig } from '../../src/engine/assemble.js'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { drawConfig, NONCE, redrawConfig } from '../../src/sim/draw-config.js'
import { SimStore } from '../../src/sim/sim-store.js'
import { type LendMemory, Simulator } from '../../src/sim/simulator.js'
import type { IndexPlace } from '../../src/uds/index-layout.js'
import { IndexStage } from '../../src/vio/boards.js'
import type { Counter } from '../../src/vio/counters.js'
import type { Mark } from '../../src/vio/marks.js'
import { AdminCommand, type IndexControl } from '../../src/vio/opcodes.js'

const BLOCK = 4096
/** Blocks that are written, again and again: there is room for them on the smallest volume. */
const LBNS = 40

export interface IndexWorldOptions {
  readonly seed: number
  readonly zones: number
  readonly sparse?: boolean
  /** Records of a chapter. */
  readonly chapterRecords?: number
  /** Questions that a hash zone may have open. */
  readonly contexts?: number
}

/** Counts writes that begin and end in the region of the index. */
export class WatchedStore extends SimStore {
  moves = 0
  region = { block: 0, blocks: 0 }

  override begin(request: Parameters<SimStore['begin']>[0], now: (index: number) => Uint8Array): void {
    if (request.op === DeviceOp.Write && this.isInside(request.block)) this.moves++
    super.begin(request, now)
  }

  override write(block: number, bytes: Uint8Array): void {
    if (this.isInside(block)) this.moves++
    super.write(block, bytes)
  }

  isInside(block: number): boolean {
    return block >= this.region.block && block < this.region.block + this.region.blocks
  }
}

export class IndexWorld {
  readonly prng: Prng
  readonly store: WatchedStore
  readonly reports: string[] = []
  config: EngineConfig
  simulator: Simulator
  /** Called after each event. */
  onEvent: () => void = () => {}

  constructor(
    private readonly lend: LendMemory,
    { seed, zones, sparse = false, chapterRecords = 24, contexts = 64 }: IndexWorldOptions,
  ) {
    this.prng = new Prng(seed)
    const index = { recordPagesPerChapter: 1, baseChapters: 4, sparse, reduced: false }
    do {
      this.config = drawConfig(this.prng, index)
    } while (this.config.plan.counts.index !== zones)
    const { shape, volume, indexRegion } = this.config
    this.config = {
      ...this.config,
      shape: { ...shape, indexChapterRecords: chapterRecords, dedupeContexts: contexts },
    }
    this.store = new WatchedStore(volume.physicalBlocks)
    this.store.region = indexRegion
    this.simulator = this.boot()
  }

  /** Where the index is. */
  get place(): IndexPlace {
    const { shape, indexRegion } = this.config
    return { shape: shape.index!, start: indexRegion.block, blocks: indexRegion.blocks, nonce: NONCE }
  }

  get state(): string {
    return this.simulator.arena.boards.indexState
  }

  total(counter: Counter | Mark): number {
    return this.simulator.arena.total(counter)
  }

  /** Events until something holds. */
  until(done: () => boolean): void {
    for (let i = 0; !done(); i++) {
      const moved = this.simulator.step()
      this.onEvent()
      if (moved && i < 2_000_000) continue
      if (!done()) throw new Error(`the engine stops; the index is ${this.state}`)
    }
  }

  untilSettled(): void {
    const { boards } = this.simulator.arena
    this.until(() => boards.indexStage === IndexStage.Open || boards.indexStage === IndexStage.Closed)
  }

  administer(command: AdminCommand): void {
    let answer: Status | null = null
    this.simulator.frontEnd.administer(command, (status) => {
      answer = status
    })
    this.until(() => answer !== null)
    if (answer !== Status.Success) throw new Error(`${AdminCommand[command]} ends with ${answer}`)
  }

  control(control: IndexControl): void {
    const { boards } = this.simulator.arena
    const number = this.simulator.frontEnd.controlIndex(control)
    this.until(() => boards.indexControls >= number)
    this.untilSettled()
  }

  /** Writes blocks of these contents, some at a time, and waits for them. */
  write(contents: Iterable<number>, atOnce = 4): void {
    let inFlight = 0
    let at = 0
    for (const content of contents) {
      inFlight++
      this.simulator.frontEnd.write((at++ % LBNS) * BLOCK, blockOf(content), false, (status) => {
        if (status !== Status.Success) throw new Error(`a write ends with ${Status[status]}`)
        inFlight--
      })
      this.until(() => inFlight < atOnce)
    }
    this.drain()
  }

  /** Everything that was asked is done, also what was answered before. */
  drain(): void {
    let drained = false
    this.simulator.frontEnd.drain(() => {
      drained = true
    })
    this.until(() => drained)
  }

  /** Everything is saved. */
  save(): void {
    this.drain()
    this.administer(AdminCommand.Save)
  }

  /** Another engine, with other zones, on what the store holds now. */
  reopen(): void {
    const { superBlockPbn } = this.config.volume
    const superBlock = decodeSuperBlock(this.store.blockAt(superBlockPbn), crc32)
    this.config = redrawConfig(this.prng, this.config, superBlock)
    this.simulator = this.boot()
  }

  private boot(): Simulator {
    const { config, store, prng } = this
    const simulator = new Simulator(config, store, prng.fork(), this.lend)
    const { boards } = simulator.arena
    // Time passes when nothing else can happen.
    simulator.hurry = 0
    boards.compressing = false
    boards.deduplicating = true
    simulator.onReport = (sentence) => this.reports.push(sentence)
    this.simulator = simulator
    this.administer(AdminCommand.Load)
    return simulator
  }
}

/** A block that is like no block of another content. */
export function blockOf(content: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK).fill(content % 251)
  new DataView(bytes.buffer).setUint32(0, content + 1)
  return bytes
}

/** The numbers from `first` on. */
export function* upFrom(first: number, count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield first + i
}
