/**
 * Timers by deadline: a binary heap of a fixed number of timers, each known by its row and armed at most once.
 * Timers that are due at the same time go off in the order in which they were armed, so that a run depends on
 * nothing but its input. One thread owns it.
 */
import { assert } from './assert.js'

/** What `takeDue` gives when no timer is due. */
export const NO_TIMER = -1

const IDLE = 0

export class DeadlineHeap {
  /** The heap: timers, each no later than the two below it. */
  private readonly heap: Int32Array
  /** Where a timer stands in the heap, plus 1; `IDLE` when it is not armed. */
  private readonly places: Int32Array
  private readonly deadlines: Float64Array
  /** When a timer was armed, as a count: breaks ties. */
  private readonly turns: Float64Array
  private count = 0
  private turn = 0

  constructor(timerCount: number) {
    this.heap = new Int32Array(timerCount)
    this.places = new Int32Array(timerCount)
    this.deadlines = new Float64Array(timerCount)
    this.turns = new Float64Array(timerCount)
  }

  get size(): number {
    return this.count
  }

  /** When the first timer is due; Infinity when none is armed. */
  get nextDeadline(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.deadlines[this.heap[0]!]!
  }

  isArmed(timer: number): boolean {
    return this.places[timer] !== IDLE
  }

  /** Arms a timer, or moves the deadline of an armed one. */
  arm(timer: number, deadline: number): void {
    assert(timer >= 0 && timer < this.places.length, 'the timer is one of the heap')
    this.deadlines[timer] = deadline
    this.turns[timer] = this.turn++
    let place = this.places[timer]! - 1
    if (place < 0) {
      place = this.count++
      this.put(place, timer)
    }
    this.settle(place)
  }

  /** Disarms a timer; nothing happens if it is not armed. */
  cancel(timer: number): void {
    const place = this.places[timer]! - 1
    if (place < 0) return
    this.places[timer] = IDLE
    const last = this.heap[--this.count]!
    if (last === timer) return
    this.put(place, last)
    this.settle(place)
  }

  /** Disarms and returns the first timer that is due at `now`, or gives `NO_TIMER`. */
  takeDue(now: number): number {
    if (this.count === 0) return NO_TIMER
    const timer = this.heap[0]!
    if (this.deadlines[timer]! > now) return NO_TIMER
    this.cancel(timer)
    return timer
  }

  private put(place: number, timer: number): void {
    this.heap[place] = timer
    this.places[timer] = place + 1
  }

  private isBefore(a: number, b: number): boolean {
    const earlier = this.deadlines[a]! - this.deadlines[b]!
    return earlier < 0 || (earlier === 0 && this.turns[a]! < this.turns[b]!)
  }

  /** Moves the timer at `start` up or down to where it belongs. */
  private settle(start: number): void {
    const { heap } = this
    const timer = heap[start]!
    let place = start
    while (place > 0) {
      const above = (place - 1) >> 1
      if (!this.isBefore(timer, heap[above]!)) break
      this.put(place, heap[above]!)
      place = above
    }
    for (;;) {
      let below = place * 2 + 1
      if (below >= this.count) break
      if (below + 1 < this.count && this.isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!this.isBefore(heap[below]!, timer)) break
      this.put(place, heap[below]!)
      place = below
    }
    this.put(place, timer)
  }
}
