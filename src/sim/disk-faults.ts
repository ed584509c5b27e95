/** How a seed spoils its disk: requests that fail, in the load of a session and in its work, and some that lie for long. */
import type { Prng } from '../base/prng.js'
import { DeviceOp } from '../device/block-device.js'
import type { EngineConfig } from '../engine/assemble.js'
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
const SUMMARY_BLOCKS = 64

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
  const span = prng.between(50, 1000)
  const isNight = () => now() % (2 * span) < span
  store.isAsleep = prng.chance(0.5)
    ? (op, at) => op === DeviceOp.Read && at >= block && at < block + blocks && isNight()
    : (op, at) =>
        op === DeviceOp.Write && at >= summaryOrigin && at < summaryOrigin + SUMMARY_BLOCKS && isNight()
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
