/** Index regions that other implementations wrote, from the shared material: as blocks that can be read and written. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { geometryOfMemory, type IndexGeometry } from '../../src/uds/geometry.js'
import { runSteps, type Steps, type StorageCommand, StorageOp } from '../../src/uds/storage-steps.js'
import type { Area, VolumeNonce } from '../../src/uds/volume-index-save.js'
import { requireShared } from '../tools.js'

const BLOCK = 4096

/** A device of blocks; what was never written is zero. */
export class MapStorage {
  readonly blocks = new Map<number, Uint8Array>()

  read(block: number, count: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < count; i++) {
      const found = this.blocks.get(block + i)
      const to = at + i * BLOCK
      if (found === undefined) bytes.fill(0, to, to + BLOCK)
      else bytes.set(found, to)
    }
  }

  write(block: number, count: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < count; i++) {
      this.blocks.set(block + i, bytes.slice(at + i * BLOCK, at + (i + 1) * BLOCK))
    }
  }

  /** What was written is durable. Nothing here is ever lost, so only those who want to know are told. */
  flush(): void {}

  area({ block, blocks }: Area): Uint8Array {
    const bytes = new Uint8Array(blocks * BLOCK)
    this.read(block, blocks, bytes, 0)
    return bytes
  }

  /** Does work to its end. */
  run<T>(steps: Steps<T>): T {
    return runSteps(steps, (command) => this.perform(command))
  }

  perform({ op, block, count, bytes, at }: StorageCommand): void {
    if (op === StorageOp.Read) this.read(block, count, bytes, at)
    else if (op === StorageOp.Write) this.write(block, count, bytes, at)
    else if (op === StorageOp.Flush) this.flush()
  }
}

export function copyOf(storage: MapStorage): MapStorage {
  const copy = new MapStorage()
  for (const [block, bytes] of storage.blocks) copy.blocks.set(block, bytes)
  return copy
}

export interface SampleSave {
  readonly time: number
  readonly newest: number
  readonly oldest: number
  readonly zones: number
}

/** Requests for the names from one number up to another, or something else that is done. */
export interface SampleOperation {
  readonly op: 'post' | 'update' | 'delete' | 'query' | 'query_no_update' | 'save' | 'snapshot' | 'flush'
  readonly from?: number
  readonly to?: number
  readonly step?: number
  readonly gen?: number
  readonly image?: string
}

export interface SampleFacts {
  readonly name: string
  readonly memory_size: number
  readonly sparse: boolean
  readonly blocks: number
  readonly config: { readonly nonce: string }
  readonly extents: readonly (readonly [number, number])[]
  readonly volume_nonce: string
  readonly saves: readonly (SampleSave | null)[]
  readonly operations?: readonly SampleOperation[]
  /** Of those of the kernel: some records of chapters, and the first ones of the open chapter that was saved. */
  readonly record_samples?: readonly RecordSample[]
  readonly open_chapter_records?: number | null
  readonly open_chapter_first?: readonly (readonly [name: string, data: string])[]
  readonly expect?: { readonly count: number; readonly found: number }
}

export interface RecordSample {
  readonly chapter: number
  readonly page: number
  readonly slot: number
  readonly name: string
  readonly data: string
}

export interface Sample {
  readonly facts: SampleFacts
  readonly geometry: IndexGeometry
  readonly storage: MapStorage
  readonly nonce: VolumeNonce
}

export const SAMPLE_NAMES = [
  'dense1-clean',
  'dense3-clean',
  'dense1-unclean',
  'dense1-rebuilt',
  'sparse1-clean',
  'sparse1-rebuilt',
  'bias-clean',
  'kernel-clean1',
  'kernel-crash',
  'kernel-sparse',
] as const
export type SampleName = (typeof SAMPLE_NAMES)[number]

export function openSample(context: Mocha.Context, name: SampleName): Sample {
  const folder = join(requireShared(context), 'fixtures/uds')
  const { samples } = JSON.parse(readFileSync(join(folder, 'samples.json'), 'utf8')) as {
    samples: SampleFacts[]
  }
  const facts = samples.find((sample) => sample.name === name)!
  const bytes = unpack(join(folder, `${name}.blocks.xz`))
  const storage = new MapStorage()
  let at = 0
  for (const [block, count] of facts.extents) {
    storage.write(block, count, bytes, at)
    at += count * BLOCK
  }
  const nonce = BigInt(facts.volume_nonce)
  return {
    facts,
    geometry: geometryOfMemory(facts.memory_size, facts.sparse),
    storage,
    nonce: { low: Number(nonce & 0xffff_ffffn), high: Number(nonce >> 32n) },
  }
}

/** The expected answers: 11 bytes for each name. */
export function readExpected(context: Mocha.Context, name: SampleName): Uint8Array {
  return unpack(join(requireShared(context), 'fixtures/uds', `${name}.expect.xz`))
}

function unpack(path: string): Uint8Array {
  const { status, stdout } = spawnSync('xz', ['-dc', path], { maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`Cannot unpack ${path}: xz gave ${status}`)
  return stdout
}

/** The areas of a save slot, as the reference lays them out: header, page map, volume index zones, open chapter. */
export function areasOfSave(
  geometry: IndexGeometry,
  slot: number,
  zones: number,
): { header: Area; pageMap: Area; volumeIndex: Area[]; openChapter: Area } {
  const { region } = geometry
  const save = 1 + region.volumeIndexBlocks + region.pageMapBlocks + region.openChapterBlocks
  const header = 3 + region.chapterBlocks + slot * save
  const pageMap = header + 1
  const first = pageMap + region.pageMapBlocks
  const each = Math.floor(region.volumeIndexBlocks / zones)
  return {
    header: { block: header, blocks: 1 },
    pageMap: { block: pageMap, blocks: region.pageMapBlocks },
    volumeIndex: Array.from({ length: zones }, (_, i) => ({ block: first + i * each, blocks: each })),
    openChapter: { block: first + zones * each, blocks: region.openChapterBlocks },
  }
}
