/** How a seed spoils its disk: requests that fail, in the load of a session and in its work, and some that lie for long. */
import type { Prng } from '../base/prng.js'
import { DeviceOp } from '../device/block-device.js'
import type { EngineConfig } from '../engine/assemble.js'
import { SLAB_SUMMARY_BLOCKS } from '../format/constants.js'
import { LoadKind, type Volume } from '../vio/volume.js'
import type { SimStore } from './sim-store.js'

/** How likely each request is to fail, until one does. */
const LOAD_CHANCES = [0, 0, 0, 0, 0, 0, 0, 0.003, 0.03]
const WORK_CHANCES = [0, 0, 0, 0, 0, 0.01, 0.001]
/** What the disk fails at: anything, flushes, or writes of data, which need not make the volume read-only. */
export enum FailureKind {
  Any = 0,
  Flush,
  Data,
}
export const FAILURE_KINDS = [FailureKind.Any, FailureKind.Flush, FailureKind.Data]
/** A write of data that fails does harm only to a client that was not answered yet: it has the next ones fail too. */
const DATA_FAILURES = 20
const SLEEPY_DISK_CHANCE = 0.3

/** What a rebuild cannot read is lost, as in dm-vdo, so then nothing could be judged. */
export function spoilLoad(store: SimStore, prng: Prng, load: LoadKind): void {
  const chance = prng.pick(LOAD_CHANCES)
  store.failureChance = load === LoadKind.Rebuild ? 0 : chance
  store.failuresLeft = 1
  store.mayFail = () => true
  store.failsForGood = false
}

export function spoilWork(store: SimStore, prng: Prng, kind: FailureKind, volume: Volume): void {
  store.failureChance = prng.pick(WORK_CHANCES)
  store.failuresLeft = kind === FailureKind.Data ? DATA_FAILURES : 1
  store.mayFail = failuresOf(kind, volume)
  store.failsForGood = kind === FailureKind.Any && prng.chance(0.5)
}

/** The disk does what it is asked. */
export function spare(store: SimStore): void {
  store.failureChance = 0
  store.broken = null
}

/**
 * Now and then the disk lets something lie for a while: what is read of the index, so that answers are late, or the
 * summary, so that slab journals go on without being counted. `now` counts events.
 */
export function letRequestsLie(
  store: SimStore,
  prng: Prng,
  { indexRegion, volume }: EngineConfig,
  now: () => number,
): void {
  store.isAsleep = null
  if (!prng.chance(SLEEPY_DISK_CHANCE)) return
  const { block, blocks } = indexRegion
  const { summaryOrigin } = volume
  const isOfIndex = prng.chance(0.5)
  const [kind, from, count] = isOfIndex
    ? [DeviceOp.Read, block, blocks]
    : [DeviceOp.Write, summaryOrigin, SLAB_SUMMARY_BLOCKS]
  // The summary sleeps for as long as a slab journal takes to go round, and wakes for a write or two.
  const night = prng.between(50, isOfIndex ? 1000 : 5000)
  const day = isOfIndex ? night : prng.between(20, 300)
  const isNight = () => now() % (night + day) >= day
  store.isAsleep = (op, at) => op === kind && at >= from && at < from + count && isNight()
}

function failuresOf(kind: FailureKind, volume: Volume): (op: DeviceOp, block: number) => boolean {
  const { depotOrigin, journalOrigin, slabBlocks, slabDataBlocks } = volume
  switch (kind) {
    case FailureKind.Any:
      return () => true
    case FailureKind.Flush:
      return (op) => op === DeviceOp.Flush
    case FailureKind.Data:
      return (op, block) => {
        const isInSlab = block >= depotOrigin && block < journalOrigin
        return op === DeviceOp.Write && isInSlab && (block - depotOrigin) % slabBlocks < slabDataBlocks
      }
  }
}
