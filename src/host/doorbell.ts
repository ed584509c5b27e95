/**
 * Waking threads of this process. Each thread has a state word in the arena: awake, parked in Atomics.wait, or
 * parked in its event loop. Whoever publishes for a parked thread swaps the word for `awake` and wakes it: the first
 * kind by Atomics.notify, the second by a message on its port. A thread parks only after it set its word and looked
 * at its rings once more, so no wake-up is lost.
 *
 * A second word counts control calls that the thread owes an answer: while it is above zero the thread turns its
 * event loop instead of parking, because a thread inside Atomics.wait runs no port.
 */
import type { Doorbell } from '../reactor/doorbell.js'

export enum Sleep {
  Awake = 0,
  Parked = 1,
  EventLoop = 2,
}

/** Words a thread in the arena's `doorbells`, on two lines. */
const STRIDE = 32
const ATTENTION = 16

/** What reaches a thread that is parked in its event loop. */
export interface PingPort {
  postMessage(value: unknown): void
}

export class HostDoorbell implements Doorbell {
  constructor(
    private readonly words: Int32Array,
    /** The port of the one thread that has an event loop (thread 0), as seen from here; null on that thread. */
    private readonly ping: PingPort | null,
  ) {}

  ring(thread: number): void {
    const at = thread * STRIDE
    const state = Atomics.load(this.words, at)
    if (state === Sleep.Awake || Atomics.compareExchange(this.words, at, state, Sleep.Awake) !== state) return
    if (state === Sleep.Parked) Atomics.notify(this.words, at, 1)
    else this.ping?.postMessage(0)
  }

  /** Parks the calling thread until somebody rings or the time-out passes, unless `ready` says there is work. */
  park(thread: number, ready: () => boolean, timeoutMs: number): void {
    const at = thread * STRIDE
    Atomics.store(this.words, at, Sleep.Parked)
    if (!ready()) Atomics.wait(this.words, at, Sleep.Parked, timeoutMs)
    Atomics.store(this.words, at, Sleep.Awake)
  }

  /** Says that the calling thread sleeps in its event loop. False if there is work after all. */
  sleepInEventLoop(thread: number, ready: () => boolean): boolean {
    const at = thread * STRIDE
    Atomics.store(this.words, at, Sleep.EventLoop)
    if (!ready()) return true
    Atomics.store(this.words, at, Sleep.Awake)
    return false
  }

  /** Control calls that a thread still owes an answer. */
  attention(thread: number): number {
    return Atomics.load(this.words, thread * STRIDE + ATTENTION)
  }

  /** Announces a control call; `forget` after its reply. */
  demand(thread: number): void {
    Atomics.add(this.words, thread * STRIDE + ATTENTION, 1)
    this.ring(thread)
  }

  forget(thread: number): void {
    Atomics.sub(this.words, thread * STRIDE + ATTENTION, 1)
  }
}
