/**
 * Where the parts of an index lie on its device, and which save of it holds. It makes an index, opens one with
 * every check that the blocks allow, and gives saves their place.
 *
 * Two slots take saves in turn: a new one always goes where the older is, so that a crash in the midst of a save
 * leaves the other. A slot counts from the moment its header is written, last of all, until the header is written
 * over, first of all. The save with the latest time is the one that is loaded; if it cannot be, the index was not
 * saved cleanly, and the other, which is of an earlier state, is not tried.
 *
 * Once a chapter is written, a save no longer says what the volume holds, so before that the open chapter of the
 * last save is overwritten (`discardOpenChapter`): what was saved then cannot be loaded.
 *
 * Owned by whoever owns the chapter writer. Blocks of areas are blocks of the device.
 */
import { assert } from '../base/assert.js'
import { highWord, lowWord } from '../base/bytes.js'
import { BLOCK_SIZE } from '../format/constants.js'
import type { IndexShape } from '../format/index-region.js'
import { BLOCKS_PER_PAGE, IndexGeometry } from './geometry.js'
import { decodeIndexConfig, encodeIndexConfig } from './index-config.js'
import { IndexError, indexCorrupt } from './index-error.js'
import { nonceInfoOf, primaryNonce, volumeNonceOf } from './index-nonces.js'
import {
  blocksOf,
  decodeIndexSuperBlock,
  encodeIndexSuperBlock,
  type IndexSuperBlock,
  indexStartOf,
  SAVE_SLOTS,
  slotStartOf,
} from './index-super-block.js'
import {
  decodeSaveHeader,
  divideSlot,
  encodeSaveHeader,
  encodeUnsavedHeader,
  type SaveAreas,
  type SaveHeader,
  type SaveSlot,
  saveHeaderOf,
} from './save-slot.js'
import { flushed, readBlock, type Steps, writeBlock } from './storage-steps.js'
import type { Area, VolumeNonce } from './volume-index-save.js'

/** Which index is wanted, and where. */
export interface IndexPlace {
  readonly shape: IndexShape
  /** The first block of the region on the device, and how many there are for the index. */
  readonly start: number
  readonly blocks: number
  /** The nonce of the VDO volume. */
  readonly nonce: bigint
}

/** What makes a new index unlike any other. */
export interface IndexBirth {
  /** Since 1970. */
  readonly nanoseconds: bigint
  /** 32 bits. */
  readonly chance: number
}

/** What is in a slot: a save, none, or something that is damaged. */
export interface SlotState {
  readonly slot: SaveSlot
  save: SaveHeader | undefined
  /** Why a header that is there does not count. */
  problem: IndexError | undefined
}

/** A save that has been begun and does not count yet. */
export interface BegunSave {
  readonly state: SlotState
  readonly time: bigint
  /** On the device. */
  readonly areas: SaveAreas
}

export class IndexLayout {
  /** The nonce that the chapters and saves of this index carry. */
  readonly nonce: VolumeNonce
  /** The block of the device where the volume begins, with a page that is not used. */
  readonly volumeStart: number
  readonly slots: readonly SlotState[]
  private readonly volumeNonce: bigint
  /** Whether the last save could still be loaded. */
  private holds = true

  constructor(
    readonly geometry: IndexGeometry,
    readonly superBlock: IndexSuperBlock,
  ) {
    const { volumeOffset, startOffset, saveBlocks } = superBlock
    this.volumeNonce = volumeNonceOf(superBlock.nonce, indexStartOf(superBlock))
    this.nonce = { low: lowWord(this.volumeNonce), high: highWord(this.volumeNonce) }
    this.volumeStart = indexStartOf(superBlock) + volumeOffset - startOffset
    this.slots = Array.from({ length: SAVE_SLOTS }, (_, number) => ({
      slot: { number, start: slotStartOf(superBlock, number), blocks: saveBlocks },
      save: undefined,
      problem: undefined,
    }))
  }

