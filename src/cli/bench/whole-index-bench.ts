/**
 * A whole index with one zone over chapters in memory, hosted in one thread: pages are copied from and to memory,
 * and a chapter is written as soon as it is closed, so that all of an index's work is in what is measured.
 */
import { assert } from '../../base/assert.js'
import { layOut } from '../../base/bump.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import { BLOCKS_PER_PAGE, type IndexGeometry, PAGE_BYTES } from '../../uds/geometry.js'
import { IndexKeeper } from '../../uds/index-keeper.js'
import { IndexMemory, usualSizes } from '../../uds/index-memory.js'
import type { KeeperPort, KeeperWork, ToKeeper, ToZone, ZonePort } from '../../uds/index-ports.js'
import {
  createRequestTable,
  IndexLocation,
  IndexRequest,
  type RequestTable,
} from '../../uds/index-requests.js'
import { flushed, type Steps, type StorageCommand, StorageOp } from '../../uds/storage-steps.js'
import { IndexCount, ZoneIndex } from '../../uds/zone-index.js'
import type { IndexFacts, IndexUnderTest } from './index-rows.js'
import type { NameStream } from './name-stream.js'

const NONCE = { low: 0x600d, high: 1 }
const READ_LIMIT = 16
const NOTHING = -1

export class WholeIndexBench implements IndexUnderTest, ZonePort, KeeperPort {
  readonly name = 'whole index'
  readonly recordsPerChapter: number
  readonly closedChapters: number
  private readonly zone: ZoneIndex
  private readonly keeper: IndexKeeper
  private readonly requests: RequestTable
  private readonly words: Uint32Array
  private readonly store: ChapterStore
  private readonly cachePages: Uint8Array
  private found = 0
  private notFound = 0
  /** What the zone and the keeper have asked for and is still to be done. */
  private slotToRead = NOTHING
  private pageToRead = 0
  private work: KeeperWork | null = null
  private steps: Steps<void> | null = null
  private readonly toKeeperQueue: ToKeeper[] = []
  private readonly toZoneQueue: ToZone[] = []

  constructor(geometry: IndexGeometry) {
    const sizes = usualSizes(geometry, 1)
    const memory = layOut(
      (bump) => new IndexMemory(geometry, sizes, bump),
      (bytes) => new SharedArrayBuffer(bytes),
    )
    this.requests = createRequestTable(1)
    this.words = new Uint32Array(this.requests.names.buffer)
    this.zone = new ZoneIndex(
      { geometry, memory, zone: 0, nonce: NONCE, requests: this.requests, readLimit: READ_LIMIT },
      this,
    )
    this.keeper = new IndexKeeper(
      {
        geometry,
        memory,
        pageMap: this.zone.pageMap,
        nonce: NONCE,
        volumeBlock: 0,
        // There is no save that a chapter could contradict.
        beforeChapter: flushed,
      },
      this,
    )
    this.zone.begin(0, 0)
    this.keeper.begin(0, 0)
    this.store = new ChapterStore(geometry)
    this.cachePages = memory.cachePages[0]
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
    this.store.read(this.pageToRead, this.cachePages, slot * PAGE_BYTES)
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
        for (let next = steps.next(); next.done !== true; next = steps.next()) this.store.perform(next.value)
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

  read(page: number, to: Uint8Array, at: number): void {
    const { pagesPerChapter } = this.geometry
    const chapter = this.chapters[Math.floor((page - 1) / pagesPerChapter)]
    const from = ((page - 1) % pagesPerChapter) * PAGE_BYTES
    to.set(chapter.subarray(from, from + PAGE_BYTES), at)
  }

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
