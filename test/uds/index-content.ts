/** Indexes in memory, and what they hold, as digests and as plain answers. */
import { createHash } from 'node:crypto'
import { chapterList, zoneOfName } from '../../src/format/record-name.js'
import { findInIndexPage } from '../../src/uds/chapter-index-page.js'
import { PAGE_BYTES, RECORD_BYTES } from '../../src/uds/geometry.js'
import type { IndexContent } from '../../src/uds/index-content.js'
import type { IndexLayout, IndexPlace } from '../../src/uds/index-layout.js'
import { NO_PLACE } from '../../src/uds/open-chapter.js'
import { findInRecordPage, NO_RECORD } from '../../src/uds/record-page.js'
import type { VolumeIndex } from '../../src/uds/volume-index.js'
import { readPage } from '../../src/uds/volume-pages.js'
import { sampleName } from './sample-names.js'
import type { MapStorage, Sample } from './uds-samples.js'

export function placeOfSample({ facts, geometry }: Sample): IndexPlace {
  return { shape: geometry.shape, start: 1, blocks: facts.blocks, nonce: BigInt(facts.config.nonce) }
}

/** Every entry of the volume index of all zones, as text, one line a list. */
export function* entriesOf({
  zones,
}: {
  readonly zones: readonly { readonly volumeIndex: VolumeIndex }[]
}): Generator<string> {
  for (const i of zones[0]!.volumeIndex.parts.keys()) {
    for (const { volumeIndex } of zones) {
      const part = volumeIndex.parts[i]!
      for (let list = 0; list < part.listCount; list++) {
        let text = ''
        part.lists.forEach(list, (key, payload, name) => {
          text += ` ${key}:${payload}${name === undefined ? '' : `:${Buffer.from(name).toString('hex')}`}`
        })
        if (text !== '') yield `${part.tag}${part.firstList + list}/${part.lists.ownerWord(list)}${text}`
      }
    }
  }
}

/** Names and data of the open chapter, in the order of names. */
export function recordsOf({ zones }: IndexContent): string[] {
  const records: string[] = []
  for (const { openChapter } of zones) {
    const { records: bytes, deleted, size } = openChapter.memory
    for (let i = 0; i < size; i++) {
      if (deleted[i] === 1) continue
      records.push(Buffer.from(bytes.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES)).toString('hex'))
    }
  }
  return records.sort()
}

export function digestOf(lines: Iterable<string>): string {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update('\n')
  return hash.digest('hex').slice(0, 32)
}

export interface Answer {
  /** As the expectations of the samples have it. */
  readonly location: 0 | 4 | 5
  readonly data: Uint8Array
}

const NOTHING: Answer = { location: 0, data: new Uint8Array(10) }

/** Answers for a dense index, by the plainest way: lists, pages, nothing that is cached. */
export class PlainReader {
  private readonly pages = new Map<number, Uint8Array>()

  constructor(
    private readonly storage: MapStorage,
    private readonly layout: IndexLayout,
    private readonly content: IndexContent,
    private readonly newest: number,
  ) {}

  answer(name: Uint8Array): Answer {
    const { geometry } = this.layout
    const { zones, pageMap } = this.content
    const { volumeIndex, openChapter } = zones[zoneOfName(geometry.subIndexes, zones.length, name, 0)]!
    if (!volumeIndex.search(name, 0)) return NOTHING
    const { chapter } = volumeIndex
    if (chapter === this.newest) {
      const at = openChapter.find(name, 0)
      return at === NO_PLACE
        ? NOTHING
        : { location: 4, data: openChapter.memory.records.subarray(at, at + 10) }
    }
    const slot = geometry.physicalChapter(chapter)
    const indexPage = pageMap.pageOf(slot, chapterList(name, 0, geometry.listsPerChapter))
    const recordPage = findInIndexPage(geometry, this.page(slot, indexPage), 0, name, 0)
    if (recordPage < 0) return NOTHING
    const page = this.page(slot, geometry.indexPagesPerChapter + recordPage)
    const at = findInRecordPage(page, 0, name, 0)
    return at === NO_RECORD ? NOTHING : { location: 5, data: page.subarray(at, at + 10) }
  }

  private page(slot: number, page: number): Uint8Array {
    const number = this.layout.geometry.volumePage(slot, page)
    let bytes = this.pages.get(number)
    if (bytes === undefined) {
      bytes = new Uint8Array(PAGE_BYTES)
      this.storage.run(readPage(this.layout.volumeStart, number, bytes))
      this.pages.set(number, bytes)
    }
    return bytes
  }
}

/** Compares all answers with those expected, and counts what was found. */
export function countRight(reader: PlainReader, expected: Uint8Array, count: number): number {
  let found = 0
  for (let i = 0; i < count; i++) {
    const { location, data } = reader.answer(sampleName(i))
    const wanted = expected.subarray(i * 11, i * 11 + 11)
    const isRight = location === wanted[0] && data.every((byte, j) => byte === wanted[j + 1])
    if (!isRight) throw new Error(`name ${i}: found ${location} ${data.join()}, wanted ${wanted.join()}`)
    if (location !== 0) found++
  }
  return found
}