  /** The save that holds: the one with the latest time. */
  get latest(): SlotState | undefined {
    let latest: SlotState | undefined
    for (const state of this.slots) if (timeOf(state) > timeOf(latest)) latest = state
    return latest
  }

  /** The areas of a save on the device. */
  areasOf({ save }: SlotState): SaveAreas {
    assert(save !== undefined, 'a slot with a save has its areas')
    return this.placed(save.areas)
  }

  /** Reads the headers of both slots. A damaged one counts as none: the other may hold. */
  *readSlots(): Steps<void> {
    for (const state of this.slots) {
      const bytes = yield* readBlock(this.blockOf(state.slot.start))
      state.problem = undefined
      try {
        state.save = decodeSaveHeader(bytes, state.slot, this.volumeNonce)
        if (state.save !== undefined) this.checkRoom(state)
      } catch (error) {
        if (!(error instanceof IndexError)) throw error
        state.save = undefined
        state.problem = error
      }
    }
    this.holds = true
  }

  private checkRoom({ slot, save }: SlotState): void {
    const { pageMap, openChapter } = save!.areas
    const { region } = this.geometry
    if (pageMap.blocks < region.pageMapBlocks || openChapter.blocks < region.openChapterBlocks) {
      throw indexCorrupt(
        `header of save ${slot.number}`,
        `it has ${pageMap.blocks} blocks of page map and ${openChapter.blocks} of open chapter, ` +
          `wanted ${region.pageMapBlocks} and ${region.openChapterBlocks}`,
      )
    }
  }

  /** Makes both slots empty. */
  *clearSlots(): Steps<void> {
    for (const state of this.slots) yield* this.clear(state)
  }

  /**
   * Takes the slot of the older save for a new one by so many zones, at this time in ms since 1970. From here on
   * that slot holds nothing, until `commitSave`.
   */
  *beginSave(zones: number, time: number): Steps<BegunSave> {
    let oldest = this.slots[0]!
    for (const state of this.slots) if (timeOf(state) < timeOf(oldest)) oldest = state
    // The latest save has to be told by its time, so time goes on even if the clock was set back.
    const latest = timeOf(this.latest)
    const later = latest < BigInt(time) ? BigInt(time) : latest + 1n
    yield* this.clear(oldest)
    const { pageMapBlocks, openChapterBlocks } = this.superBlock
    const areas = divideSlot(oldest.slot, zones, pageMapBlocks, openChapterBlocks)
    return { state: oldest, time: later, areas: this.placed(areas) }
  }

  /** Makes a save count whose areas have been written. `newest` is the open chapter. */
  *commitSave({ state, time, areas }: BegunSave, newest: number, oldest: number): Steps<void> {
    const { slot } = state
    const { pageMapBlocks, openChapterBlocks } = this.superBlock
    const counted = divideSlot(slot, areas.volumeIndex.length, pageMapBlocks, openChapterBlocks)
    const save = saveHeaderOf(slot, counted, this.volumeNonce, time, newest, oldest)
    yield* flushed()
    yield* writeBlock(this.blockOf(slot.start), encodeSaveHeader(slot, save))
    yield* flushed()
    state.save = save
    this.holds = true
  }

  /** Sees to it that what was saved last is not loaded any more. To be done before a chapter is written. */
  *discardOpenChapter(): Steps<void> {
    const { latest } = this
    if (!this.holds || latest === undefined) return
    yield* writeBlock(this.areasOf(latest).openChapter.block, new Uint8Array(BLOCK_SIZE))
    yield* flushed()
    this.holds = false
  }

  private *clear(state: SlotState): Steps<void> {
    state.save = undefined
    state.problem = undefined
    const header = encodeUnsavedHeader(state.slot, this.superBlock.pageMapBlocks)
    yield* writeBlock(this.blockOf(state.slot.start), header)
    yield* flushed()
  }

