/**
 * The requests that made the samples of the small geometry, run by an index of ours; and digests of what the
 * original made of them, so that its bytes can be compared without having them.
 */
import { readFileSync } from 'node:fs'
import { writeU64 } from '../../src/base/bytes.js'
import { createLayout } from '../../src/uds/index-layout.js'
import { IndexRequest } from '../../src/uds/index-requests.js'
import { decodeIndexSuperBlock } from '../../src/uds/index-super-block.js'
import { headOf } from './index-heads.js'
import { LocalIndex, type LocalOptions } from './local-index.js'
import { sampleName } from './sample-names.js'
import { MapStorage, type SampleName, type SampleOperation } from './uds-samples.js'

const FILE = new URL('../../../test/fixtures/uds/sequences.json', import.meta.url)

export interface Sequence {
  readonly name: SampleName
  readonly zones: number
  readonly operations: readonly SampleOperation[]
  /** Digest of the region that the original left. */
  readonly region: string
  /** How many names, from 0 on, the original was asked for afterwards, and a digest of what it said. */
  readonly answers?: { readonly count: number; readonly digest: string }
}

export const SEQUENCES = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Sequence[]

const KINDS: Partial<Record<SampleOperation['op'], IndexRequest>> = {
  post: IndexRequest.Post,
  update: IndexRequest.Update,
  delete: IndexRequest.Delete,
  query: IndexRequest.Query,
  query_no_update: IndexRequest.QueryNoUpdate,
}

/** What is offered with name `i`. */
export function sampleData(i: number, generation: number): Uint8Array {
  const data = new Uint8Array(16)
  data[0] = 2
  data[1] = 1
  writeU64(data, 2, 0x1000 + i + generation * 2 ** 32)
  return data
}

/** A new index with the nonces of a sample. */
export function newIndexLike(name: SampleName, options: LocalOptions): LocalIndex {
  const { shape, nonce, facts, superBlock } = headOf(name)
  const info = Buffer.from(decodeIndexSuperBlock(superBlock, 1).nonceInfo)
  const birth = { nanoseconds: info.readBigUInt64LE(0), chance: info.readUInt32LE(8) }
  const storage = new MapStorage()
  const place = { shape, start: 1, blocks: facts.blocks, nonce }
  return new LocalIndex(storage, storage.run(createLayout(place, birth)), options)
}

/** Runs the operations of a sample up to the moment when its image was taken, each request to its end. */
export function runOperations(index: LocalIndex, { name, operations }: Sequence): void {
  const time = headOf(name).facts.saved[0]!.time
  for (const { op, image, from = 0, to = 0, step = 1, gen = 0 } of operations) {
    const kind = KINDS[op]
    if (op === 'snapshot' && image === name) return
    if (op === 'save') index.save(time)
    if (kind === undefined) continue
    for (let i = from; i < to; i += step) {
      index.ask(kind, sampleName(i), sampleData(i, gen))
      index.settle()
    }
  }
}

/** An index's location as the expectations have it: nothing, open, dense, sparse. */
const EXPECTED_LOCATIONS = [0, 4, 5, 6]

/** Asks for names from 0 on, changing nothing. 11 bytes each: the location, the data. */
export function answersOf(index: LocalIndex, count: number): Uint8Array {
  const answers = new Uint8Array(11 * count)
  for (let i = 0; i < count; i++) {
    const location = index.ask(IndexRequest.QueryNoUpdate, sampleName(i))
    answers[11 * i] = EXPECTED_LOCATIONS[location]!
    if (location !== 0) answers.set(index.requests.known.subarray(0, 10), 11 * i + 1)
  }
  return answers
}
