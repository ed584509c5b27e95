/** The volume index alone, driven as an index drives it: what the memory of an index costs without its disk. */

import { Insertion } from '../../uds/delta-index.js'
import type { IndexGeometry } from '../../uds/geometry.js'
import { VolumeIndex } from '../../uds/volume-index.js'
import { type IndexFacts, type IndexUnderTest, MISSING } from './index-rows.js'
import type { NameStream } from './name-stream.js'

export class VolumeIndexBench implements IndexUnderTest {
  readonly name = 'volume index'
  readonly recordsPerChapter: number
  readonly closedChapters: number
  private readonly index: VolumeIndex
  private readonly words = new Uint32Array(4)
  private readonly bytes = new Uint8Array(this.words.buffer)
  private chapter = 0
  private inChapter = 0
  private found = 0
  private notFound = 0
  private falsePositives = 0

  constructor(geometry: IndexGeometry) {
    this.index = new VolumeIndex(geometry, 0, 1)
    this.recordsPerChapter = geometry.recordsPerChapter
    this.closedChapters = geometry.chapters - 1
  }

  post(names: NameStream, first: number, count: number): void {
    const { index, words, bytes } = this
    for (let i = first; i < first + count; i++) {
      names.write(i, words, 0)
      // All names are new, so one that is found is another's key; the chapter's page would say so.
      if (index.search(bytes, 0)) this.falsePositives++
      if (index.put(this.chapter, bytes, 0) === Insertion.Done) this.entered()
    }
    this.notFound += count
  }

  query(names: NameStream, first: number, count: number): void {
    const { index, words, bytes } = this
    for (let i = first; i < first + count; i++) {
      names.write(i, words, 0)
      if (!index.search(bytes, 0)) this.notFound++
      else if (i >= MISSING) {
        this.notFound++
        this.falsePositives++
      } else {
        this.found++
        if (index.chapter !== this.chapter) index.setChapter(this.chapter)
        this.entered()
      }
    }
  }

  facts(): IndexFacts {
    const { index, found, notFound, falsePositives } = this
    let rebalances = 0
    let overflows = 0
    for (const { lists } of index.parts) {
      rebalances += lists.rebalances
      overflows += lists.overflows
    }
    return {
      records: index.entries,
      volumeIndexBytes: index.allocatedBytes,
      found,
      notFound,
      falsePositives,
      pageReads: 0,
      rebalances,
      overflows,
    }
  }

  /** One more record in the open chapter. */
  private entered(): void {
    if (++this.inChapter < this.recordsPerChapter) return
    this.inChapter = 0
    this.index.openChapter(++this.chapter)
  }
}
