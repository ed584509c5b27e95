/**
 * Moves zones into a thread: the one place that knows every room. The host calls it in each worker, the simulator
 * for each thread that it pretends to have.
 */
import type { Native } from '../base/native.js'
import type { BlockDevice } from '../device/block-device.js'
import type { SuperBlock } from '../format/super-block.js'
import type { Clock } from '../reactor/clock.js'
import type { Doorbell } from '../reactor/doorbell.js'
import { Reactor } from '../reactor/reactor.js'
import type { Zone } from '../reactor/zone.js'
import { RepairZone } from '../repair/repair-zone.js'
import type { IndexOutside } from '../uds/index-outside.js'
import { IndexZone } from '../uds/index-zone.js'
import { MemoryIndexZone } from '../uds/memory-index-zone.js'
import type { RegionPlace } from '../uds/region-work.js'
import { Room } from '../vio/opcodes.js'
import { Placement } from '../vio/placement.js'
import type { Volume } from '../vio/volume.js'
import type { VolumeShape } from '../vio/volume-shape.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { AdminZone } from '../zones/admin/admin-zone.js'
import { BioZone } from '../zones/bio/bio-zone.js'
import { CpuZone } from '../zones/cpu/cpu-zone.js'
import { FlushZone } from '../zones/flush/flush-zone.js'
import { HashZone } from '../zones/hash/hash-zone.js'
import { JournalZone } from '../zones/journal/journal-zone.js'
import { LogicalZone } from '../zones/logical/logical-zone.js'
import { PackerZone } from '../zones/packer/packer-zone.js'
import { PhysicalZone } from '../zones/physical/physical-zone.js'
import { type Arena, type ArenaConfig, ringCapacity } from './arena.js'
import { FrontEnd } from './front-end.js'
import { routesOf, type ThreadPlan, visitsOf, type ZonePlace, zoneRow } from './thread-plan.js'

/** What is the same on every thread, and crosses to workers as it is. */
export interface EngineConfig {
  readonly plan: ThreadPlan
  readonly shape: VolumeShape
  readonly volume: Volume
  readonly superBlock: SuperBlock
  /** Where the region of the index lies on the device, in blocks. */
  readonly indexRegion: RegionPlace
}

/** What the driver hands in for one thread. */
export interface ThreadDriver {
  readonly arena: Arena
  readonly native: Native
  readonly clock: Clock
  readonly doorbell: Doorbell
  readonly outside: IndexOutside
  /** A device object for a bio zone of this thread. */
  device(bioZone: number): BlockDevice
}

export interface AssembledThread {
  readonly reactor: Reactor
  /** The front end, on the one thread that hosts it. */
  readonly frontEnd: FrontEnd | null
}

export function arenaConfig({ plan, shape, volume }: EngineConfig): ArenaConfig {
  return { shape, volume, counts: plan.counts, threads: plan.threads.length }
}

/** Builds the reactor of thread `thread` of the plan, with its zones. */
export function assembleThread(config: EngineConfig, thread: number, driver: ThreadDriver): AssembledThread {
  const { plan } = config
  const capacity = ringCapacity(arenaConfig(config))
  const { arena, clock, doorbell } = driver
  const reactor = new Reactor(
    thread,
    plan.threads.length,
    arena.mesh,
    clock,
    doorbell,
    routesOf(plan),
    capacity * 2,
    visitsOf(plan, thread),
  )
  let frontEnd: FrontEnd | null = null
  for (const place of plan.threads[thread].zones) {
    const zone = makeZone(config, driver, reactor, place)
    if (zone instanceof FrontEnd) frontEnd = zone
    reactor.host(place.room, place.zone, zone)
  }
  return { reactor, frontEnd }
}

function makeZone(config: EngineConfig, driver: ThreadDriver, reactor: Reactor, place: ZonePlace): Zone {
  const context = contextOf(config, driver, reactor, place)
  switch (place.room) {
    case Room.Front:
      return new FrontEnd(context)
    case Room.Logical:
      return new LogicalZone(context)
    case Room.Physical:
      return new PhysicalZone(context)
    case Room.Hash:
      return new HashZone(context)
    case Room.Journal:
      return new JournalZone(context)
    case Room.Packer:
      return new PackerZone(context)
    case Room.Flush:
      return new FlushZone(context)
    case Room.Cpu:
      return new CpuZone(context)
    case Room.Bio:
      return new BioZone(context, driver.device(place.zone))
    case Room.Index:
      return makeIndexZone(config, driver, context)
    case Room.Admin:
      return new AdminZone(context, config.superBlock)
    case Room.Repair:
      return new RepairZone(context, (sentence) => driver.outside.report(sentence))
  }
}

function makeIndexZone({ indexRegion }: EngineConfig, driver: ThreadDriver, context: ZoneContext): Zone {
  const { index } = driver.arena
  if (index === null) return new MemoryIndexZone(context)
  return new IndexZone(context, index, indexRegion, driver.outside)
}

function contextOf(
  { plan, shape, volume }: EngineConfig,
  { arena, native }: ThreadDriver,
  post: Reactor,
  place: ZonePlace,
): ZoneContext {
  return {
    zone: place.zone,
    post,
    vios: arena.vios,
    pools: arena.pools,
    shape,
    volume,
    counts: plan.counts,
    placement: new Placement(volume, plan.counts),
    native,
    arena: arena.bytes,
    counters: arena.counters(zoneRow(plan.counts, place)),
    boards: arena.boards,
    pbnLocks: arena.pbnLocks,
    contexts: arena.contexts,
    journalLocks: arena.journalLocks,
    pagesAt: arena.pagesAt,
  }
}
