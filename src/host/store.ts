/**
 * What a thread needs to make its own device objects over the volume's backing store: a description that crosses
 * to workers.
 */

import { BatchedDevice } from '../device/batched-device.js'
import type { BlockDevice } from '../device/block-device.js'
import { RamDevice } from '../device/ram-device.js'
import { FileDevice } from './file-device.js'

export type Store =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly descriptor: number
      readonly blockCount: number
      readonly unsafe: boolean
    }
  | { readonly kind: 'memory'; readonly segments: readonly SharedArrayBuffer[] }

/** A device over the store for the calling thread. `outstanding` bounds its requests. */
export function openStore(
  store: Store,
  arena: Uint8Array,
  outstanding: number,
  report: (sentence: string) => void,
): BlockDevice {
  if (store.kind === 'memory') return new BatchedDevice(new RamDevice(store.segments, arena), outstanding)
  return new BatchedDevice(new FileDevice(store, arena, { report, unsafe: store.unsafe }), outstanding)
}
