/**
 * A whole index with one zone over a store that is done when it returns, hosted in one thread: a page is read when it
 * is wanted, and a chapter is written as soon as it is closed, so that all of an index's work is in what is measured.
 */
import { assert } from '../../base/assert.js'
import { layOut } from '../../base/bump.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import { BLOCKS_PER_PAGE, type IndexGeometry, PAGE_BYTES } from '../../uds/geometry.js'
import { IndexContent } from '../../uds/index-content.js'
import { IndexKeeper, type KeeperParts } from '../../uds/index-keeper.js'
import { IndexMemory, usualSizes } from '../../uds/index-memory.js'
import type { KeeperPort, KeeperWork, ToKeeper, ToZone, ZonePort } from '../../uds/index-ports.js'
import {
  createRequestTable,
  IndexLocation,
  IndexRequest,
  type RequestTable,
} from '../../uds/index-requests.js'
import { flushed, runSteps, type Steps, type StorageCommand, StorageOp } from '../../uds/storage-steps.js'
import { IndexCount, ZoneIndex } from '../../uds/zone-index.js'
import { ROW_WORDS } from '../../vio/marks.js'
import type { IndexFacts, IndexUnderTest } from './index-rows.js'
import type { NameStream } from './name-stream.js'

const READ_LIMIT = 16
const NOTHING = -1

/** Where an index lies, and what reads and writes there. */
export interface BenchPlace extends Pick<KeeperParts, 'nonce' | 'volumeBlock' | 'beforeChapter'> {
  perform(command: StorageCommand): void
}

/** Chapters in memory, and no save that a chapter could contradict. */
function placeInMemory(geometry: IndexGeometry): BenchPlace {
  const store = new ChapterStore(geometry)
  return {
    nonce: { low: 0x600d, high: 1 },
    volumeBlock: 0,
    beforeChapter: flushed,
    perform: (command) => store.perform(command),
  }
}

export class WholeIndexBench implements IndexUnderTest, ZonePort, KeeperPort {
  /** What is to be saved of it. */
  readonly content: IndexContent
  readonly keeper: IndexKeeper
  readonly recordsPerChapter: number
  readonly closedChapters: number
  private readonly zone: ZoneIndex
  private readonly requests: RequestTable
  private readonly words: Uint32Array
  private readonly pageRead: StorageCommand
  private found = 0
  private notFound = 0
  /** What the zone and the keeper have asked for and is still to be done. */
  private slotToRead = NOTHING
  private pageToRead = 0
  private work: KeeperWork | null = null
  private steps: Steps<void> | null = null
  private readonly toKeeperQueue: ToKeeper[] = []
  private readonly toZoneQueue: ToZone[] = []

  constructor(
    geometry: IndexGeometry,
    readonly name = 'whole index',
    private readonly place: BenchPlace = placeInMemory(geometry),
  ) {
    const { nonce } = place
    const sizes = usualSizes(geometry, 1)
    const memory = layOut(
      (bump) => new IndexMemory(geometry, sizes, bump),
      (bytes) => new SharedArrayBuffer(bytes),
    )
    this.requests = createRequestTable(1)
    this.words = new Uint32Array(this.requests.names.buffer)
    this.zone = new ZoneIndex(
      {
        geometry,
        memory,
        zone: 0,
        nonce,
        requests: this.requests,
        readLimit: READ_LIMIT,
        counters: new Float64Array(ROW_WORDS),
      },
      this,
    )
    const { pageMap } = this.zone
    this.keeper = new IndexKeeper({ ...place, geometry, memory, pageMap }, this)
    this.content = new IndexContent([this.zone], pageMap)
    this.zone.begin(0, 0)
    this.keeper.begin(0, 0)
    const bytes = memory.cachePages[0]!
    this.pageRead = { op: StorageOp.Read, block: 0, count: BLOCKS_PER_PAGE, bytes, at: 0 }
    this.recordsPerChapter = geometry.recordsPerChapter
    this.closedChapters = geometry.chapters - 1
  }

