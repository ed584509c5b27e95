/**
 * What one thread does: takes words from its inbound rings, gives them to its zones, publishes what they send. The
 * same class runs under the host (which parks the thread between passes) and under the simulator (which decides
 * how many words a pass takes, and from where).
 *
 * A hop between zones of one thread is a push on the local queue, first in first out, never a call.
 */
import { assert } from '../base/assert.js'
import type { Clock } from './clock.js'
import type { Doorbell } from './doorbell.js'
import type { Mesh } from './mesh.js'
import type { Ring } from './ring.js'
import type { Post, Zone } from './zone.js'

/** Words taken from one ring in one pass. */
export const WORDS_PER_RING = 32

/** The bits of a word; the same cut as vio/opcodes.ts, which a test holds against it. */
const OPERAND_BITS = 16
const ZONE_BITS = 7
const HOPS = 1 << 16

/** Which thread hosts the zone that a hop names. */
export type Route = (hop: number) => number

export class Reactor implements Post {
  nowMs = 0
  private readonly inbound: Ring[] = []
  private readonly outbound: (Ring | null)[] = []
  private readonly routes = new Int16Array(HOPS).fill(-1)
  private readonly zones = new Map<number, Zone>()
  private readonly zoneByHop: (Zone | undefined)[] = []
  private readonly zoneList: Zone[] = []
  private readonly pollers: Zone[] = []
  /** The local queue: a private ring of words. */
  private readonly local: Int32Array
  private readonly localMask: number
  private localHead = 0
  private localTail = 0
  private readonly deadlines: Deadline[] = []
  private deadlineOrder = 0
  /** Words handled since the reactor was made. */
  moved = 0
  /** See every word when a zone sends it, and before its zone gets it: for the simulator. */
  onSend: ((word: number) => void) | null = null
  onDeliver: ((word: number) => void) | null = null

  constructor(
    readonly thread: number,
    private readonly threads: number,
    mesh: Mesh,
    private readonly clock: Clock,
    private readonly doorbell: Doorbell,
    private readonly route: Route,
    localCapacity: number,
    /** The other threads in the order in which their rings are visited. */
    visits: readonly number[],
  ) {
    for (let other = 0; other < threads; other++) this.outbound.push(mesh.ring(thread, other))
    assert(visits.length === threads - 1 && !visits.includes(thread), 'a thread visits every other')
    for (const other of visits) {
      const ring = mesh.ring(other, thread)
      if (ring !== null) this.inbound.push(ring)
    }
    assert((localCapacity & (localCapacity - 1)) === 0, 'the local queue has a power of two of words')
    this.local = new Int32Array(localCapacity)
    this.localMask = localCapacity - 1
    this.nowMs = clock.now()
  }

  /** Moves a zone in. `room` and `zone` name it in hops. */
  host(room: number, zone: number, occupant: Zone): void {
    this.zones.set((room << ZONE_BITS) | zone, occupant)
    this.zoneList.push(occupant)
    if (occupant.poll !== undefined) this.pollers.push(occupant)
  }

  send(hop: number, operand: number): void {
    assert(operand >= 0 && operand <= 0xffff, 'an operand is 16 bits')
    let to = this.routes[hop]
    if (to < 0) {
      to = this.route(hop)
      assert(to >= 0 && to < this.threads, 'every hop has a thread')
      this.routes[hop] = to
    }
    const word = (hop << OPERAND_BITS) | operand
    if (this.onSend !== null) this.onSend(word)
    const ring = this.outbound[to]
    if (ring === null) this.pushLocal(word)
    else ring.stage(word)
  }

  sendAt(deadlineMs: number, hop: number, operand: number): void {
    const deadline = { at: deadlineMs, order: this.deadlineOrder++, hop, operand }
    let place = this.deadlines.length
    while (place > 0 && this.deadlines[place - 1].at > deadlineMs) place--
    this.deadlines.splice(place, 0, deadline)
  }

  /** When the next timer is due, in milliseconds of the clock; Infinity if none is set. */
  get nextDeadlineMs(): number {
    return this.deadlines.length === 0 ? Number.POSITIVE_INFINITY : this.deadlines[0].at
  }

