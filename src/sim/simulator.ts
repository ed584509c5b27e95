/**
 * The whole engine in one thread: every thread of the plan is a reactor, and a seeded scheduler decides which one
 * moves next, from which ring, how many words; or which disk request completes; or, when nothing else is left, that
 * time passes. A run is its seed and its configuration.
 */

import type { VioIndex } from '../base/ids.js'
import type { Native } from '../base/native.js'
import type { Prng } from '../base/prng.js'
import { type IoLog, LoggingDevice } from '../device/logging-device.js'
import { Arena, arenaBytes } from '../engine/arena.js'
import { type AssembledThread, arenaConfig, assembleThread, type EngineConfig } from '../engine/assemble.js'
import { requireRunnable } from '../engine/check-shape.js'
import type { FrontEnd } from '../engine/front-end.js'
import { encodeAdvice } from '../format/advice.js'
import { CONTEXT_BYTES } from '../vio/dedupe-contexts.js'
import { HashOp, hopOfWord, operandOfWord, opOfHop } from '../vio/opcodes.js'
import { SimDevice, type SimStore } from './sim-store.js'
import { TraceDigest, type TraceHasher } from './trace-digest.js'
import { VioWatch } from './vio-watch.js'

/** What the caller lends: shared memory with a native over it (see host/native.ts), made anew for each simulator. */
export type LendMemory = (bytes: number) => LentMemory

export interface LentMemory {
  readonly buffer: ArrayBufferLike
  readonly native: Native
  /** For the digest of one simulator's messages; the next simulator begins it anew. */
  readonly hasher: TraceHasher
}

/** The mapping states, and some that do not exist. */
const MORE_STATES = 18

interface Choice {
  readonly thread: number
  /** An inbound ring; `rings` for the local queue. */
  readonly ring: number
}

/** As so many events more counts that nothing happens while a disk lets all that there is lie: it must not miss a day. */
const SLUMBER = 15
/** How often a slow disk does nothing although it could. */
const SLOWNESS = 0.9
/** What the clock on the wall says when a run begins: some day. */
const EPOCH_MS = 1_700_000_000_000
/** What blocks in memory are full of at first. */
const LEFT_OVER = 0xee

export class Simulator {
  readonly arena: Arena
  readonly frontEnd: FrontEnd
  /** Virtual milliseconds. */
  nowMs = 0
  /** Called before each event. */
  onStep: (() => void) | null = null
  /** Hears every message when it arrives: the event, the thread, the word. */
  onMessage: ((step: number, thread: number, word: number) => void) | null = null
  /** Hears what the engine has to say to people. */
  onReport: ((sentence: string) => void) | null = null
  /** Events so far, and messages that arrived. */
  steps = 0
  messages = 0
  /** How likely an answer of the index is a lie: any block, in any state, that there is or that there cannot be. */
  lies = 0
  private readonly threads: AssembledThread[]
  private readonly devices: { readonly thread: number; readonly device: SimDevice }[] = []
  /** The front end was called from outside and may have something to send. */
  private asked = false
  private readonly digest: TraceDigest
  private readonly choices: Choice[] = []
  /** What can happen next: a choice, or -1 - a device. */
  private readonly able: Int32Array
  /** How often a timer fires though there is other work: answers that are late are then too late. */
  hurry: number
  private readonly disksAreSlow: boolean

