/**
 * What lies where in a small image, and which of its bytes mean something: the fields of each structure as the format
 * has them, by offset and size. Written from the format's tables, not from the engine's codecs, so that a damage that
 * this file aims at a field hits what the format calls by that name.
 */
import { crc32 } from 'node:zlib'
import type { BaseImage } from './base-images.js'

/** `count` fields of `size` bytes, `stride` bytes apart. */
export interface Fields {
  readonly at: number
  readonly size: number
  readonly count: number
  readonly stride: number
}

export interface Structure {
  readonly name: string
  readonly blocks: readonly number[]
  readonly fields: readonly Fields[]
  /** Makes the checksum of a block right again. */
  readonly seal?: (bytes: Uint8Array) => void
}

const BLOCK = 4096
const TREES = 60
const TREE_HEIGHT = 5
const PAGE_SLOTS = 812
const BUSY_SLOTS = 16
/** In the super block: how many zones the summary has copies of that count; and blocks of a copy. */
const ZONES_AT = 381
const COPY_BLOCKS = 4

const one = (at: number, size: number): Fields => ({ at, size, count: 1, stride: 0 })
const many = (at: number, size: number, count: number, stride: number): Fields => ({
  at,
  size,
  count,
  stride,
})
const each = (size: number, ...places: number[]): Fields[] => places.map((at) => one(at, size))

const GEOMETRY: readonly Fields[] = [
  ...each(8, 0, 20, 32, 40, 56, 68, 80),
  ...each(4, 8, 12, 16, 28, 64, 76, 88, 92, 97),
  one(96, 1),
]

const SUPER_BLOCK: readonly Fields[] = [
  ...each(8, 12, 44, 52, 60, 68, 76, 84, 92, 100),
  ...each(4, 0, 4, 8, 20, 24, 28, 32, 36, 40, 434),
  // The layout, with its four partitions.
  ...each(4, 108, 112, 116),
  ...each(8, 120, 128, 136),
  one(144, 1),
  many(145, 1, 4, 25),
  many(146, 8, 4, 25),
  many(162, 8, 4, 25),
  // Journal, depot, map.
  ...each(4, 245, 249, 253, 289, 293, 297, 382, 386, 390),
  ...each(8, 257, 265, 273, 281, 301, 394, 402, 410, 418, 426),
  many(309, 8, 9, 8),
  one(ZONES_AT, 1),
]

const MAP_PAGE: readonly Fields[] = [
  ...each(4, 0, 4),
  ...each(8, 8, 16),
  one(32, 1),
  many(36, 1, BUSY_SLOTS, 5),
  many(37, 4, BUSY_SLOTS, 5),
  many(36, 1, PAGE_SLOTS, 5),
  many(37, 4, PAGE_SLOTS, 5),
]

const JOURNAL: readonly Fields[] = [
  ...each(8, 0, 8, 16, 24, 35, 43),
  one(33, 2),
  ...each(1, 32, 51, 52),
  many(512, 1, 3, 1),
  many(1024, 1, 3, 1),
  ...sectorEntries(512),
  ...sectorEntries(1024),
]

/** Slot and page, then the new and the old location of the entries of a sector. */
function sectorEntries(sector: number): Fields[] {
  const entries = (at: number, size: number) => many(sector + 3 + at, size, 31, 16)
  return [entries(0, 2), entries(2, 4), entries(6, 1), entries(7, 4), entries(11, 1), entries(12, 4)]
}

const SLAB_JOURNAL: readonly Fields[] = [
  ...each(8, 0, 8, 24),
  ...each(2, 16, 34),
  one(18, 6),
  ...each(1, 32, 33),
  many(36, 3, 14, 3),
  many(36, 3, 1353, 3),
  many(3933, 1, 163, 1),
]

const REFERENCES: readonly Fields[] = [
  many(0, 2, 8, 512),
  many(2, 6, 8, 512),
  many(8, 1, 128, 1),
  many(8, 1, 504, 1),
]

const COMPRESSED: readonly Fields[] = [...each(4, 0, 4), many(8, 2, 14, 2), many(36, 1, 4060, 1)]

/** Tables of the index lie at the start of their blocks. */
const INDEX: readonly Fields[] = [
  many(0, 8, 32, 8),
  many(0, 4, 64, 4),
  many(0, 2, 128, 2),
  many(0, 1, BLOCK, 1),
]

const BYTES: readonly Fields[] = [many(0, 1, BLOCK, 1)]

/** Where the parts of a base image are, by their names. */
export interface ImageMap {
  readonly structures: readonly Structure[]
  /** PBNs that mean something: where things begin and end. */
  readonly landmarks: readonly number[]
}

