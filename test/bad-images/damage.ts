/**
 * Damage to an image, as values that fast-check makes and shrinks: what is hit, where in it, how, and whether its
 * checksum is made right afterwards, as by a program that is faulty or hostile.
 */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import {
  decodeSuperBlock,
  encodeSuperBlock,
  PartitionId,
  type SuperBlock,
} from '../../src/format/super-block.js'
import type { BaseImage } from './base-images.js'
import type { Image } from './image-store.js'
import { blockOf, type Fields, type ImageMap } from './structures.js'

const BLOCK = 4096

export type Damage =
  | {
      readonly kind: 'field' | 'byte' | 'bit' | 'zeros' | 'noise' | 'copy' | 'swap'
      /** Which structure, which of its blocks, which place in the block, which value: each taken modulo what there is. */
      readonly structure: number
      readonly block: number
      readonly place: number
      readonly value: number
      /** How many fields, each at another place and with another value. */
      readonly fields: number
      readonly seals: boolean
    }
  | { readonly kind: 'sizes'; readonly change: number; readonly value: number }
  | { readonly kind: 'length'; readonly blocks: number }

export interface Case {
  readonly base: number
  readonly damage: readonly Damage[]
  /** What the simulator draws from. */
  readonly seed: number
}

const ANY = fc.nat({ max: 2 ** 31 - 1 })

const IN_A_BLOCK = fc.record({
  kind: fc.oneof(
    { weight: 14, arbitrary: fc.constant('field' as const) },
    { weight: 2, arbitrary: fc.constantFrom('byte' as const, 'bit' as const) },
    { weight: 2, arbitrary: fc.constantFrom('zeros' as const, 'noise' as const) },
    { weight: 2, arbitrary: fc.constantFrom('copy' as const, 'swap' as const) },
  ),
  structure: ANY,
  block: ANY,
  place: ANY,
  value: ANY,
  fields: fc.constantFrom(1, 1, 1, 2, 3),
  seals: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
})

const DAMAGE: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 16, arbitrary: IN_A_BLOCK },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sizes' as const), change: ANY, value: ANY }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('length' as const),
      blocks: fc.integer({ min: -4000, max: 4000 }),
    }),
  },
)

export function cases(bases: number): fc.Arbitrary<Case> {
  return fc.record({
    base: fc.nat({ max: bases - 1 }),
    damage: fc.array(DAMAGE, { minLength: 1, maxLength: 3 }),
    seed: ANY,
  })
}

/** The image with all of its damage. */
export function damaged(image: BaseImage, map: ImageMap, damage: readonly Damage[]): Image {
  const blocks = new Map(image.blocks)
  let { blockCount } = image
  for (const one of damage) {
    if (one.kind === 'length') blockCount = Math.max(0, image.blockCount + one.blocks)
    else if (one.kind === 'sizes') changeSizes(blocks, image, map, one.change, one.value)
    else spoil(blocks, image, map, one)
  }
  return { blocks, blockCount }
}

/** For a person: what was done. */
export function describeDamage(image: BaseImage, map: ImageMap, damage: readonly Damage[]): string {
  const said = damage.map((one) => {
    if (one.kind === 'length') return `its length changes by ${one.blocks} blocks`
    if (one.kind === 'sizes') {
      const [name, value] = sizeChange(map, one.change, one.value)
      return `super block: ${name} becomes ${value}`
    }
    const { structure, block } = target(map, one)
    const fields = Array.from({ length: one.fields }, (_, i) => {
      const { at, size } = fieldAt(structure.fields, another(one.place, i))
      return `${size} bytes at ${at} become ${valueOf(map, another(one.value, i), size)} or near`
    })
    const what = one.kind === 'field' ? fields.join(', ') : one.kind
    return `${structure.name} at ${block}: ${what}${one.seals ? ', sealed' : ''}`
  })
  return `${image.name}: ${said.join('; ')}`
}

type InBlock = Extract<Damage, { readonly structure: number }>

function target(map: ImageMap, { structure, block }: InBlock) {
  const hit = map.structures[structure % map.structures.length]!
  return { structure: hit, block: hit.blocks[block % hit.blocks.length]! }
}

