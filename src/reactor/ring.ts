/**
 * A ring: one producer thread, one consumer thread, words of 32 bits in shared memory. Sends are staged with plain
 * stores and published once a pass with one atomic store, which is also the fence for every column that the words
 * speak of. A ring has room for all that can ever be in it, so a send never waits; that is asserted.
 *
 * Header, each on a line of its own: head (words ever published), tail (words ever taken), modulo 2^32.
 */
import { assert } from '../base/assert.js'

/** Int32 words of a ring's header: head at 0, tail at 16. */
export const RING_HEADER_WORDS = 32
const HEAD = 0
const TAIL = 16

/** Words of shared memory that a ring of this capacity needs. */
export const ringWords = (capacity: number): number => RING_HEADER_WORDS + capacity

export class Ring {
  private readonly header: Int32Array
  private readonly words: Int32Array
  private readonly mask: number
  /** The producer's next place, ahead of the published head while sends are staged; and the last tail it saw. */
  private staged: number
  private seenTail: number
  /** The consumer's place, and the last head it saw. */
  private taken: number
  private seenHead: number

  /** `memory` is ringWords(capacity) long; capacity is a power of two. */
  constructor(memory: Int32Array) {
    const capacity = memory.length - RING_HEADER_WORDS
    assert(capacity > 0 && (capacity & (capacity - 1)) === 0, 'a ring has a power of two of words')
    this.header = memory.subarray(0, RING_HEADER_WORDS)
    this.words = memory.subarray(RING_HEADER_WORDS)
    this.mask = capacity - 1
    this.staged = this.header[HEAD]
    this.seenHead = this.staged
    this.taken = this.header[TAIL]
    this.seenTail = this.taken
  }

  /** Producer: puts a word where the consumer will find it after the next publish. */
  stage(word: number): void {
    if (((this.staged - this.seenTail) | 0) > this.mask) {
      this.seenTail = Atomics.load(this.header, TAIL)
      assert(((this.staged - this.seenTail) | 0) <= this.mask, 'a ring has room for all that can be in it')
    }
    this.words[this.staged & this.mask] = word
    this.staged = (this.staged + 1) | 0
  }

  /** Producer: makes what is staged visible. True if there was anything. */
  publish(): boolean {
    if (this.staged === this.header[HEAD]) return false
    Atomics.store(this.header, HEAD, this.staged)
    return true
  }

  /** Consumer: whether a word waits. */
  get isReady(): boolean {
    if (this.taken !== this.seenHead) return true
    this.seenHead = Atomics.load(this.header, HEAD)
    return this.taken !== this.seenHead
  }

  /** Consumer: words that wait. */
  get length(): number {
    this.seenHead = Atomics.load(this.header, HEAD)
    return (this.seenHead - this.taken) | 0
  }

  /** Consumer: takes the oldest word. Only when `isReady`. */
  take(): number {
    const word = this.words[this.taken & this.mask]
    this.taken = (this.taken + 1) | 0
    return word
  }

  /** Consumer: gives the places of taken words back to the producer; once a pass. */
  release(): void {
    if (this.header[TAIL] !== this.taken) Atomics.store(this.header, TAIL, this.taken)
  }
}
