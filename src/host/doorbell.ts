/**
 * Waking threads of this process. Each thread has a state word in the arena: awake, parked in Atomics.wait, or
 * parked in its event loop. Whoever publishes for a parked thread swaps the word for `awake` and wakes it: the first
 * kind by Atomics.notify, the second by a message on its port. A thread parks only after it set its word and looked
 * at its rings once more, so no wake-up is lost.
 *
 * A message on a port costs as much as many on a ring, so a thread that has more to do owes it until `pay`.
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
const EVENT_LOOP_THREAD = 0

/** What reaches a thread that is parked in its event loop. */
export interface PingPort {
  postMessage(value: unknown): void
}

export class HostDoorbell implements Doorbell {
  /** Something was published for thread 0, which sleeps in its event loop and was not told. */
  private owesPing = false

  constructor(
    private readonly words: Int32Array,
    /** The port of the one thread that has an event loop (thread 0), as seen from here; null on that thread. */
    private readonly ping: PingPort | null,
  ) {}

  ring(thread: number): void {
    const at = thread * STRIDE
    const state = Atomics.load(this.words, at)
    if (state === Sleep.EventLoop) this.owesPing = true
    else if (state === Sleep.Parked && this.wakes(at, Sleep.Parked)) Atomics.notify(this.words, at, 1)
  }

  /** Wakes the event loop if something was published for it. To be called before parking, and now and then. */
  pay(): void {
    if (!this.owesPing) return
    this.owesPing = false
    if (this.wakes(EVENT_LOOP_THREAD * STRIDE, Sleep.EventLoop)) this.ping?.postMessage(0)
  }

  /** Whether it is the caller who wakes that sleeper. */
  private wakes(at: number, state: Sleep): boolean {
    return Atomics.compareExchange(this.words, at, state, Sleep.Awake) === state
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
