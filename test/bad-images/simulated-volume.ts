/**
 * A volume on a disk in memory, opened as `openVolume` opens one on a file: the same look at its head, the same
 * refusals, the same zones; but in one thread, in the simulator, so that hundreds open in a second.
 */
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { WASM_PAGE_BYTES } from '../../src/engine/arena.js'
import type { EngineConfig } from '../../src/engine/assemble.js'
import { slabCountOf } from '../../src/format/super-block.js'
import { configureEngine } from '../../src/host/configure-engine.js'
import { memoryLender } from '../../src/host/lend-memory.js'
import { loadProfile } from '../../src/host/profile.js'
import { type ReadableStore, readVolumeHead } from '../../src/host/read-volume.js'
import { administer, drain } from '../../src/sim/drive.js'
import { type LendMemory, Simulator } from '../../src/sim/simulator.js'
import { AdminCommand } from '../../src/vio/opcodes.js'
import type { VolumeShape } from '../../src/vio/volume-shape.js'
import type { ImageStore } from './image-store.js'

const BLOCK = 4096
/** One zone of each kind, and several of most: damage may have them meet in one block. */
const [TINY, WIDE] = [loadProfile('tiny'), loadProfile('wide')]
const WIDE_CHANCE = 0.25

/** What a geometry may ask for its index: its page map, and buffers for its chapters. */
const MOST_ARENA_BYTES = 512 * 1024 ** 2

/**
 * Gives again and again the same memory, of the most bytes that a run may ask for: but more to one whose geometry has
 * come to name a larger index.
 */
export async function lendOneMemory(bytes: number): Promise<LendMemory> {
  const lend = await memoryLender()
  const lent = lend(bytes)
  const all = new Uint8Array(lent.buffer)
  let used = 0
  return (wanted) => {
    if (wanted > MOST_ARENA_BYTES) throw new Error(`an engine asks for ${wanted} bytes of arena`)
    if (wanted > bytes) return lend(wanted)
    all.fill(0, 0, used)
    used = Math.ceil(wanted / WASM_PAGE_BYTES) * WASM_PAGE_BYTES
    return lent
  }
}

/** The disk as what a volume's head is read from. */
export function readable(store: ImageStore): ReadableStore {
  return {
    name: 'the image',
    sizeBytes: store.blockCount * BLOCK,
    read: (at, size) => store.bytesAt(at, size),
  }
}

export class SimulatedVolume {
  readonly simulator: Simulator
  private readonly config: EngineConfig
  /** Requests that wait for their answer. */
  private open = 0

  /** Throws a VdoError for an image that is refused. */
  constructor(store: ImageStore, shape: Partial<VolumeShape>, lend: LendMemory, seed: number) {
    const head = readVolumeHead('Cannot open', readable(store))
    const prng = new Prng(seed)
    const isWide = slabCountOf(head.superBlock) >= WIDE.counts.physical && prng.chance(WIDE_CHANCE)
    this.config = configureEngine(head, {
      profile: isWide ? WIDE : TINY,
      deduplication: true,
      shape,
    })
    this.simulator = new Simulator(this.config, store, prng, lend)
    this.simulator.arena.boards.compressing = true
    this.simulator.arena.boards.deduplicating = true
  }

  get logicalBlocks(): number {
    return this.config.volume.logicalBlocks
  }
  get depotOrigin(): number {
    return this.config.volume.depotOrigin
  }
  get slabDataBlocks(): number {
    return this.config.volume.slabDataBlocks
  }

  /** What made the volume read-only, if anything did. */
  get readOnlyReason(): Status {
    return this.simulator.arena.boards.readOnlyReason
  }

  load(): Status {
    return administer(this.simulator, AdminCommand.Load)
  }

  save(): Status {
    drain(this.simulator, false)
    return administer(this.simulator, AdminCommand.Save)
  }

  /** Brings the volume to rest, saved or not, and back. */
  pause(command: AdminCommand.Suspend | AdminCommand.Save): void {
    const { simulator } = this
    drain(simulator, true)
    administer(simulator, command)
    administer(simulator, AdminCommand.Resume)
    simulator.frontEnd.letGo()
  }

  flush(): Status {
    let answer = Status.EngineHalted
    this.begin((frontEnd, done) =>
      frontEnd.flush((status) => {
        answer = status
        done(status)
      }),
    )
    this.answered()
    return answer
  }

  /** Starts a request without waiting for its end; `answered` waits for all of those. */
  begin(start: (frontEnd: Simulator['frontEnd'], done: (status: Status) => void) => void): void {
    this.open++
    start(this.simulator.frontEnd, () => this.open--)
  }

  answered(): void {
    const done = this.simulator.runUntil(() => this.open === 0)
    if (!done) throw new Error('a request is never answered')
  }
}
