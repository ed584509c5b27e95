/** All that a small simulated volume asks of its store in two lives, as a list that can be tampered with. */
import { crc32 } from 'node:zlib'
import { Prng } from '../../../src/base/prng.js'
import type { IoLog } from '../../../src/device/logging-device.js'
import type { EngineConfig } from '../../../src/engine/assemble.js'
import { decodeSuperBlock } from '../../../src/format/super-block.js'
import { drawConfig, redrawConfig } from '../../../src/sim/draw-config.js'
import { administer, drain, work } from '../../../src/sim/drive.js'
import { Oracle } from '../../../src/sim/oracle.js'
import { OrderChecker, OrderViolation } from '../../../src/sim/order/order-checker.js'
import type { OrderLayout } from '../../../src/sim/order/order-model.js'
import { SimStore } from '../../../src/sim/sim-store.js'
import { type LendMemory, Simulator } from '../../../src/sim/simulator.js'
import { Workload } from '../../../src/sim/workload.js'
import { AdminCommand } from '../../../src/vio/opcodes.js'

export interface LoggedWrite {
  readonly kind: 'write'
  readonly request: number
  readonly block: number
  readonly bytes: Uint8Array
}
export type LogEvent =
  | LoggedWrite
  | { readonly kind: 'flush'; readonly request: number }
  | { readonly kind: 'end'; readonly request: number }

export interface RecordedLog {
  readonly events: readonly LogEvent[]
  readonly config: EngineConfig
}

const DEPTH = 12
const EAGERNESS = 0.2

/** Loads, works and saves, then once more with other zones. */
export function recordLog(seed: number, requests: number, lend: LendMemory): RecordedLog {
  const events: LogEvent[] = []
  const prng = new Prng(seed)
  const first = drawSmall(prng)
  const { superBlockPbn, physicalBlocks } = first.volume
  const store = new SimStore(physicalBlocks)
  const oracle = new Oracle()
  let config = first
  let number = 0
  for (const life of [0, 1]) {
    if (life > 0) config = redrawConfig(prng, config, decodeSuperBlock(store.blockAt(superBlockPbn), crc32))
    const simulator = new Simulator(config, store, prng.fork(), lend, new Recorder(events, life))
    administer(simulator, AdminCommand.Load)
    const workload = new Workload(simulator.frontEnd, prng.fork(), oracle, DEPTH)
    work(
      simulator,
      workload,
      prng,
      Array.from({ length: requests }, () => ++number),
      EAGERNESS,
    )
    drain(simulator, false)
    administer(simulator, AdminCommand.Save)
  }
  return { events, config: first }
}

/** The rule that a log breaks first; null if it keeps all of them. */
export function ruleBrokenBy(events: readonly LogEvent[], layout: OrderLayout): string | null {
  const checker = new OrderChecker(layout)
  try {
    for (const event of events) tell(checker, event)
    return null
  } catch (error) {
    if (error instanceof OrderViolation) return error.rule
    throw error
  }
}

function tell(checker: OrderChecker, event: LogEvent): void {
  if (event.kind === 'write') checker.writeBegun(event.request, event.block, event.bytes)
  else if (event.kind === 'flush') checker.flushBegun(event.request)
  else checker.ended(event.request, true)
}

/** Journals that go round, counts that are shared, and several slabs. */
function drawSmall(prng: Prng): EngineConfig {
  for (;;) {
    const config = drawConfig(prng)
    const { shape, volume } = config
    const isSmall =
      volume.journalBlocks === 16 && shape.journalEntriesPerBlock <= 8 && volume.slabBlocks <= 256
    const isBusy = shape.slabJournalEntriesPerBlock <= 6 && volume.slabJournalBlocks <= 16
    if (isSmall && isBusy && shape.maximumReferences > 3) return config
  }
}

class Recorder implements IoLog {
  private readonly base: number

  /** Each life has numbers of its own. */
  constructor(
    private readonly events: LogEvent[],
    life: number,
  ) {
    this.base = life * 2 ** 30
  }

  writeBegun(request: number, block: number, bytes: Uint8Array): void {
    this.events.push({ kind: 'write', request: this.base + request, block, bytes: bytes.slice() })
  }

  flushBegun(request: number): void {
    this.events.push({ kind: 'flush', request: this.base + request })
  }

  ended(request: number): void {
    this.events.push({ kind: 'end', request: this.base + request })
  }
}
