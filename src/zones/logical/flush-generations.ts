/**
 * Flush generations of one logical zone: how many writes of each generation are still on their way. A write joins
 * the current generation before it can be acknowledged and leaves it when its lbn lock is passed on. The oldest
 * generation with a write in it (the current one if there is none) stands on the board, where the flusher reads it.
 */
import { assert } from '../../base/assert.js'
import type { Boards } from '../../vio/boards.js'

export class FlushGenerations {
  private current = 0
  private oldest = 0
  /** Active writes of a generation, by its low bits. */
  private readonly active: Int32Array
  private total = 0

  /** Each closed generation with a write in it has a flush waiting for it, so `flushes` bounds how many there are. */
  constructor(
    private readonly zone: number,
    private readonly boards: Boards,
    flushes: number,
    /** Tells the flusher that the oldest generation advanced. */
    private readonly notify: () => void,
  ) {
    let places = 4
    while (places < flushes + 2) places *= 2
    this.active = new Int32Array(places)
  }

  get activeWrites(): number {
    return this.total
  }

  join(): number {
    this.active[this.place(this.current)]++
    this.total++
    return this.current
  }

  leave(generation: number): void {
    const place = this.place(generation)
    assert(
      generation >= this.oldest && this.active[place] > 0,
      'a write leaves the generation that it joined',
    )
    this.active[place]--
    this.total--
    this.advanceOldest()
  }

  /** Writes that join from now on belong to the next generation. */
  close(generation: number): void {
    assert(generation === this.current, 'generations are closed one after the other')
    assert(generation + 1 - this.oldest < this.active.length, 'a flush waits for each unfinished generation')
    this.current = generation + 1
    this.advanceOldest()
  }

  private advanceOldest(): void {
    const before = this.oldest
    while (this.oldest < this.current && this.active[this.place(this.oldest)] === 0) this.oldest++
    if (this.oldest === before) return
    this.boards.setOldestGeneration(this.zone, this.oldest)
    this.notify()
  }

  private place(generation: number): number {
    return generation % this.active.length
  }
}
