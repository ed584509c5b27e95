/** What an index region holds, as one digest, without the bytes that mean nothing. */
import { createHash } from 'node:crypto'
import { listCountOfPage, listStart } from '../../src/uds/chapter-index-page.js'
import { type IndexGeometry, PAGE_BYTES } from '../../src/uds/geometry.js'
import { VOLUME_BLOCK, writtenSlots } from './chapter-samples.js'
import type { MapStorage } from './uds-samples.js'

const BLOCK_BYTES = 4096

/** A page of a chapter; what lies between the lists and the guard of an index page is zero. */
export function pageOfChapter(
  storage: MapStorage,
  geometry: IndexGeometry,
  slot: number,
  number: number,
): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES)
  storage.read(VOLUME_BLOCK + 8 * geometry.volumePage(slot, number), 8, bytes, 0)
  if (number < geometry.indexPagesPerChapter) {
    const end = listStart(bytes, 0, listCountOfPage(bytes, 0))
    bytes.fill(0, (end + 7) >>> 3, PAGE_BYTES - 7)
    if (end % 8 !== 0) bytes[end >>> 3]! &= (1 << (end % 8)) - 1
  }
  return bytes
}

/** Digest of everything from super block to the last save. */
export function digestOfRegion(storage: MapStorage, geometry: IndexGeometry): string {
  const hash = createHash('sha256')
  const behind = VOLUME_BLOCK + geometry.region.chapterBlocks
  for (const slot of writtenSlots(geometry, storage)) {
    hash.update(`slot ${slot}`)
    for (let page = 0; page < geometry.pagesPerChapter; page++) {
      hash.update(pageOfChapter(storage, geometry, slot, page))
    }
  }
  const others = [...storage.blocks.keys()].filter((block) => block < VOLUME_BLOCK || block >= behind)
  for (const block of others.sort((a, b) => a - b)) {
    const bytes = storage.blocks.get(block)!
    if (bytes.every((byte) => byte === 0)) continue
    hash.update(`block ${block}`).update(bytes.subarray(0, BLOCK_BYTES))
  }
  return hash.digest('hex')
}
