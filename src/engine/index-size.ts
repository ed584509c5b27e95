/**
 * How much memory an index takes and in how many zones it fits. The volume index is nearly all of it: each zone has
 * its share in a memory of its own, and such a memory has at most 4 GiB.
 */
import { VdoError } from '../base/errors.js'
import { type IndexShape, MAX_INDEX_ZONES, regionOfShape, zoneMemoryBytes } from '../format/index-region.js'
import { HEADER_BYTES } from '../uds/list-memory.js'

/** The most bytes of a zone, less what keeps searches inside. */
export const MAX_ZONE_BYTES = 4 * 1024 ** 3 - 65536

/** Bytes that the volume index of one of so many zones takes. */
export function zoneIndexBytes(shape: IndexShape, zones: number): number {
  let bytes = 0
  for (const { memoryBytes, listCount } of regionOfShape(shape).subIndexes) {
    bytes += zoneMemoryBytes(memoryBytes, zones) + Math.ceil(listCount / zones) * HEADER_BYTES
  }
  return bytes
}

/** How many zones the index is to have: `wanted`, or as many more as it takes. Throws if no count is enough. */
export function indexZonesFor(shape: IndexShape, wanted: number): number {
  for (let zones = wanted; zones <= MAX_INDEX_ZONES; zones++) {
    if (zoneIndexBytes(shape, zones) <= MAX_ZONE_BYTES) return zones
  }
  const needed = zoneIndexBytes(shape, 1)
  throw tooLarge(
    needed,
    `${MAX_INDEX_ZONES} zones of ${MAX_ZONE_BYTES} bytes hold ${MAX_INDEX_ZONES * MAX_ZONE_BYTES}`,
  )
}

/** Throws if the index of so many zones takes more than the machine's memory. */
export function requireIndexMemory(shape: IndexShape, zones: number, machineBytes: number): void {
  const needed = zones * zoneIndexBytes(shape, zones)
  if (needed > machineBytes) throw tooLarge(needed, `this machine has ${machineBytes}`)
}

function tooLarge(needed: number, limit: string): VdoError {
  return new VdoError(
    'VDO_INDEX_TOO_LARGE',
    `Cannot open volume: its index takes ${needed} bytes of memory, and ${limit}. Without deduplication it can be opened`,
  )
}
