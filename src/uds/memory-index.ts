/**
 * An index in memory: a map of bounded size that forgets the least recently used name first. Nothing of it
 * outlives the volume's run.
 *
 * Typed arrays only, laid out when it is made: a chained hash table over the entries and a list of them by use.
 * All 128 bits of a name are compared.
 */
import { assert } from '../base/assert.js'
import { IntrusiveLists, NO_ENTRY } from '../base/intrusive-list.js'
import type { Advice, NameIndex } from './name-index.js'

/** The one list: entries by their last use, the oldest at the head. */
const BY_USE = 0

export class MemoryIndex implements NameIndex {
  discarded = 0
  private used = 0
  private readonly names: Uint32Array
  private readonly pbns: Float64Array
  private readonly states: Uint8Array
  /** Heads of the chains, and the links; an entry is stored as its number + 1. */
  private readonly buckets: Int32Array
  private readonly links: Int32Array
  private readonly uses: IntrusiveLists

  constructor(private readonly capacity: number) {
    assert(capacity >= 1, 'an index remembers at least one name')
    this.names = new Uint32Array(capacity * 4)
    this.pbns = new Float64Array(capacity)
    this.states = new Uint8Array(capacity)
    this.buckets = new Int32Array(2 ** Math.ceil(Math.log2(capacity)))
    this.links = new Int32Array(capacity)
    this.uses = new IntrusiveLists(capacity, 1)
  }

  get size(): number {
    return this.used
  }

  query(w0: number, w1: number, w2: number, w3: number, advice: Advice): boolean {
    const entry = this.find(w0, w1, w2, w3)
    if (entry === NO_ENTRY) return false
    this.uses.moveToTail(BY_USE, entry)
    advice.pbn = this.pbns[entry]
    advice.state = this.states[entry]
    return true
  }

  post(w0: number, w1: number, w2: number, w3: number, pbn: number, state: number, advice: Advice): boolean {
    if (this.query(w0, w1, w2, w3, advice)) return true
    this.enter(w0, w1, w2, w3, pbn, state)
    return false
  }

  update(w0: number, w1: number, w2: number, w3: number, pbn: number, state: number): boolean {
    const entry = this.find(w0, w1, w2, w3)
    if (entry === NO_ENTRY) {
      this.enter(w0, w1, w2, w3, pbn, state)
      return false
    }
    this.uses.moveToTail(BY_USE, entry)
    this.pbns[entry] = pbn
    this.states[entry] = state
    return true
  }

  private find(w0: number, w1: number, w2: number, w3: number): number {
    const { names, links } = this
    for (let link = this.buckets[this.bucket(w1, w2)]; link !== 0; link = links[link - 1]) {
      const at = (link - 1) * 4
      const same = names[at] === w0 && names[at + 1] === w1 && names[at + 2] === w2 && names[at + 3] === w3
      if (same) return link - 1
    }
    return NO_ENTRY
  }

  private enter(w0: number, w1: number, w2: number, w3: number, pbn: number, state: number): void {
    const entry = this.used < this.capacity ? this.used++ : this.forgetOldest()
    const at = entry * 4
    this.names[at] = w0
    this.names[at + 1] = w1
    this.names[at + 2] = w2
    this.names[at + 3] = w3
    this.pbns[entry] = pbn
    this.states[entry] = state
    const bucket = this.bucket(w1, w2)
    this.links[entry] = this.buckets[bucket]
    this.buckets[bucket] = entry + 1
    this.uses.append(BY_USE, entry)
  }

  private forgetOldest(): number {
    const entry = this.uses.shift(BY_USE)
    const bucket = this.bucket(this.names[entry * 4 + 1], this.names[entry * 4 + 2])
    if (this.buckets[bucket] === entry + 1) {
      this.buckets[bucket] = this.links[entry]
    } else {
      let before = this.buckets[bucket] - 1
      while (this.links[before] !== entry + 1) before = this.links[before] - 1
      this.links[before] = this.links[entry]
    }
    this.discarded++
    return entry
  }

  /** The first word chooses zones, so it says little about names within one; the others are as good as random. */
  private bucket(w1: number, w2: number): number {
    return (w1 ^ (w2 >>> 7)) & (this.buckets.length - 1)
  }
}
