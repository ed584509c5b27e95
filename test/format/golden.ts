/** Blocks that the real programs wrote, and what an independent decoder says that they hold. */

import { readFileSync } from 'node:fs'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { BLOCK_SIZE } from '../../src/format/constants.js'

const FOLDER = new URL('../../../test/fixtures/dm-vdo-6.12/', import.meta.url)

export interface ExpectedPage {
  readonly pbn: number
  readonly nonce: string
  readonly status: string
  /** Slot, PBN and mapping state of each entry that is not unmapped. */
  readonly entries: readonly (readonly [number, number, number])[]
}

export interface ExpectedJournalBlock {
  readonly nonce: string
  readonly ringPosition: number
  readonly blockMapHead: number
  readonly slabJournalHead: number
  readonly sequence: number
  readonly type: number
  readonly count: number
  readonly logicalUsed: number
  readonly dataBlocks: number
  readonly check: number
  readonly recoveryCount: number
  /** Operation, page PBN, slot, mapping PBN and state, unmapping PBN and state. */
  readonly entries: readonly (readonly [number, number, number, number, number, number, number])[]
}

export interface ExpectedSlabJournalBlock {
  readonly nonce: string
  readonly head: number
  readonly sequence: number
  readonly recoverySequence: number
  readonly recoveryIndex: number
  readonly type: number
  readonly hasMapIncrements: number
  readonly count: number
  /** Slab block number, increment, block map increment. */
  readonly entries: readonly (readonly [number, number, number])[]
}

export interface ExpectedReferenceBlock {
  readonly points: readonly (readonly [number, number])[]
  readonly counters: string
  readonly total: number
}

export interface ExpectedGeometry {
  readonly nonce: string
  readonly uuid: string
  readonly bioOffset: number
  readonly regions: readonly (readonly [number, number])[]
  readonly memory: number
  readonly sparse: number
}

export type ExpectedSuperBlock = Readonly<Record<string, unknown>>

const expected = JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8')) as Record<string, unknown>

/** What the independent decoder reads from a golden block. */
export function expectedOf<T>(name: string): T {
  return expected[name] as T
}

export function goldenBlock(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.bin`, FOLDER)))
}

/** An odd place for a block, so that a codec that forgets its offset is found out. */
export const PLACE = 3 * BLOCK_SIZE + 512

/** The block at `PLACE` of a larger piece of shared memory that is filled with noise. */
export function inSharedMemory(block: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(PLACE + 2 * BLOCK_SIZE)).fill(0xa5)
  bytes.set(block, PLACE)
  return bytes
}

/** The block at `PLACE`, and proof that nothing around it was touched. */
export function takeBlock(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) {
    if (at === PLACE) at += BLOCK_SIZE
    if (bytes[at] !== 0xa5) throw new Error(`byte ${at} outside the block changed`)
  }
  return bytes.slice(PLACE, PLACE + BLOCK_SIZE)
}

export function lowOf(nonce: string): number {
  return Number(BigInt(nonce) % 2n ** 32n)
}

export function highOf(nonce: string): number {
  return Number(BigInt(nonce) / 2n ** 32n)
}

export const crc32 = (bytes: Uint8Array, seed?: number): number => zlibCrc32(bytes, seed)
