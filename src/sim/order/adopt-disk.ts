/**
 * What an order checker must know of a volume that it has not heard from the beginning: read off the disk when the
 * load is over, for then pages and slab journals hold all that the recovery journal had.
 */
import {
  COUNTERS_PER_BLOCK,
  COUNTERS_PER_SECTOR,
  commitPoint,
  decodePage,
  decodeSlabJournalBlock,
  ENTRIES_PER_PAGE,
  pageEntry,
  SECTORS_PER_BLOCK,
  type SlabJournalBlock,
  SUMMARY_ENTRIES_PER_BLOCK,
  type SuperBlock,
  summaryEntry,
  summaryPbn,
  TREE_PAGE,
} from './decode.js'
import type { OrderModel } from './order-model.js'
import type { SlabModel } from './slab-model.js'

/** The bytes of a block of the volume. */
export type ReadBlock = (pbn: number) => Uint8Array

/** The height of a root page; a leaf has 0. */
const ROOT_HEIGHT = 4
const SLAB_JOURNAL_TYPE = 2
const NOTHING_SHOWN: ReadonlyMap<number, number> = new Map()

/** Takes over map, counts and slab journals. `superBlock` is the one that ends the load. */
export function adoptDisk(model: OrderModel, superBlock: SuperBlock, read: ReadBlock): void {
  const { layout, journal, slabs } = model
  for (let root = 0; root < layout.rootCount; root++) {
    adoptPage(model, layout.rootOrigin + root, ROOT_HEIGHT, read)
  }
  journal.used = superBlock.used
  journal.mapBlocks = superBlock.mapBlocks
  for (const slab of slabs) adoptSlab(model, slab, superBlock.zones, read)
}

/** A page and all below it. One that is not ours, or not initialized, is an empty one. */
function adoptPage(model: OrderModel, pbn: number, height: number, read: ReadBlock): void {
  const { journal, disk, nonce } = model
  const bytes = read(pbn)
  const page = decodePage(bytes, nonce)
  if (!page.isOurs || page.pbn !== pbn) return
  const fact = { kind: 'page', page, shown: NOTHING_SHOWN } as const
  disk.adopt({ block: pbn, bytes: bytes.slice(), fact, ended: 0, isLost: false })
  if (!page.isInitialized) return
  for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
    const to = pageEntry(bytes, slot)
    if (to.pbn === 0 && to.state === 0) continue
    journal.adopt(pbn, slot, to, height > 0)
    if (height > 0) adoptPage(model, to.pbn, height - 1, read)
  }
}

function adoptSlab(model: OrderModel, slab: SlabModel, zones: number, read: ReadBlock): void {
  const { layout, journal } = model
  const summary = read(summaryPbn(layout.summaryOrigin, zones, slab.number))
  const { tail, load, dirty } = summaryEntry(summary, slab.number % SUMMARY_ENTRIES_PER_BLOCK)
  if (tail === 0 && !load) return
  const blocks = journalBlocks(model, slab, tail, read)
  const newest = blocks.at(-1)?.sequence ?? 0
  slab.adopt(newest, dirty ? blocks : [])
  for (let sbn = 0; sbn < layout.slabDataBlocks; sbn++) {
    const pbn = slab.start + sbn
    slab.adoptCount(sbn, journal.treePages.has(pbn) ? TREE_PAGE : journal.referencesOf(pbn).durable)
  }
  if (!load) return
  for (let index = 0; index < layout.slabReferenceBlocks; index++) {
    const bytes = read(slab.start + layout.slabDataBlocks + index)
    const shown = Array.from({ length: SECTORS_PER_BLOCK }, (_, sector) => {
      const { sequence, index: entry } = commitPoint(bytes, sector)
      return slab.locate(sequence, entry) ?? slab.changes.length
    })
    slab.stableChanges[index] = lastShown(slab, index, shown)
  }
}

/** The last change up to which a reference block shows all of its own, each by the commit point of its sector. */
function lastShown(slab: SlabModel, index: number, shown: readonly number[]): number {
  const lacking = slab.changes.findIndex(({ sbn }, i) => {
    const at = sbn - index * COUNTERS_PER_BLOCK
    const isHere = at >= 0 && at < COUNTERS_PER_BLOCK
    return isHere && shown[Math.floor(at / COUNTERS_PER_SECTOR)] < i + 1
  })
  return lacking < 0 ? slab.changes.length : lacking
}

/** The blocks that a replay would read, oldest first; none if the journal is blank. */
function journalBlocks(
  { layout, nonce }: OrderModel,
  slab: SlabModel,
  tail: number,
  read: ReadBlock,
): SlabJournalBlock[] {
  const { slabDataBlocks, slabReferenceBlocks, slabJournalBlocks } = layout
  const origin = slab.start + slabDataBlocks + slabReferenceBlocks
  const blockAt = (position: number) => decodeSlabJournalBlock(read(origin + (position % slabJournalBlocks)))
  const newest = blockAt(tail + slabJournalBlocks - 1)
  if (newest.type !== SLAB_JOURNAL_TYPE || newest.nonce !== nonce) return []
  const blocks: SlabJournalBlock[] = []
  for (let sequence = newest.head; sequence <= newest.sequence; sequence++) blocks.push(blockAt(sequence))
  return blocks
}
