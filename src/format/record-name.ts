/**
 * Which bits of a record name mean what. A name is 16 bytes; its parts are read with the highest byte first.
 *
 * | bytes    | bits               | used for                                                          |
 * |----------|--------------------|-------------------------------------------------------------------|
 * | 0 to 7   | upper 44, lower 20 | list (modulo the count of lists) and address in the volume index  |
 * | 8 to 13  | upper 26, lower 22 | list (its low bits) and address in a chapter's index              |
 * | 14 to 15 | all                | whether a sparse index samples it: no remainder by the rate       |
 *
 * `at` is where the name starts in `names`. Nothing here allocates.
 */
import { SAMPLE_RATE, type SubIndexSize } from './index-region.js'

/** The address in the volume index: 20 bits. */
export function volumeAddress(names: Uint8Array, at: number): number {
  return ((names[at + 5] & 0x0f) << 16) | (names[at + 6] << 8) | names[at + 7]
}

/** The delta list of a volume index of `listCount` lists. `inverse` is 1 / listCount. */
export function volumeList(names: Uint8Array, at: number, listCount: number, inverse: number): number {
  const high = ((names[at] << 24) | (names[at + 1] << 16) | (names[at + 2] << 8) | names[at + 3]) >>> 0
  const value = high * 4096 + ((names[at + 4] << 4) | (names[at + 5] >>> 4))
  // A remainder of doubles is slow to take; the quotient so found is off by one at most.
  const rest = value - Math.floor(value * inverse) * listCount
  if (rest < 0) return rest + listCount
  return rest >= listCount ? rest - listCount : rest
}

/** The address in a chapter's index: 22 bits. */
export function chapterAddress(names: Uint8Array, at: number): number {
  return ((names[at + 11] & 0x3f) << 16) | (names[at + 12] << 8) | names[at + 13]
}

/** The delta list of a chapter's index of `listCount` lists, a power of two up to 4096. */
export function chapterList(names: Uint8Array, at: number, listCount: number): number {
  return ((names[at + 9] << 10) | (names[at + 10] << 2) | (names[at + 11] >>> 6)) & (listCount - 1)
}

/** Whether a sparse index keeps the name for all chapters. */
export function isSample(names: Uint8Array, at: number): boolean {
  return (names[at + 15] & (SAMPLE_RATE - 1)) === 0
}

/** The index zone of a name: lists are dealt out in runs. `parts` are those of the volume index. */
export function zoneOfName(
  parts: readonly SubIndexSize[],
  zones: number,
  names: Uint8Array,
  at: number,
): number {
  if (zones === 1) return 0
  const { listCount } = parts[parts.length > 1 && isSample(names, at) ? 1 : 0]!
  return Math.floor(volumeList(names, at, listCount, 1 / listCount) / Math.ceil(listCount / zones))
}
