/**
 * Which thread hosts which zones. Zones are objects, threads host them; any mapping works and none is persisted.
 * Thread 0 is the front end's: the main thread of the process, with an event loop.
 */
import { assert } from '../base/assert.js'
import { Room, roomOfHop, zoneOfHop } from '../vio/opcodes.js'
import type { ZoneCounts } from '../vio/volume.js'

/** A zone's name: its room and its number there. */
export interface ZonePlace {
  readonly room: Room
  readonly zone: number
}

export interface PlannedThread {
  /** As `top -H` shows it: `logQ0`, `journalQ`, …; `front` for thread 0. */
  readonly name: string
  readonly zones: readonly ZonePlace[]
}

export interface ThreadPlan {
  readonly counts: ZoneCounts
  readonly threads: readonly PlannedThread[]
}

export const MAX_THREADS = 32

/** The plan with at least so many index zones: the threads that host some take turns with the others. */
export function withIndexZones(plan: ThreadPlan, zones: number): ThreadPlan {
  const { counts } = plan
  if (counts.index >= zones) return plan
  const added = plan.threads.map(({ zones: present }) => [...present])
  const hosts = added.filter((present) => present.some(({ room }) => room === Room.Index))
  for (let zone = counts.index; zone < zones; zone++) {
    hosts[(zone - counts.index) % hosts.length].push({ room: Room.Index, zone })
  }
  return {
    counts: { ...counts, index: zones },
    threads: plan.threads.map(({ name }, i) => ({ name, zones: added[i] })),
  }
}

/** All zones that a volume with these counts needs, the front end first. */
export function allZones(counts: ZoneCounts): ZonePlace[] {
  const zones: ZonePlace[] = [{ room: Room.Front, zone: 0 }]
  const add = (room: Room, count: number) => {
    for (let zone = 0; zone < count; zone++) zones.push({ room, zone })
  }
  add(Room.Admin, 1)
  add(Room.Repair, 1)
  add(Room.Journal, 1)
  add(Room.Flush, 1)
  add(Room.Packer, 1)
  add(Room.Logical, counts.logical)
  add(Room.Physical, counts.physical)
  add(Room.Hash, counts.hash)
  add(Room.Cpu, counts.cpu)
  add(Room.Bio, counts.bio)
  add(Room.Index, counts.index)
  return zones
}

/** A zone's number among all zones, in the order of `allZones`: its row of counters. */
export function zoneRow(counts: ZoneCounts, place: ZonePlace): number {
  const row = allZones(counts).findIndex((z) => z.room === place.room && z.zone === place.zone)
  assert(row >= 0, 'every zone has a row of counters')
  return row
}

/** The route function of the reactors: from a hop to the thread that hosts its zone. */
export function routesOf(plan: ThreadPlan): (hop: number) => number {
  const threadOf = new Map<number, number>()
  plan.threads.forEach((thread, index) => {
    for (const { room, zone } of thread.zones) {
      const key = room * 128 + zone
      assert(!threadOf.has(key), 'a zone lives on one thread')
      threadOf.set(key, index)
    }
  })
  for (const { room, zone } of allZones(plan.counts)) {
    assert(threadOf.has(room * 128 + zone), 'every zone lives on some thread')
  }
  return (hop) => threadOf.get(roomOfHop(hop) * 128 + zoneOfHop(hop)) ?? -1
}

/**
 * The order in which a thread visits the rings of the others: that of flush and admin first, the front end's last, so
 * that work in flight drains before new work.
 */
export function visitsOf({ threads }: ThreadPlan, thread: number): number[] {
  const isUrgent = ({ room }: ZonePlace) => room === Room.Flush || room === Room.Admin
  const rankOf = (other: number) => (other === 0 ? 2 : threads[other].zones.some(isUrgent) ? 0 : 1)
  return threads
    .map((_, other) => other)
    .filter((other) => other !== thread)
    .sort((a, b) => rankOf(a) - rankOf(b))
}