  /** Whether a pass would find something now (timers aside). */
  get isReady(): boolean {
    if (this.localHead !== this.localTail) return true
    for (const ring of this.inbound) if (ring.isReady) return true
    return false
  }

  /** How many inbound rings there are, for a scheduler that chooses among them. */
  get rings(): number {
    return this.inbound.length
  }

  /** Words waiting in inbound ring `i`, or on the local queue for `i === rings`. */
  waiting(i: number): number {
    return i === this.inbound.length ? (this.localHead - this.localTail) | 0 : this.inbound[i].length
  }

  /** One pass over all rings; gives the number of words handled. Zones' passes end, sends are published. */
  pass(): number {
    this.nowMs = this.clock.now()
    let count = this.fireDeadlines()
    for (const poller of this.pollers) if (poller.poll!()) count++
    for (let i = 0; i < this.inbound.length; i++) {
      const ring = this.inbound[i]
      let left = WORDS_PER_RING
      while (left > 0 && ring.isReady) {
        this.deliver(ring.take())
        left--
      }
      if (left < WORDS_PER_RING) ring.release()
      count += WORDS_PER_RING - left
      count += this.drainLocal()
    }
    count += this.drainLocal()
    if (count > 0) this.endZones()
    // Always: a zone may have been called from outside of a pass.
    this.publish()
    this.moved += count
    return count
  }

  /** A pass of the simulator's choosing: `limit` words from one inbound ring (or the local queue). */
  passOf(i: number, limit: number): number {
    this.nowMs = this.clock.now()
    let count = this.fireDeadlines()
    for (const poller of this.pollers) if (poller.poll!()) count++
    if (i === this.inbound.length) {
      while (count < limit && this.localHead !== this.localTail) {
        this.deliverLocal()
        count++
      }
    } else {
      const ring = this.inbound[i]
      while (count < limit && ring.isReady) {
        this.deliver(ring.take())
        count++
      }
      ring.release()
    }
    this.endZones()
    this.publish()
    this.moved += count
    return count
  }

  /** Ends the pass of every zone, then publishes: for threads whose zones are also called from outside. */
  publish(): void {
    for (let to = 0; to < this.threads; to++) {
      const ring = this.outbound[to]
      if (ring?.publish()) this.doorbell.ring(to)
    }
  }

  private endZones(): void {
    for (const zone of this.zoneList) zone.endPass?.()
  }

  private drainLocal(): number {
    // A bound keeps a busy thread from starving its rings: one round of what was there, and what that led to.
    let count = 0
    while (this.localHead !== this.localTail && count < 1024) {
      this.deliverLocal()
      count++
    }
    return count
  }

  private deliverLocal(): void {
    const word = this.local[this.localTail & this.localMask]
    this.localTail = (this.localTail + 1) | 0
    this.deliver(word)
  }

  private deliver(word: number): void {
    if (this.onDeliver !== null) this.onDeliver(word)
    const hop = word >>> OPERAND_BITS
    const zone = this.zoneByHop[hop] ?? this.find(hop)
    zone.receive(hop >>> ZONE_BITS, word & 0xffff)
  }

  private find(hop: number): Zone {
    const zone = this.zones.get(((hop >>> 12) << ZONE_BITS) | (hop & 127))
    assert(zone !== undefined, 'a message reaches the thread of its zone')
    this.zoneByHop[hop] = zone
    return zone
  }

  private pushLocal(word: number): void {
    assert(
      ((this.localHead - this.localTail) | 0) <= this.localMask,
      'the local queue has room for all that can be in it',
    )
    this.local[this.localHead & this.localMask] = word
    this.localHead = (this.localHead + 1) | 0
  }

  private fireDeadlines(): number {
    let count = 0
    while (this.deadlines.length > 0 && this.deadlines[0].at <= this.nowMs) {
      const { hop, operand } = this.deadlines.shift()!
      this.send(hop, operand)
      count++
    }
    return count
  }
}

interface Deadline {
  readonly at: number
  readonly order: number
  readonly hop: number
  readonly operand: number
}
