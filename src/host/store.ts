/**
 * What a thread needs to make its own device objects over the volume's backing store: a description that crosses
 * to workers.
 */

import { BatchedDevice } from '../device/batched-device.js'
import type { BlockDevice, SynchronousDevice } from '../device/block-device.js'
import { Faults, FaultyDevice } from '../device/faulty-device.js'
import { LoggingDevice } from '../device/logging-device.js'
import { RamDevice } from '../device/ram-device.js'
import { FileDevice } from './file-device.js'
import { IoLogFile } from './io-log-file.js'

/** A store that does what it is told. */
export type SoundStore =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly descriptor: number
      readonly blockCount: number
      readonly unsafe: boolean
    }
  | { readonly kind: 'memory'; readonly segments: readonly SharedArrayBuffer[] }

/**
 * Any store: `faulty` is one that fails when a test says so, by the memory of its `Faults`; `logged` is one whose
 * writes and syncs are told to a file (io-log-file.ts).
 */
export type Store =
  | SoundStore
  | { readonly kind: 'logged'; readonly store: SoundStore; readonly log: string }
  | { readonly kind: 'faulty'; readonly store: SoundStore; readonly faults: SharedArrayBuffer }

/** A device over the store for the calling thread. `outstanding` bounds its requests. */
export function openStore(
  store: Store,
  arena: Uint8Array,
  outstanding: number,
  report: (sentence: string) => void,
): BlockDevice {
  const device = new BatchedDevice(synchronousDevice(store, arena, report), outstanding)
  return store.kind === 'logged' ? new LoggingDevice(device, arena, new IoLogFile(store.log)) : device
}

/** What lies under the layers of a store. */
export function soundStoreOf(store: Store): SoundStore {
  return store.kind === 'faulty' || store.kind === 'logged' ? store.store : store
}

function synchronousDevice(
  store: Store,
  arena: Uint8Array,
  report: (sentence: string) => void,
): SynchronousDevice {
  switch (store.kind) {
    case 'memory':
      return new RamDevice(store.segments, arena)
    case 'file':
      return new FileDevice(store, arena, { report, unsafe: store.unsafe })
    case 'faulty':
      return new FaultyDevice(synchronousDevice(store.store, arena, report), new Faults(store.faults))
    case 'logged':
      return synchronousDevice(store.store, arena, report)
  }
}