function spoil(blocks: Map<number, Uint8Array>, image: BaseImage, map: ImageMap, damage: InBlock): void {
  const { structure, block } = target(map, damage)
  const { kind, place, value } = damage
  let bytes = Uint8Array.from(blocks.get(block) ?? blockOf(image, block))
  switch (kind) {
    case 'field':
      for (let i = 0; i < damage.fields; i++) {
        spoilField(bytes, map, fieldAt(structure.fields, another(place, i)), another(value, i))
      }
      break
    case 'byte':
      bytes[place % BLOCK] = value
      break
    case 'bit':
      bytes[place % BLOCK]! ^= 1 << (value % 8)
      break
    case 'zeros':
      bytes.fill(0, (place % 8) * 512)
      break
    case 'noise':
      for (let i = (place % 8) * 512, noise = value | 1; i < BLOCK; i++) {
        noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0
        bytes[i] = noise >>> 24
      }
      break
    case 'copy':
    case 'swap': {
      const other = map.structures[place % map.structures.length]!
      const from = other.blocks[value % other.blocks.length]!
      const theirs = Uint8Array.from(blocks.get(from) ?? blockOf(image, from))
      if (kind === 'swap') blocks.set(from, bytes)
      bytes = theirs
    }
  }
  if (damage.seals) structure.seal?.(bytes)
  blocks.set(block, bytes)
}

function fieldAt(fields: readonly Fields[], place: number): { readonly at: number; readonly size: number } {
  const { at, size, count, stride } = fields[place % fields.length]!
  return { at: at + (Math.floor(place / fields.length) % count) * stride, size }
}

/** The number itself, and others that follow from it. */
function another(number: number, i: number): number {
  return i === 0 ? number : Math.imul(number + i, 0x9e37_79b1) >>> 1
}

/** One more, one less, or a value that means something. */
function spoilField(
  bytes: Uint8Array,
  map: ImageMap,
  { at, size }: { at: number; size: number },
  value: number,
): void {
  let next = valueOf(map, value, size)
  if (value % 4 === 0) {
    let now = 0n
    for (let i = size - 1; i >= 0; i--) now = (now << 8n) | BigInt(bytes[at + i]!)
    next = now + (value % 8 === 0 ? 1n : -1n)
  }
  for (let i = 0; i < size; i++) bytes[at + i] = Number((next >> BigInt(8 * i)) & 0xffn)
}

function valueOf(map: ImageMap, value: number, size: number): bigint {
  const most = (1n << BigInt(8 * size)) - 1n
  const values = [...EDGES, ...map.landmarks.flatMap((pbn) => [BigInt(pbn), BigInt(pbn) + 1n])]
  const chosen = Math.floor(value / 8)
  // The rest of them are any.
  return chosen % 5 === 0
    ? (BigInt(chosen) * 0x9e37_79b9_7f4a_7c15n) & most
    : values[chosen % values.length]! & most
}

/** Where sizes, counts and sequence numbers end: of words, of the format, and of what a number can hold. */
const EDGES: readonly bigint[] = [
  0n,
  0n,
  1n,
  2n,
  7n,
  60n,
  254n,
  255n,
  256n,
  0x7fffn,
  0xffffn,
  ...[31n, 32n, 36n, 40n, 48n, 53n, 63n, 64n].flatMap((bits) => [1n << bits, (1n << bits) - 1n]),
]

// Sizes that agree with each other, and the checksum with them: what no check of a single field refuses.

type Change = readonly [
  name: string,
  values: readonly number[],
  apply: (from: SuperBlock, value: number) => SuperBlock,
]

const COUNTS = [
  0,
  1,
  2,
  3,
  5,
  7,
  8,
  13,
  16,
  31,
  32,
  59,
  60,
  61,
  64,
  127,
  128,
  223,
  224,
  255,
  256,
  257,
  1000,
  4096,
  2 ** 16,
]
const HUGE = [
  2 ** 20,
  2 ** 23,
  2 ** 24,
  2 ** 31,
  2 ** 32,
  2 ** 36,
  2 ** 36 + 1,
  2 ** 40,
  2 ** 40 + 1,
  2 ** 48,
  2 ** 53 - 1,
]
const SIZES = [...COUNTS, ...HUGE]
const SEQUENCES = [
  0,
  1,
  2,
  31,
  32,
  33,
  1000,
  2 ** 32,
  2 ** 47,
  2 ** 48 - 34,
  2 ** 48 - 2,
  2 ** 48 - 1,
  2 ** 48,
  2 ** 53 - 2,
  2 ** 53 - 1,
]

