/**
 * How large delta lists are expected to become. Sizes of pages, of memory and of the region on disk follow from
 * these numbers, so they are facts of the format; how an entry is coded is the index's own business.
 */

/** The span of keys that one more bit of a delta's code stands for: ln 2 times the mean, rounded. */
export function deltaSpan(meanDelta: number): number {
  return Math.floor((836158 * meanDelta + 603160) / 1206321)
}

/** Bits of the shortest delta code. */
export function shortestDeltaBits(meanDelta: number): number {
  return bitLength(deltaSpan(meanDelta) + 1)
}

/** Bits that `entries` entries are taken to need: each a payload and a delta's code. */
export function expectedDeltaBits(entries: number, meanDelta: number, payloadBits: number): number {
  return entries * (payloadBits + shortestDeltaBits(meanDelta) + 1) + Math.floor(entries / 2)
}

/** How many bits it takes to write a number below 2^32; 1 for 0. */
export function bitLength(value: number): number {
  return value === 0 ? 1 : 32 - Math.clz32(value)
}
