/**
 * One worker thread: hosts the zones that the plan gives it, and runs its reactor until told to leave. The thread
 * blocks in Atomics.wait between passes; control calls (Comlink) are answered by stepping out into the event loop
 * while the thread's attention word says that one is owed.
 */

import { writeFileSync } from 'node:fs'
import { Arena } from '../engine/arena.js'
import type { EngineConfig } from '../engine/assemble.js'
import { arenaConfig, assembleThread } from '../engine/assemble.js'
import type { Reactor } from '../reactor/reactor.js'
import { HostDoorbell, type PingPort } from './doorbell.js'
import { createNative } from './native.js'
import { outsideOf } from './outside.js'
import { openStore, type Store } from './store.js'

/** Everything a worker is started with. */
export interface WorkerStart {
  readonly config: EngineConfig
  readonly thread: number
  readonly memory: WebAssembly.Memory
  readonly kernel: WebAssembly.Module
  readonly store: Store
  readonly ping: PingPort
}

/** The control surface of a worker; every call is short. */
export interface WorkerControl {
  /** Builds the zones; the loop starts after the reply. */
  start(start: WorkerStart): void
  /** Proof of life, and what the thread has done. */
  health(): { readonly name: string; readonly moved: number }
}

/** How long a turn of the loop may go without a look at the world when nothing is due. */
const FOREVER = Number.POSITIVE_INFINITY
/** How many passes a busy thread makes before it wakes the event loop for what they published. */
const PASSES_A_PING = 8

export class ZoneWorker implements WorkerControl {
  private reactor: Reactor | null = null
  private name = ''

  /** `leave` is called when the loop has ended in good order. */
  constructor(
    private readonly leave: () => void,
    private readonly fail: (error: unknown) => void,
  ) {}

  start({ config, thread, memory, kernel, store, ping }: WorkerStart): void {
    const arena = new Arena(memory.buffer, arenaConfig(config))
    const doorbell = new HostDoorbell(arena.doorbells, ping)
    this.name = config.plan.threads[thread].name
    nameThread(this.name)
    const { reactor } = assembleThread(config, thread, {
      arena,
      native: createNative(memory, kernel),
      clock: { now: () => performance.now() },
      doorbell,
      outside: outsideOf((sentence) => ping.postMessage(sentence)),
      device: () =>
        openStore(store, arena.bytes, arena.vios.flags.length, (sentence) => ping.postMessage(sentence)),
    })
    this.reactor = reactor
    setImmediate(() => {
      this.run(reactor, arena, doorbell).then(
        () => {
          // After a halt the main thread ends the others, when it has heard from the thread that failed which it was.
          if (!arena.boards.halted) this.leave()
        },
        (error: unknown) => {
          arena.boards.halt()
          for (let other = 0; other < config.plan.threads.length; other++) doorbell.ring(other)
          doorbell.pay()
          this.fail(error)
        },
      )
    })
  }

  health(): { readonly name: string; readonly moved: number } {
    return { name: this.name, moved: this.reactor?.moved ?? 0 }
  }

  private async run(reactor: Reactor, arena: Arena, doorbell: HostDoorbell): Promise<void> {
    const { thread } = reactor
    const { boards } = arena
    const mustLook = () =>
      reactor.isReady || boards.halted || boards.leaving || doorbell.attention(thread) > 0
    for (let passes = 0; !boards.halted && !boards.leaving; passes++) {
      const moved = reactor.pass()
      if (moved === 0 || passes % PASSES_A_PING === 0) doorbell.pay()
      if (doorbell.attention(thread) > 0) await new Promise((resolve) => setImmediate(resolve))
      else if (moved === 0) doorbell.park(thread, mustLook, timeout(reactor.nextDeadlineMs))
    }
  }
}

/** Shows the name in `top -H`. Linux lets a thread write its own; elsewhere the name is only Node's. */
function nameThread(name: string): void {
  try {
    writeFileSync('/proc/thread-self/comm', name)
  } catch {
    // No such file: nothing depends on it.
  }
}

function timeout(deadlineMs: number): number {
  return deadlineMs === Number.POSITIVE_INFINITY ? FOREVER : Math.max(0, deadlineMs - performance.now())
}