  private placed({ pageMap, volumeIndex, openChapter }: SaveAreas): SaveAreas {
    const place = ({ block, blocks }: Area): Area => ({ block: this.blockOf(block), blocks })
    return {
      pageMap: place(pageMap),
      volumeIndex: volumeIndex.map(place),
      openChapter: place(openChapter),
    }
  }

  /** Where a block of a save slot is on the device. */
  private blockOf(block: number): number {
    return block - this.superBlock.startOffset
  }
}

/** Makes a new index. What was there before is not looked at, and its chapters stay as they are. */
export function* createLayout(place: IndexPlace, birth: IndexBirth): Steps<IndexLayout> {
  const geometry = new IndexGeometry(place.shape)
  const { region } = geometry
  const nonceInfo = nonceInfoOf(birth.nanoseconds, birth.chance)
  const superBlock: IndexSuperBlock = {
    start: place.start,
    volumeBlocks: region.chapterBlocks,
    saveBlocks: 1 + region.volumeIndexBlocks + region.pageMapBlocks + region.openChapterBlocks,
    openChapterBlocks: region.openChapterBlocks,
    pageMapBlocks: region.pageMapBlocks,
    nonceInfo,
    nonce: primaryNonce(nonceInfo),
    volumeOffset: 0,
    startOffset: 0,
    reduced: false,
  }
  checkSpace(superBlock, place)
  const layout = new IndexLayout(geometry, superBlock)
  yield* layout.clearSlots()
  yield* writeBlock(place.start + 1, encodeIndexConfig(geometry, place.nonce))
  yield* flushed()
  yield* writeBlock(place.start, encodeIndexSuperBlock(superBlock))
  yield* flushed()
  return layout
}

/** Opens the index that is there. Throws if there is none, or one that is damaged or of another volume. */
export function* openLayout(place: IndexPlace): Steps<IndexLayout> {
  const superBlock = decodeIndexSuperBlock(yield* readBlock(place.start), place.start)
  const config = yield* readBlock(place.start + 1)
  const geometry = decodeIndexConfig(config, place.shape, place.nonce)
  checkSizes(superBlock, geometry)
  checkSpace(superBlock, place)
  const layout = new IndexLayout(geometry, superBlock)
  yield* layout.readSlots()
  return layout
}

/** What the super block says against what follows from the configuration. */
function checkSizes(block: IndexSuperBlock, { region, pagesPerChapter }: IndexGeometry): void {
  const expect = (name: string, found: number, wanted: number): void => {
    if (found !== wanted) {
      throw indexCorrupt('index super block', `its ${name} has ${found} blocks, wanted ${wanted}`)
    }
  }
  expect('volume', block.volumeBlocks, region.chapterBlocks)
  const saveBlocks = 1 + region.volumeIndexBlocks + block.pageMapBlocks + block.openChapterBlocks
  expect('save slot', block.saveBlocks, saveBlocks)
  expect('open chapter', block.openChapterBlocks, region.openChapterBlocks)
  // A page map may be larger than it has to be: it was made for the chapters before the index was reduced.
  if (block.pageMapBlocks < region.pageMapBlocks || !block.reduced) {
    expect('page map', block.pageMapBlocks, region.pageMapBlocks)
  }
  if (block.reduced && block.volumeOffset > 0) {
    expect('chapter that was given up', block.volumeOffset, pagesPerChapter * BLOCKS_PER_PAGE)
  }
}

function checkSpace(block: IndexSuperBlock, { start, blocks }: IndexPlace): void {
  const wanted = blocksOf(block)
  if (blocks >= wanted) return
  throw new IndexError(
    'VDO_INDEX_NO_SPACE',
    `Cannot open the index: its region at block ${start} has ${blocks} blocks, wanted ${wanted}`,
  )
}

/** A time of 0 stands for no save. */
function timeOf(state: SlotState | undefined): bigint {
  return state?.save?.time ?? 0n
}