  post(names: NameStream, first: number, count: number): void {
    this.ask(IndexRequest.Post, names, first, count)
  }

  query(names: NameStream, first: number, count: number): void {
    this.ask(IndexRequest.Query, names, first, count)
  }

  facts(): IndexFacts {
    const { zone, found, notFound } = this
    const { volumeIndex, counts } = zone
    let rebalances = 0
    for (const { lists } of volumeIndex.parts) rebalances += lists.rebalances
    return {
      records: volumeIndex.entries,
      volumeIndexBytes: volumeIndex.allocatedBytes,
      found,
      notFound,
      falsePositives: counts[IndexCount.FalseVolumeHits],
      pageReads: counts[IndexCount.IndexPageReads] + counts[IndexCount.RecordPageReads],
      rebalances,
      overflows: counts[IndexCount.Overflows],
    }
  }

  answer(row: number): void {
    const location: IndexLocation = this.requests.locations[row]
    assert(location !== IndexLocation.Failed, 'an index over memory does not fail')
    if (location === IndexLocation.None) this.notFound++
    else this.found++
  }

  readPage(slot: number, page: number): void {
    assert(this.slotToRead === NOTHING, 'one request at a time reads one page at a time')
    this.slotToRead = slot
    this.pageToRead = page
  }

  toKeeper(message: ToKeeper): void {
    this.toKeeperQueue.push(message)
  }

  toZone(_zone: number, message: ToZone): void {
    this.toZoneQueue.push(message)
  }

  start(work: KeeperWork, steps: Steps<void>): void {
    this.work = work
    this.steps = steps
  }

  private ask(kind: IndexRequest, names: NameStream, first: number, count: number): void {
    const { requests, words, zone } = this
    requests.kinds[0] = kind
    for (let i = first; i < first + count; i++) {
      names.write(i, words, 0)
      zone.submit(0)
      while (this.slotToRead !== NOTHING || this.toKeeperQueue.length > 0) {
        if (this.slotToRead !== NOTHING) this.readNow()
        else this.serveKeeper()
      }
    }
  }

  private readNow(): void {
    const slot = this.slotToRead
    this.slotToRead = NOTHING
    const { place, pageRead } = this
    pageRead.block = place.volumeBlock + this.pageToRead * BLOCKS_PER_PAGE
    pageRead.at = slot * PAGE_BYTES
    place.perform(pageRead)
    this.zone.pageRead(slot, true)
  }

  /** Passes messages on and does the keeper's work until there is none. */
  private serveKeeper(): void {
    const { keeper, zone, toKeeperQueue, toZoneQueue } = this
    while (toKeeperQueue.length > 0 || toZoneQueue.length > 0) {
      for (const message of toKeeperQueue.splice(0)) keeper.receive(0, message)
      const { steps, work } = this
      if (steps !== null && work !== null) {
        this.steps = this.work = null
        runSteps(steps, (command) => this.place.perform(command))
        keeper.workDone(work, true)
      }
      for (const message of toZoneQueue.splice(0)) zone.receive(message)
    }
  }
}

/** The volume of chapters, each in memory from when it is first written. */
class ChapterStore {
  private readonly chapters: Uint8Array[] = []

  constructor(private readonly geometry: IndexGeometry) {}

  perform({ op, block, count, bytes, at }: StorageCommand): void {
    if (op === StorageOp.Flush || op === StorageOp.Pause) return
    const { pagesPerChapter } = this.geometry
    const page = block / BLOCKS_PER_PAGE - 1
    const slot = Math.floor(page / pagesPerChapter)
    const chapter = (this.chapters[slot] ??= new Uint8Array(pagesPerChapter * PAGE_BYTES))
    const from = (page % pagesPerChapter) * PAGE_BYTES
    const size = count * BLOCK_SIZE
    if (op === StorageOp.Write) chapter.set(bytes.subarray(at, at + size), from)
    else bytes.set(chapter.subarray(from, from + size), at)
  }
}