  constructor(
    private readonly config: EngineConfig,
    store: SimStore,
    private readonly prng: Prng,
    lend: LendMemory,
    /** Hears of every write and flush. */
    log: IoLog | null = null,
  ) {
    requireRunnable(config.shape, config.volume, config.plan.counts)
    const sizes = arenaConfig(config)
    const { buffer, native, hasher } = lend(arenaBytes(sizes))
    this.digest = new TraceDigest(hasher)
    const arena = new Arena(buffer, sizes)
    this.arena = arena
    this.threads = config.plan.threads.map((_, thread) =>
      assembleThread(config, thread, {
        arena,
        native,
        clock: { now: () => this.nowMs },
        doorbell: { ring: () => {} },
        outside: {
          wallMs: () => EPOCH_MS + this.nowMs,
          chance: () => prng.below(2 ** 32),
          report: (sentence) => this.onReport?.(sentence),
        },
        device: () => {
          const device = new SimDevice(store, arena.bytes, prng)
          this.devices.push({ thread, device })
          return log === null ? device : new LoggingDevice(device, arena.bytes, log)
        },
      }),
    )
    const vioCount = config.shape.dataVios + arena.pools.otherVios
    // What a vio's blocks hold from its last use must not matter, not even at its first.
    arena.bytes.fill(LEFT_OVER, arena.vios.dataAt(0 as VioIndex), arena.vios.bufferAt(vioCount as VioIndex))
    const watch = new VioWatch(arena.vios, arena.bytes, vioCount)
    this.threads.forEach(({ reactor }, thread) => {
      reactor.onSend = (word) => watch.sent(thread, word)
      reactor.onDeliver = (word) => {
        this.messages++
        this.digest.add(thread, word)
        this.onMessage?.(this.steps, thread, word)
        watch.arrived(thread, word)
        if (opOfHop(hopOfWord(word)) === HashOp.Answered) this.mayLie(operandOfWord(word))
      }
      for (let ring = 0; ring <= reactor.rings; ring++) this.choices.push({ thread, ring })
    })
    this.frontEnd = this.threads[0].frontEnd!
    this.frontEnd.onWork = () => {
      this.asked = true
    }
    this.able = new Int32Array(this.choices.length + this.devices.length)
    this.disksAreSlow = prng.chance(0.3)
    this.hurry = prng.pick([0, 0, 0.001, 0.01])
  }

  /** What two runs share only if every zone saw the same messages in the same order; asked for at the end. */
  get traceHash(): string {
    return this.digest.finish()
  }

  /** One event. False if nothing can happen any more, not even by waiting. */
  step(): boolean {
    this.steps++
    this.onStep?.()
    if (this.frontEnd.poll() || this.asked) {
      this.asked = false
      this.threads[0].reactor.publish()
    }
    if (this.hurry > 0 && this.prng.chance(this.hurry) && this.letTimePass()) return true
    let total = this.disksAreSlow && this.prng.chance(SLOWNESS) ? 0 : this.ableDisks()
    for (let i = 0; i < this.choices.length; i++) {
      const { thread, ring } = this.choices[i]
      if (this.threads[thread].reactor.waiting(ring) > 0) this.able[total++] = i
    }
    if (total === 0) total = this.ableDisks()
    if (total === 0) return this.letTimePass() || this.slumber()
    const picked = this.able[this.prng.below(total)]
    if (picked >= 0) {
      const { thread, ring } = this.choices[picked]
      this.threads[thread].reactor.passOf(ring, 1 + this.prng.below(8))
    } else {
      const { thread, device } = this.devices[-1 - picked]
      device.step()
      const { reactor } = this.threads[thread]
      reactor.passOf(reactor.rings, 0)
    }
    return true
  }

  /** Steps until `done` says so; false if the engine stopped before, or after `limit` events. */
  runUntil(done: () => boolean, limit = 1_000_000): boolean {
    for (let i = 0; i < limit; i++) {
      if (done()) return true
      if (!this.step()) return done()
    }
    return done()
  }

  /** Notes the disks that have something to do. Gives how many. */
  private ableDisks(): number {
    let total = 0
    for (let i = 0; i < this.devices.length; i++) {
      if (this.devices[i].device.outstanding > 0) this.able[total++] = -1 - i
    }
    return total
  }

  /** An index may say anything: nothing of it may do harm. */
  private mayLie(context: number): void {
    const { prng } = this
    if (this.lies === 0 || !prng.chance(this.lies)) return
    const { contexts } = this.arena
    const pbn = prng.below(this.config.volume.physicalBlocks + 10)
    contexts.locations[context] = 1
    encodeAdvice(contexts.known, context * CONTEXT_BYTES, pbn, prng.below(MORE_STATES))
  }

  /** A disk that lets requests lie goes on with them some day. */
  private slumber(): boolean {
    const sleeps = this.devices.some(({ device }) => device.asleep > 0)
    if (sleeps) this.steps += SLUMBER
    return sleeps
  }

  private letTimePass(): boolean {
    const due = Math.min(...this.threads.map(({ reactor }) => reactor.nextDeadlineMs))
    if (due === Number.POSITIVE_INFINITY) return false
    this.nowMs = Math.max(this.nowMs, due)
    for (const { reactor } of this.threads) reactor.passOf(reactor.rings, 0)
    return true
  }
}
