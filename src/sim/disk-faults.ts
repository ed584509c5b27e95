/** How a seed spoils its disk: requests that fail, in the load of a session and in its work, and some that lie for long. */
import type { Prng } from '../base/prng.js'
import { DeviceOp } from '../device/block-device.js'
import type { EngineConfig } from '../engine/assemble.js'
import { SLAB_SUMMARY_BLOCKS } from '../format/constants.js'
import { isRebuild, type Volume } from '../vio/volume.js'
import type { SimStore } from './sim-store.js'

/** How likely each request is to fail, until one does. */
const LOAD_CHANCES = [0, 0, 0, 0, 0, 0, 0, 0.003, 0.03]
const WORK_CHANCES = [0, 0, 0, 0, 0, 0.01, 0.001]
/**
 * What the disk fails at: anything; flushes; writes of data, which need not make the volume read-only; or blocks that it
 * never had, since it is full, as is the file system of a sparse file.
 */
export enum FailureKind {
  Any = 0,
  Flush,
  Data,
  Full,
}
export const FAILURE_KINDS = [
  FailureKind.Any,
  FailureKind.Any,
  FailureKind.Any,
  FailureKind.Flush,
  FailureKind.Flush,
  FailureKind.Full,
  FailureKind.Data,
  FailureKind.Data,
  FailureKind.Data,
]
/** A write of data that fails does harm only to a client that was not answered yet: it has the next ones fail too. */
const DATA_FAILURES = 20
const SLEEPY_DISK_CHANCE = 0.6
/** What a disk may let lie, and for how many events at most: as long as a slab journal takes to go round, or a load. */
enum Sleeper {
  Index = 0,
  Summary,
  Scrubber,
}
const SLEEPERS = [Sleeper.Index, Sleeper.Index, Sleeper.Summary, Sleeper.Scrubber, Sleeper.Scrubber]
const LONGEST_NIGHTS: Readonly<Record<Sleeper, number>> = {
  [Sleeper.Index]: 1000,
  [Sleeper.Summary]: 5000,
  [Sleeper.Scrubber]: 20_000,
}

/** What a rebuild cannot read of the map is lost, as in dm-vdo, and could not be judged: so that is always read. */
export function spoilLoad(store: SimStore, prng: Prng, volume: Volume): void {
  store.failureChance = prng.pick(LOAD_CHANCES)
  store.failuresLeft = 1
  store.mayFail = (op, block) =>
    op !== DeviceOp.Read || !isRebuild(volume.load) || block >= volume.journalOrigin
  // Data that are there though their write failed may be read, found right and shared. That is sound, but the judge of
  // writing hears no reads and would call it wrong. This holds for the work of the session too.
  store.mayHold = (block) => !isInSlabData(volume, block)
  store.failsForGood = false
}

export function spoilWork(store: SimStore, prng: Prng, kind: FailureKind, volume: Volume): void {
  store.failureChance = prng.pick(WORK_CHANCES)
  store.failuresLeft = kind === FailureKind.Data ? DATA_FAILURES : 1
  store.mayFail = failuresOf(kind, store, volume)
  store.failsForGood = kind === FailureKind.Full || (kind === FailureKind.Any && prng.chance(0.5))
}

/** The disk does what it is asked. */
export function spare(store: SimStore): void {
  store.failureChance = 0
  store.broken = null
}

/**
 * Now and then the disk lets something lie for a while: what is read of the index, so that answers are late; the
 * summary, so that slab journals go on without being counted; what the scrubber reads, so that slabs are in use that
 * are not scrubbed. `now` counts events.
 */
export function letRequestsLie(
  store: SimStore,
  prng: Prng,
  { indexRegion, volume }: EngineConfig,
  now: () => number,
): void {
  store.isAsleep = null
  if (!prng.chance(SLEEPY_DISK_CHANCE)) return
  const sleeper = prng.pick(SLEEPERS)
  const night = prng.between(50, LONGEST_NIGHTS[sleeper])
  // Days are short but for the index: a write or two.
  const day = sleeper === Sleeper.Index ? night : prng.between(20, 300)
  // The scrubber begins soon after the load.
  const first = sleeper === Sleeper.Scrubber ? day : 0
  const isNight = () => (now() + first) % (night + day) >= day
  const sleeps = sleepOf(sleeper, indexRegion, volume, prng.below(2))
  store.isAsleep = (op, at) => sleeps(op, at) && isNight()
}

function sleepOf(
  sleeper: Sleeper,
  { block: index, blocks: indexBlocks }: EngineConfig['indexRegion'],
  { summaryOrigin, depotOrigin, journalOrigin, slabBlocks, slabDataBlocks, slabReferenceBlocks }: Volume,
  /** The counts of every other slab lie: a load may wait for one. */
  parity: number,
): (op: DeviceOp, block: number) => boolean {
  switch (sleeper) {
    case Sleeper.Index:
      return (op, block) => op === DeviceOp.Read && block >= index && block < index + indexBlocks
    case Sleeper.Summary:
      return (op, block) =>
        op === DeviceOp.Write && block >= summaryOrigin && block < summaryOrigin + SLAB_SUMMARY_BLOCKS
    case Sleeper.Scrubber:
      return (op, block) => {
        if (op !== DeviceOp.Read || block < depotOrigin || block >= journalOrigin) return false
        const slab = Math.floor((block - depotOrigin) / slabBlocks)
        const at = block - depotOrigin - slab * slabBlocks - slabDataBlocks
        return slab % 2 === parity && at >= 0 && at < slabReferenceBlocks
      }
  }
}

function failuresOf(kind: FailureKind, store: SimStore, volume: Volume): SimStore['mayFail'] {
  switch (kind) {
    case FailureKind.Any:
      return () => true
    case FailureKind.Flush:
      return (op) => op === DeviceOp.Flush
    case FailureKind.Data:
      return (op, block) => op === DeviceOp.Write && isInSlabData(volume, block)
    case FailureKind.Full:
      return (op, block, count) => op === DeviceOp.Write && !store.hasRoomFor(block, count)
  }
}

function isInSlabData(
  { depotOrigin, journalOrigin, slabBlocks, slabDataBlocks }: Volume,
  block: number,
): boolean {
  const isInSlab = block >= depotOrigin && block < journalOrigin
  return isInSlab && (block - depotOrigin) % slabBlocks < slabDataBlocks
}
