/**
 * The mesh: one ring for each ordered pair of threads, in the arena. Order holds within a ring and never between
 * rings.
 */
import type { Bump } from '../base/bump.js'
import { Ring, ringWords } from './ring.js'

export class Mesh {
  private readonly memory: Int32Array[] = []
  private readonly threads: number

  constructor(bump: Bump, threads: number, capacity: number) {
    this.threads = threads
    for (let i = 0; i < threads * threads; i++) {
      const from = Math.floor(i / threads)
      this.memory.push(from === i % threads ? new Int32Array(0) : bump.int32(ringWords(capacity)))
    }
  }

  /** The ring from one thread to another; null from a thread to itself. Each end makes its own view, once. */
  ring(from: number, to: number): Ring | null {
    return from === to ? null : new Ring(this.memory[from * this.threads + to])
  }
}