export function mapImage(image: BaseImage): ImageMap {
  const { superBlock } = image
  const head = new DataView(blockOf(image, superBlock).buffer)
  const u64 = (at: number): number => Number(head.getBigUint64(at, true))
  const partition = (id: number): number => {
    for (let i = 0; i < 4; i++) if (head.getUint8(145 + 25 * i) === id) return u64(146 + 25 * i)
    throw new Error(`the sound image has no partition ${id}`)
  }
  const [slabBlocks, dataBlocks, referenceBlocks, slabJournalBlocks] = [
    u64(309),
    u64(317),
    u64(325),
    u64(333),
  ]
  const [firstBlock, lastBlock, roots] = [u64(365), u64(373), u64(418)]
  const journal = partition(2)
  const summary = partition(3)
  const slabs = range(firstBlock, lastBlock).filter((block) => (block - firstBlock) % slabBlocks === 0)
  const pages = pagesByHeight(image, roots)
  const mapped = mappedBlocks(image, pages[0])
  const index = range(1, superBlock)
  const structures: Structure[] = [
    { name: 'geometry block', blocks: [0], fields: GEOMETRY, seal: sealAt(97) },
    { name: 'super block', blocks: [superBlock], fields: SUPER_BLOCK, seal: sealAt(434) },
    { name: 'recovery journal', blocks: range(journal, journal + u64(84)), fields: JOURNAL },
    {
      name: 'slab journal',
      blocks: slabs.flatMap((slab) => {
        const start = slab + dataBlocks + referenceBlocks
        return range(start, start + slabJournalBlocks)
      }),
      fields: SLAB_JOURNAL,
    },
    {
      name: 'reference block',
      blocks: slabs.flatMap((slab) => range(slab + dataBlocks, slab + dataBlocks + referenceBlocks)),
      fields: REFERENCES,
    },
    // The others of its copies are never read.
    {
      name: 'slab summary',
      blocks: range(0, Math.max(1, head.getUint8(ZONES_AT))).map((zone) => summary + zone * COPY_BLOCKS),
      fields: [many(0, 1, 2 * slabs.length, 1)],
    },
    { name: 'root page', blocks: pages[4]!, fields: MAP_PAGE },
    { name: 'interior page', blocks: [...pages[3]!, ...pages[2]!, ...pages[1]!], fields: MAP_PAGE },
    { name: 'leaf page', blocks: pages[0]!, fields: MAP_PAGE },
    { name: 'compressed block', blocks: mapped.compressed, fields: COMPRESSED },
    { name: 'data block', blocks: mapped.whole, fields: BYTES },
    { name: 'index super block', blocks: [1, 2], fields: INDEX },
    { name: 'index table', blocks: index.filter((block) => beginsWithText(image, block)), fields: INDEX },
    { name: 'index region', blocks: index, fields: INDEX },
    { name: 'rest of the volume', blocks: range(0, image.blockCount), fields: BYTES },
  ]
  return {
    // What is written is worth more than what is not; of a fresh volume nearly nothing is.
    structures: structures
      .map((structure) => ({ ...structure, blocks: preferWritten(image, structure.blocks) }))
      .filter(({ blocks }) => blocks.length > 0),
    landmarks: [
      superBlock,
      roots,
      roots + TREES,
      firstBlock,
      firstBlock + dataBlocks,
      firstBlock + dataBlocks + referenceBlocks,
      firstBlock + slabBlocks,
      lastBlock,
      journal,
      summary,
      image.blockCount,
      ...pages[1]!.slice(0, 1),
      ...pages[0]!.slice(0, 2),
      ...mapped.whole.slice(0, 2),
      ...mapped.compressed.slice(0, 2),
    ],
  }
}

/** Pages of the tree by height, from leaves (0) to roots (4). */
function pagesByHeight(image: BaseImage, roots: number): number[][] {
  const pages: number[][] = [[], [], [], [], range(roots, roots + TREES)]
  for (let height = TREE_HEIGHT - 1; height > 0; height--) {
    for (const page of pages[height]!) {
      for (const { pbn } of entriesOf(blockOf(image, page))) pages[height - 1]!.push(pbn)
    }
  }
  return pages
}

function mappedBlocks(image: BaseImage, leaves: readonly number[]) {
  const whole = new Set<number>()
  const compressed = new Set<number>()
  for (const leaf of leaves) {
    for (const { pbn, state } of entriesOf(blockOf(image, leaf))) (state === 1 ? whole : compressed).add(pbn)
  }
  return { whole: [...whole], compressed: [...compressed] }
}

function entriesOf(page: Uint8Array): { readonly pbn: number; readonly state: number }[] {
  const view = new DataView(page.buffer)
  const entries = []
  for (let slot = 0; slot < PAGE_SLOTS; slot++) {
    const pbn = view.getUint32(37 + 5 * slot, true)
    if (pbn !== 0) entries.push({ pbn, state: page[36 + 5 * slot]! & 15 })
  }
  return entries
}

/** Whatever is a table of the index says what it is in its first bytes; no record does, but by chance. */
function beginsWithText(image: BaseImage, block: number): boolean {
  return blockOf(image, block)
    .subarray(0, 5)
    .every((byte) => byte > 32 && byte < 127)
}

function preferWritten(image: BaseImage, blocks: readonly number[]): readonly number[] {
  const written = blocks.filter((block) => image.blocks.has(block))
  return written.length > 0 ? written : blocks
}

/** A copy of a block, from the start of a buffer of its own. */
export function blockOf(image: BaseImage, block: number): Uint8Array {
  return Uint8Array.from(image.blocks.get(block) ?? new Uint8Array(BLOCK))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

/** The checksum of the format: CRC-32 whose register starts at 0. */
function sealAt(at: number): (bytes: Uint8Array) => void {
  return (bytes) => new DataView(bytes.buffer).setUint32(at, crc32(bytes.subarray(0, at), 0xffff_ffff), true)
}
