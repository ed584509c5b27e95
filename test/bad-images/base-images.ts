/**
 * Sound images of small volumes, for damage to be done to: one in each state that a volume can be found in, with
 * data of all kinds in them. They are made by the engine itself; what they hold is known by their logical blocks.
 */
import { crc32 } from 'node:zlib'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import { SMALL_INDEX_MEMORY } from '../../src/format/index-memory.js'
import { type IndexShape, indexShapeOf, regionOfShape } from '../../src/format/index-region.js'
import { decodeSuperBlock, encodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { planFormat, type VolumeParameters } from '../../src/format/volume-format.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import type { VolumeShape } from '../../src/vio/volume-shape.js'
import { type Image, ImageStore } from './image-store.js'
import { SimulatedVolume } from './simulated-volume.js'

const BLOCK = 4096
/** Logical blocks of a leaf of the block map, and trees that leaves are dealt to. */
const LEAF_BLOCKS = 812
const TREES = 60
/** A leaf more than there are trees: two leaves of one tree. */
const LEAVES = TREES + 5
const SLABS = 4
const SLAB_BITS = 8
const SLAB_BLOCKS = 2 ** SLAB_BITS
const SUMMARY_BLOCKS = 64
const JOURNAL_BLOCKS = 32
const SLAB_JOURNAL_BLOCKS = 72
/** The type of a recovery journal block. */
const JOURNAL_TYPE_AT = 32
const LEGACY_TYPE = 1

/** Memory for an engine of any of them: more than this is not configured. */
export const ARENA_BYTES = 16 * 1024 ** 2

export interface BaseImage extends Image {
  readonly name: string
  /** The sizes that it is run with. */
  readonly shape: Partial<VolumeShape>
  /** Logical blocks that were written at some time. */
  readonly lbns: readonly number[]
  /** Where its super block is. */
  readonly superBlock: number
  /** What it was formatted as. */
  readonly parameters: FormatParameters
}

export type FormatParameters = Omit<VolumeParameters, 'physicalBlocks' | 'logicalBlocks'>

/** An index of a chapter that fills and one that is written. */
const TINY_INDEX: IndexShape = { recordPagesPerChapter: 1, baseChapters: 2, sparse: false, reduced: false }

/** An engine for a volume of some megabytes, whose index is what its geometry says. */
const SMALL_SHAPE: Partial<VolumeShape> = {
  dataVios: 16,
  discardVios: 12,
  flushVios: 2,
  maxDiscardBlocks: 8,
  journalTailBlocks: 4,
  cachePages: 8,
  blockMapAge: 5,
  blockMapVios: 4,
  allocatorVios: 10,
  repairVios: 4,
  pbnLocks: 32,
  dedupeContexts: 16,
  packerBins: 3,
  packerSlots: 4,
  allocationsPerZone: 8,
  indexVios: 6,
  indexChapterRecords: 60,
}

/** Journals of few entries: more of their blocks are in use. */
const SHORT_JOURNALS: Partial<VolumeShape> = {
  ...SMALL_SHAPE,
  index: TINY_INDEX,
  journalEntriesPerBlock: 31,
  slabJournalEntriesPerBlock: 14,
  slabJournalMixedEntriesPerBlock: 12,
}

const NO_LBNS: readonly number[] = []

/** Where the volumes are used: at the start of a few leaves, two of them in one tree. */
function busyBlocks(): number[] {
  const lbns: number[] = []
  for (const leaf of [0, 1, 3, TREES]) for (let i = 0; i < 24; i++) lbns.push(leaf * LEAF_BLOCKS + i)
  return lbns
}

/** Noise, noise that was written before, something that compresses, or zeros. */
function content(prng: Prng): Uint8Array {
  const bytes = new Uint8Array(BLOCK)
  const kind = prng.below(8)
  if (kind === 0) return bytes
  const noise = kind < 6 ? BLOCK : 700
  new Prng(prng.below(kind < 3 ? 10 : 10_000)).fill(bytes.subarray(0, noise))
  return bytes
}

export function makeBaseImages(lend: LendMemory): BaseImage[] {
  const withIndex = imagesOf(' with an index of its geometry', SMALL_SHAPE, lend)
  return [
    ...imagesOf('', { ...SMALL_SHAPE, index: TINY_INDEX }, lend),
    ...imagesOf(' with short journals', SHORT_JOURNALS, lend),
    // An index of some megabytes takes most of the time.
    ...withIndex.filter(({ name }) => name.startsWith('a clean') || name.startsWith('a dirty')),
  ]
}

function imagesOf(suffix: string, shape: Partial<VolumeShape>, lend: LendMemory): BaseImage[] {
  const prng = new Prng(27)
  const parameters = parametersOf(shape.index ?? indexShapeOf(SMALL_INDEX_MEMORY, false))
  const { image: fresh, superBlock } = format(parameters)
  const base = (name: string, image: Image, lbns: readonly number[]): BaseImage => ({
    ...image,
    name: `${name}${suffix}`,
    shape,
    lbns,
    superBlock,
    parameters,
  })
  const lbns = busyBlocks()
  const used = (from: Image, rounds: number, closes: boolean): Image => {
    const store = new ImageStore(from)
    const volume = new SimulatedVolume(store, shape, lend, prng.below(2 ** 30))
    require(volume.load(), 'the load')
    for (let i = 0; i < rounds; i++) work(volume, lbns, prng)
    if (closes) require(volume.save(), 'the save')
    return store.snapshot()
  }
  const clean = used(fresh, 3, true)
  const dirty = used(clean, 2, false)
  const marked = (from: Image, state: VolumeState): Image => {
    const store = new ImageStore(from)
    const before = decodeSuperBlock(store.blockAt(superBlock), crc32)
    store.write(superBlock, encodeSuperBlock({ ...before, state }, crc32))
    return store.snapshot()
  }
  const recovering = savedEarly(dirty, shape, lend)
  return [
    base('a fresh volume', fresh, NO_LBNS),
    base('a clean volume', clean, lbns),
    base('a dirty volume', dirty, lbns),
    base('a volume saved while it recovers', recovering, lbns),
    base('a read-only volume', marked(clean, VolumeState.ReadOnly), lbns),
    base('a volume to be rebuilt', marked(dirty, VolumeState.ForceRebuild), lbns),
    base('a volume to be rebuilt from an old journal', legacy(marked(dirty, VolumeState.ForceRebuild)), lbns),
  ]
}

/** Recovered, and closed before more than one slab is scrubbed: the others wait for their counts until then. */
function savedEarly(dirty: Image, shape: Partial<VolumeShape>, lend: LendMemory): Image {
  const store = new ImageStore(dirty)
  const volume = new SimulatedVolume(store, shape, lend, 5)
  let first: number | null = null
  let isClosing = false
  store.isAsleep = (op, block) => {
    const offset = block - volume.depotOrigin
    const isCounts = op === DeviceOp.Read && offset > 0 && offset % SLAB_BLOCKS === volume.slabDataBlocks
    if (!isCounts || isClosing) return false
    first ??= block
    return block !== first
  }
  require(volume.load(), 'the load')
  isClosing = true
  require(volume.save(), 'the save')
  return store.snapshot()
}

/** All of its journal is of the format before version 8, as far as headers tell. */
function legacy({ blocks, blockCount }: Image): Image {
  const changed = new Map(blocks)
  for (
    let block = blockCount - SUMMARY_BLOCKS - JOURNAL_BLOCKS;
    block < blockCount - SUMMARY_BLOCKS;
    block++
  ) {
    const bytes = Uint8Array.from(blocks.get(block) ?? new Uint8Array(BLOCK))
    bytes[JOURNAL_TYPE_AT] = LEGACY_TYPE
    changed.set(block, bytes)
  }
  return { blocks: changed, blockCount }
}

function parametersOf(index: IndexShape): FormatParameters {
  return {
    slabBits: SLAB_BITS,
    indexMemory: SMALL_INDEX_MEMORY,
    indexBlocks: regionOfShape(index).blockCount,
    indexSparse: false,
    nonce: 0x1122_3344_5566n,
    uuid: new Uint8Array(16).fill(3),
    recoveryJournalBlocks: JOURNAL_BLOCKS,
    slabJournalBlocks: SLAB_JOURNAL_BLOCKS,
  }
}

function format(parameters: FormatParameters): { readonly image: Image; readonly superBlock: number } {
  const physicalBlocks =
    1 + parameters.indexBlocks! + 1 + 60 + SLABS * SLAB_BLOCKS + JOURNAL_BLOCKS + SUMMARY_BLOCKS
  const logicalBlocks = LEAVES * LEAF_BLOCKS - 100
  const { geometry, writes } = planFormat({ ...parameters, physicalBlocks, logicalBlocks }, crc32)
  const blocks = new Map<number, Uint8Array>()
  for (const { pbn, bytes } of writes) if (bytes !== undefined) blocks.set(pbn, bytes)
  return { image: { blocks, blockCount: physicalBlocks }, superBlock: geometry.dataRegionStart }
}

/** Writes everywhere, some of it several times, and takes some back. */
function work(volume: SimulatedVolume, lbns: readonly number[], prng: Prng): void {
  for (let i = 0; i < lbns.length; i++) {
    const lbn = prng.pick(lbns)
    const bytes = content(prng)
    volume.begin((frontEnd, done) => frontEnd.write(lbn * BLOCK, bytes, prng.chance(0.1), done))
    if (prng.chance(0.1)) volume.begin((frontEnd, done) => frontEnd.zero(lbn * BLOCK, 2 * BLOCK, false, done))
    if (prng.chance(0.3)) volume.answered()
  }
  volume.answered()
  require(volume.flush(), 'the flush')
}

function require(status: Status, what: string): void {
  if (status !== Status.Success) throw new Error(`${what} of a sound volume ends with ${Status[status]}`)
}
