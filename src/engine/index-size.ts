/**
 * How much memory an index takes and in how many zones it fits. The volume index is nearly all of it: each zone has
 * its share in a memory of its own, and such a memory has at most 4 GiB.
 */
import { VdoError } from '../base/errors.js'
import { type IndexShape, MAX_INDEX_ZONES } from '../format/index-region.js'
import { zoneIndexBytes } from '../uds/volume-index.js'

/** The most bytes of a zone, less what keeps searches inside. */
export const MAX_ZONE_BYTES = 4 * 1024 ** 3 - 65536

/** How many zones the index is to have: `wanted`, or as many more as it takes and there may be. */
export function indexZonesFor(shape: IndexShape, wanted: number): number {
  let zones = wanted
  while (zones < MAX_INDEX_ZONES && zoneIndexBytes(shape, zones) > MAX_ZONE_BYTES) zones++
  return zones
}

/** Throws unless the index fits its zones, and the machine's memory. `what` says what cannot be done then. */
export function requireIndexMemory(
  what: string,
  shape: IndexShape,
  zones: number,
  machineBytes: number,
): void {
  const perZone = zoneIndexBytes(shape, zones)
  const refuse = (needed: number, limit: string): never => {
    throw new VdoError(
      'VDO_INDEX_TOO_LARGE',
      `${what}: the index takes ${needed} bytes of memory, and ${limit}`,
    )
  }
  if (perZone > MAX_ZONE_BYTES) {
    const most = MAX_INDEX_ZONES * MAX_ZONE_BYTES
    refuse(zoneIndexBytes(shape, 1), `${MAX_INDEX_ZONES} zones of ${MAX_ZONE_BYTES} bytes hold ${most}`)
  }
  if (zones * perZone > machineBytes) refuse(zones * perZone, `this machine has ${machineBytes}`)
}
