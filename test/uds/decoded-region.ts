/**
 * An index's region in some lines of digits: what is determined of it, so that two regions have the same lines if
 * they hold the same. Where the format leaves bytes open (what lies between the lists of a page and its end, the
 * bits beside a list, behind the end of an area) they do not count.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import {
  admitIndexPage,
  chapterOfPage,
  listCountOfPage,
  listStart,
  walkIndexPage,
} from '../../src/uds/chapter-index-page.js'
import { PAGE_BYTES, RECORD_BYTES, RECORDS_PER_PAGE } from '../../src/uds/geometry.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { IndexError } from '../../src/uds/index-error.js'
import { type IndexLayout, type IndexPlace, openLayout } from '../../src/uds/index-layout.js'
import { readPage } from '../../src/uds/volume-pages.js'
import { digestOf, entriesOf } from './index-content.js'
import type { MapStorage, SampleName } from './uds-samples.js'

export interface SaveDigests {
  readonly newest: number
  readonly oldest: number
  /** Entries of the volume index, collisions among them, and digests of all of them, list by list. */
  readonly entries: number
  readonly collisions: number
  readonly lists: string
  /** Records of the open chapter; they and the page map as they are stored. */
  readonly records: number
  readonly openChapter: string
  readonly pageMap: string
}

export interface ChapterDigests {
  readonly slot: number
  readonly chapter: number
  /** Entries on its index pages, and their bytes. */
  readonly entries: number
  readonly index: string
  readonly records: string
}

export interface RegionDigests {
  /** Super block and configuration; the headers of the saves. */
  readonly head: string
  readonly headers: string
  /** What the latest save holds, or why it cannot be loaded. */
  readonly save: SaveDigests | string
  readonly chapters: readonly ChapterDigests[]
}

const FILE = new URL('../../../test/fixtures/uds/digests.json', import.meta.url)

/** What is committed of the samples, which are too large for that. */
export function committedDigests(name: SampleName): RegionDigests {
  const all = JSON.parse(readFileSync(FILE, 'utf8')) as Record<SampleName, RegionDigests>
  return all[name]
}

export function digestsOf(storage: MapStorage, place: IndexPlace): RegionDigests {
  const layout = storage.run(openLayout(place))
  const bytesOf = (block: number): Uint8Array => storage.area({ block, blocks: 1 })
  return {
    head: hashOf(bytesOf(place.start), bytesOf(place.start + 1)),
    headers: hashOf(...layout.slots.map(({ slot }) => bytesOf(slot.start))),
    save: saveDigests(storage, layout),
    chapters: [...chapterDigests(storage, layout)],
  }
}

function saveDigests(storage: MapStorage, layout: IndexLayout): SaveDigests | string {
  const { geometry } = layout
  const content = IndexContent.empty(geometry, 1)
  try {
    const range = storage.run(content.load(layout))
    const { volumeIndex, openChapter } = content.zones[0]!
    const areas = layout.areasOf(layout.latest!)
    const records = openChapter.size
    return {
      ...range,
      entries: volumeIndex.entries,
      collisions: volumeIndex.collisions,
      lists: digestOf(entriesOf(content)),
      records,
      openChapter: hashOf(storage.area(areas.openChapter).subarray(0, 14 + records * RECORD_BYTES)),
      pageMap: hashOf(storage.area(areas.pageMap).subarray(0, 16 + content.pageMap.entries.byteLength)),
    }
  } catch (error) {
    if (error instanceof IndexError) return error.message
    throw error
  }
}

function* chapterDigests(storage: MapStorage, layout: IndexLayout): Generator<ChapterDigests> {
  const { geometry, nonce, volumeStart } = layout
  const { pagesPerChapter, indexPagesPerChapter } = geometry
  const pages = new Uint8Array(pagesPerChapter * PAGE_BYTES)
  for (let slot = 0; slot < geometry.chapters; slot++) {
    const first = volumeStart + (geometry.volumePage(slot, 0) * PAGE_BYTES) / BLOCK_SIZE
    if (!storage.blocks.has(first)) continue
    let entries = 0
    for (let page = 0; page < pagesPerChapter; page++) {
      const bytes = pages.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
      storage.run(readPage(volumeStart, geometry.volumePage(slot, page), bytes))
      if (page >= indexPagesPerChapter) checkRecords(bytes)
      else {
        if (!admitIndexPage(bytes, 0, nonce)) throw new Error(`page ${page} of slot ${slot} is no index page`)
        if (!walkIndexPage(geometry, bytes, 0, () => entries++))
          throw new Error(`slot ${slot} does not decode`)
        // What lies between lists and guard does not count.
        const end = listStart(bytes, 0, listCountOfPage(bytes, 0))
        bytes[end >>> 3]! &= (1 << (end & 7)) - 1
        bytes.fill(0, (end >>> 3) + 1, PAGE_BYTES - 7)
      }
    }
    yield {
      slot,
      chapter: chapterOfPage(pages, 0),
      entries,
      index: hashOf(pages.subarray(0, indexPagesPerChapter * PAGE_BYTES)),
      records: hashOf(pages.subarray(indexPagesPerChapter * PAGE_BYTES)),
    }
  }
}

/** The records of a page are a tree by name. */
function checkRecords(page: Uint8Array): void {
  const nameOf = (slot: number) => Buffer.from(page.buffer, page.byteOffset + slot * RECORD_BYTES, 16)
  for (let slot = 1; slot < RECORDS_PER_PAGE; slot++) {
    const order = nameOf(slot).compare(nameOf((slot - 1) >>> 1))
    if (slot % 2 === 1 ? order > 0 : order < 0) throw new Error(`record ${slot} is out of order`)
  }
}

function hashOf(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').slice(0, 32)
}
