/**
 * What one zone has of an index that is open, or is being opened: its layout, its part of the volume index, and what
 * answers with them. Made anew each time the index is opened; its memory goes when the index is closed.
 */
import { assert, unreachable } from '../base/assert.js'
import type { ZoneContext } from '../vio/zone-context.js'
import { type IndexArena, IndexOrder, WORKS } from './index-arena.js'
import { IndexError } from './index-error.js'
import { type IndexLayout, type IndexPlace, openLayout } from './index-layout.js'
import { IndexPageMap } from './index-page-map.js'
import type { ZonePort } from './index-ports.js'
import { type ChapterRange, latestSave, loadZone } from './index-save.js'
import { rebuildIndex } from './rebuild.js'
import { flushed, type Steps } from './storage-steps.js'
import { VolumeIndex, zoneIndexBytes } from './volume-index.js'
import { type Area, saveVolumeIndex } from './volume-index-save.js'
import { ZoneIndex } from './zone-index.js'

/** The orders that open an index. */
export type OpeningOrder = IndexOrder.Begin | IndexOrder.Load | IndexOrder.Rebuild

export class ZonePart {
  private opened: { readonly layout: IndexLayout; readonly index: ZoneIndex } | null = null

  constructor(
    private readonly context: ZoneContext,
    private readonly shared: IndexArena,
    private readonly place: IndexPlace,
    private readonly port: ZonePort,
  ) {}

  get index(): ZoneIndex {
    assert(this.opened !== null, 'an index that is not open answers nothing')
    return this.opened.index
  }

  get layout(): IndexLayout {
    assert(this.opened !== null, 'an index that is not open has no layout')
    return this.opened.layout
  }

  /** Whether everything that was asked is answered, and no page is being read. */
  get isIdle(): boolean {
    return this.opened === null || this.opened.index.isIdle
  }

  /** Names in this zone's part. */
  get entries(): number {
    return this.opened === null ? 0 : this.opened.index.volumeIndex.entries
  }

  /** Bytes that its part of the volume index takes. */
  get memoryBytes(): number {
    return this.opened === null ? 0 : this.opened.index.volumeIndex.allocatedBytes
  }

  /** Names that it has forgotten since it was opened. */
  get discarded(): number {
    return this.opened === null ? 0 : this.opened.index.discarded
  }

  /** Each zone reads for itself where the index is and what is in it. */
  *open(order: OpeningOrder): Steps<void> {
    const layout = yield* openLayout(this.place)
    const index = this.prepare(layout)
    switch (order) {
      case IndexOrder.Begin:
        return index.begin(0, 0)
      case IndexOrder.Load:
        return yield* this.load(layout, index)
      case IndexOrder.Rebuild: {
        const { newest, oldest } = yield* this.rebuild(layout, index)
        return index.begin(oldest, newest)
      }
      default:
        return unreachable('an index is opened in three ways', order)
    }
  }

  *save(area: Area): Steps<void> {
    yield* saveVolumeIndex(this.index.volumeIndex, this.layout.nonce, area)
    yield* flushed()
  }

  /** The memory is taken once, also if the index is opened in another way after the first has failed. */
  private prepare(layout: IndexLayout): ZoneIndex {
    const { context, shared, opened } = this
    const { zone, contexts, shape, counts, counters } = context
    const { geometry, nonce } = layout
    const volumeIndex = opened?.index.volumeIndex ?? newVolumeIndex(layout, zone, counts.index)
    volumeIndex.clear()
    const index = new ZoneIndex(
      {
        geometry,
        memory: shared.memory,
        zone,
        nonce,
        requests: contexts,
        readLimit: shape.indexVios - WORKS,
        counters,
        volumeIndex,
      },
      this.port,
    )
    this.opened = { layout, index }
    return index
  }

  private *load(layout: IndexLayout, index: ZoneIndex): Steps<void> {
    const save = latestSave(layout)
    index.begin(save.oldest, save.newest)
    yield* loadZone(layout, save, index)
  }

  private *rebuild(layout: IndexLayout, index: ZoneIndex): Steps<ChapterRange> {
    const { zone } = this.context
    // What all look at later is written by zone 0; the others find the same out for themselves.
    const pageMap = zone === 0 ? index.pageMap : new IndexPageMap(layout.geometry)
    const range = yield* rebuildIndex(layout, [index.volumeIndex], pageMap)
    if (zone === 0) this.shared.range = range
    return range
  }
}

function newVolumeIndex(layout: IndexLayout, zone: number, zones: number): VolumeIndex {
  try {
    return new VolumeIndex(layout.geometry, zone, zones)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const bytes = zoneIndexBytes(layout.geometry.shape, zones)
    throw new IndexError(
      'VDO_INDEX_NO_MEMORY',
      `There is no memory for the index: a zone of it takes ${bytes} bytes (${error.message})`,
      { cause: error },
    )
  }
}