const CHANGES: readonly Change[] = [
  ['the state', [0, 1, 2, 3, 4, 5, 6, 7, 8, 255], (from, state) => ({ ...from, state })],
  ['the logical size', SIZES, (from, logicalBlocks) => ({ ...from, logicalBlocks })],
  ['complete recoveries', SEQUENCES, (from, completeRecoveries) => ({ ...from, completeRecoveries })],
  ['read-only recoveries', SEQUENCES, (from, readOnlyRecoveries) => ({ ...from, readOnlyRecoveries })],
  ['the start of the journal', SEQUENCES, (from, journalStart) => ({ ...from, journalStart })],
  ['logical blocks used', SIZES, (from, logicalBlocksUsed) => ({ ...from, logicalBlocksUsed })],
  ['pages of the map', SIZES, (from, blockMapDataBlocks) => ({ ...from, blockMapDataBlocks })],
  ['the count of zones', [0, 1, 2, 3, 7, 15, 16, 17, 255], (from, zoneCount) => ({ ...from, zoneCount })],
  ['the count of roots', COUNTS, (from, rootCount) => ({ ...from, rootCount })],
  ['the journal, taken from the depot', [1, 2, 4, 8, 16, 64, 128, 256, 512, 1024], resizeJournal],
  ['the journal alone', HUGE, (from, recoveryJournalSize) => ({ ...from, recoveryJournalSize })],
  ['the slabs', [64, 128, 512, 1024, 2 ** 20, 2 ** 23], resizeSlabs],
  ['data blocks of a slab', SIZES, (from, dataBlocks) => withSlab(from, { dataBlocks })],
  [
    'reference blocks of a slab',
    SIZES,
    (from, referenceCountBlocks) => withSlab(from, { referenceCountBlocks }),
  ],
  [
    'journal blocks of a slab',
    SIZES,
    (from, slabJournalBlocks) => ({ ...withSlab(from, { slabJournalBlocks }), slabJournalBlocks }),
  ],
  ['the flushing threshold', SIZES, (from, flushingThreshold) => withSlab(from, { flushingThreshold })],
  ['the blocking threshold', SIZES, (from, blockingThreshold) => withSlab(from, { blockingThreshold })],
  ['the scrubbing threshold', SIZES, (from, scrubbingThreshold) => withSlab(from, { scrubbingThreshold })],
  [
    'the summary, moved to',
    [0, 1, 61, 100, 500, 2 ** 36],
    (from, start) => movePartition(from, PartitionId.SlabSummary, start),
  ],
  [
    'the journal, moved to',
    [0, 1, 61, 100, 500, 2 ** 36],
    (from, start) => movePartition(from, PartitionId.RecoveryJournal, start),
  ],
  ['the roots, moved to', [0, 1, 61, 100, 500, 2 ** 36], (from, rootOrigin) => ({ ...from, rootOrigin })],
  [
    'the summary, to the journal',
    [1, 2, 63, 65],
    (from, value) => movePartition(from, PartitionId.SlabSummary, from.lastBlock + value),
  ],
  [
    'slabs fewer',
    [1, 2, 3, 4, 5],
    (from, count) => ({ ...from, lastBlock: from.lastBlock - count * from.slabSize }),
  ],
]

function sizeChange(map: ImageMap, change: number, value: number): [string, number, Change[2]] {
  const [name, values, apply] = CHANGES[change % CHANGES.length]!
  const offered = name.includes('moved') ? [...values, ...map.landmarks] : values
  return [name, offered[value % offered.length]!, apply]
}

function changeSizes(
  blocks: Map<number, Uint8Array>,
  { superBlock }: BaseImage,
  map: ImageMap,
  change: number,
  value: number,
): void {
  const [, chosen, apply] = sizeChange(map, change, value)
  try {
    const from = decodeSuperBlock(blocks.get(superBlock)!, crc32)
    blocks.set(superBlock, encodeSuperBlock(apply(from, chosen), crc32))
  } catch {
    // What was damaged before says nothing any more that could be changed.
  }
}

function withSlab(from: SuperBlock, changed: Partial<SuperBlock['slabConfig']>): SuperBlock {
  return { ...from, slabConfig: { ...from.slabConfig, ...changed } }
}

function movePartition(from: SuperBlock, id: PartitionId, start: number): SuperBlock {
  return { ...from, partitions: from.partitions.map((each) => (each.id === id ? { ...each, start } : each)) }
}

/** Journal and depot together keep their blocks. */
function resizeJournal(from: SuperBlock, recoveryJournalSize: number): SuperBlock {
  const more = recoveryJournalSize - from.recoveryJournalSize
  const slabs = Math.floor((from.lastBlock - from.firstBlock - more) / from.slabSize)
  const partitions = from.partitions.map((each) => {
    if (each.id === PartitionId.RecoveryJournal)
      return { ...each, start: each.start - more, blockCount: recoveryJournalSize }
    return each.id === PartitionId.SlabDepot ? { ...each, blockCount: each.blockCount - more } : each
  })
  const lastBlock = from.firstBlock + Math.max(0, slabs) * from.slabSize
  return { ...from, recoveryJournalSize, partitions, lastBlock }
}

function resizeSlabs(from: SuperBlock, slabSize: number): SuperBlock {
  const slabs = Math.floor((from.lastBlock - from.firstBlock) / slabSize)
  const rest = from.slabConfig.referenceCountBlocks + from.slabConfig.slabJournalBlocks
  const dataBlocks = Math.max(1, slabSize - rest)
  return {
    ...withSlab(from, { slabBlocks: slabSize, dataBlocks }),
    slabSize,
    lastBlock: from.firstBlock + slabs * slabSize,
  }
}
