/**
 * A whole index in one place: zones and keeper over a device of blocks, with every message between them, every page
 * and every step of the keeper's work an event that happens when it is picked: in order, or as a seed has it.
 */
import { layOut } from '../../src/base/bump.js'
import type { Prng } from '../../src/base/prng.js'
import { zoneOfName } from '../../src/format/record-name.js'
import { IndexContent } from '../../src/uds/index-content.js'
import { IndexError } from '../../src/uds/index-error.js'
import { IndexKeeper } from '../../src/uds/index-keeper.js'
import type { IndexLayout } from '../../src/uds/index-layout.js'
import { IndexMemory, type IndexSizes, usualSizes } from '../../src/uds/index-memory.js'
import { IndexPageMap } from '../../src/uds/index-page-map.js'
import type { KeeperWork, ToKeeper, ToZone } from '../../src/uds/index-ports.js'
import {
  createRequestTable,
  type IndexLocation,
  type IndexRequest,
  type RequestTable,
} from '../../src/uds/index-requests.js'
import { type ChapterRange, saveIndex } from '../../src/uds/index-save.js'
import type { Steps } from '../../src/uds/storage-steps.js'
import { type IndexCount, ZoneIndex } from '../../src/uds/zone-index.js'
import { ROW_WORDS } from '../../src/vio/marks.js'
import type { MapStorage } from './uds-samples.js'

export interface LocalOptions {
  readonly zones: number
  readonly rows?: number
  readonly readLimit?: number
  readonly sizes?: Partial<IndexSizes>
  /** Picks what happens next; without it, what was told first. */
  readonly prng?: Prng
  /** Whether a read of a page goes well. */
  readonly readsWell?: (page: number) => boolean
}

/** What happens in one order: a pair of parts that talk, one kind of the keeper's work. */
type Channel = (() => void)[]

export class LocalIndex {
  readonly requests: RequestTable
  readonly zones: readonly ZoneIndex[]
  readonly keeper: IndexKeeper
  readonly content: IndexContent
  readonly memory: IndexMemory
  answered = 0
  onAnswer: (row: number) => void = () => {}
  private readonly channels: Channel[] = []
  /** Reads of pages, which may end in any order. */
  private readonly reads: (() => void)[] = []
  private readonly prng: Prng | undefined

  constructor(
    readonly storage: MapStorage,
    readonly layout: IndexLayout,
    options: LocalOptions,
  ) {
    const { geometry, nonce, volumeStart } = layout
    const { zones } = options
    this.prng = options.prng
    const sizes = { ...usualSizes(geometry, zones), ...options.sizes, zones }
    this.memory = layOut((bump) => new IndexMemory(geometry, sizes, bump))
    const pageMap = new IndexPageMap(geometry, this.memory.pageMapEntries)
    this.requests = createRequestTable(options.rows ?? 16)
    const toKeeper: Channel[] = []
    const toZones: Channel[] = []
    for (let zone = 0; zone < zones; zone++) {
      toKeeper.push(this.channel())
      toZones.push(this.channel())
    }
    const work = [this.channel(), this.channel()]
    this.keeper = new IndexKeeper(
      {
        geometry,
        memory: this.memory,
        pageMap,
        nonce,
        volumeBlock: volumeStart,
        beforeChapter: () => layout.discardOpenChapter(),
      },
      {
        toZone: (zone, message: ToZone) => {
          toZones[zone]!.push(() => this.zones[zone]!.receive(message))
        },
        start: (kind, steps) => this.drive(work[kind]!, kind, steps),
      },
    )
    this.zones = Array.from(
      { length: zones },
      (_, zone) =>
        new ZoneIndex(
          {
            geometry,
            memory: this.memory,
            zone,
            nonce,
            requests: this.requests,
            readLimit: options.readLimit ?? 8,
            counters: new Float64Array(ROW_WORDS),
          },
          {
            answer: (row) => {
              this.answered++
              this.onAnswer(row)
            },
            readPage: (slot, page) => {
              this.reads.push(() => {
                const ok = options.readsWell?.(page) ?? true
                if (ok) this.readPage(zone, slot, page)
                this.zones[zone]!.pageRead(slot, ok)
              })
            },
            toKeeper: (message: ToKeeper) => {
              toKeeper[zone]!.push(() => this.keeper.receive(zone, message))
            },
          },
        ),
    )
    this.content = new IndexContent(this.zones, pageMap, (range) => this.begin(range))
    this.begin({ oldest: 0, newest: 0 })
  }

  begin({ oldest, newest }: ChapterRange): void {
    for (const zone of this.zones) zone.begin(oldest, newest)
    this.keeper.begin(oldest, newest)
  }

  /** Loads the latest save. */
  load(): void {
    this.storage.run(this.content.load(this.layout))
  }

  /** Rebuilds what was not saved. */
  rebuild(): void {
    this.storage.run(this.content.rebuild(this.layout))
  }

  save(time: number): void {
    this.storage.run(saveIndex(this.layout, this.content, this.keeper, time))
  }

  /** Hands a request in without waiting for what becomes of it. */
  submit(row: number, kind: IndexRequest, name: Uint8Array, offered?: Uint8Array): void {
    const { kinds, names, offered: data } = this.requests
    kinds[row] = kind
    names.set(name, row * 16)
    if (offered !== undefined) data.set(offered, row * 16)
    this.zones[zoneOfName(this.layout.geometry.subIndexes, this.zones.length, name, 0)]!.submit(row)
  }

  /** One request from its beginning to its end. */
  ask(kind: IndexRequest, name: Uint8Array, offered?: Uint8Array): IndexLocation {
    const { answered } = this
    this.submit(0, kind, name, offered)
    while (this.answered === answered) this.step()
    return this.requests.locations[0]!
  }

  /** Lets one thing happen. False if there is nothing. */
  step(): boolean {
    const { reads, prng } = this
    const ready = this.channels.filter((channel) => channel.length > 0)
    if (ready.length + reads.length === 0) return false
    const picked = prng === undefined ? 0 : prng.below(ready.length + reads.length)
    if (picked < ready.length) ready[picked]!.shift()!()
    else reads.splice(picked - ready.length, 1)[0]!()
    return true
  }

  /** Lets everything happen. */
  settle(): void {
    while (this.step());
  }

  count(what: IndexCount): number {
    return this.zones.reduce((sum, { counts }) => sum + counts[what]!, 0)
  }

  private channel(): Channel {
    const channel: Channel = []
    this.channels.push(channel)
    return channel
  }

  private readPage(zone: number, slot: number, page: number): void {
    this.storage.read(this.layout.volumeStart + page * 8, 8, this.memory.cachePages[zone]!, slot * 32_768)
  }

  /** Does the keeper's work, one step an event. */
  private drive(channel: Channel, kind: KeeperWork, steps: Steps<void>): void {
    channel.push(() => {
      let ok = true
      try {
        const { done, value } = steps.next()
        if (done !== true) {
          this.storage.perform(value)
          return this.drive(channel, kind, steps)
        }
      } catch (error) {
        if (!(error instanceof IndexError)) throw error
        ok = false
      }
      this.keeper.workDone(kind, ok)
    })
  }
}
