/** The chapters that are in a sample's volume, page by page. */
import { BLOCKS_PER_PAGE, type IndexGeometry } from '../../src/uds/geometry.js'
import type { MapStorage } from './uds-samples.js'

/** Where the volume of chapters begins in every sample: behind the super block and the configuration. */
export const VOLUME_BLOCK = 3

/** Reads a page of the volume. */
export function readVolumePage(storage: MapStorage, page: number, bytes: Uint8Array, at = 0): void {
  storage.read(VOLUME_BLOCK + page * BLOCKS_PER_PAGE, BLOCKS_PER_PAGE, bytes, at)
}

/** The slots that have been written. */
export function writtenSlots(geometry: IndexGeometry, storage: MapStorage): number[] {
  const slots: number[] = []
  for (let slot = 0; slot < geometry.chapters; slot++) {
    if (storage.blocks.has(VOLUME_BLOCK + geometry.volumePage(slot, 0) * BLOCKS_PER_PAGE)) slots.push(slot)
  }
  return slots
}
