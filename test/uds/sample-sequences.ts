/** The requests that made the samples of the small geometry, run by an index of ours. */
import { writeU64 } from '../../src/base/bytes.js'
import { createLayout, openLayout } from '../../src/uds/index-layout.js'
import { IndexRequest } from '../../src/uds/index-requests.js'
import { placeOfSample } from './index-content.js'
import { LocalIndex, type LocalOptions } from './local-index.js'
import { sampleName } from './sample-names.js'
import { MapStorage, type Sample, type SampleOperation } from './uds-samples.js'

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
export function newIndexLike(sample: Sample, options: LocalOptions): LocalIndex {
  const original = sample.storage.run(openLayout(placeOfSample(sample)))
  const info = Buffer.from(original.superBlock.nonceInfo)
  const birth = { nanoseconds: info.readBigUInt64LE(0), chance: info.readUInt32LE(8) }
  const storage = new MapStorage()
  return new LocalIndex(storage, storage.run(createLayout(placeOfSample(sample), birth)), options)
}

/** Runs the operations of a sample up to the moment when its image was taken, each request to its end. */
export function runOperations(index: LocalIndex, sample: Sample): void {
  const { operations, saves, name } = sample.facts
  for (const operation of operations!) {
    const { op, image } = operation
    if (op === 'snapshot') {
      if (image === name) return
    } else if (op === 'save') index.save(saves[0]!.time)
    else if (op !== 'flush') {
      const kind = KINDS[op]!
      const { from = 0, to = 0, step = 1, gen = 0 } = operation
      for (let i = from; i < to; i += step) {
        index.ask(kind, sampleName(i), sampleData(i, gen))
        index.settle()
      }
    }
  }
}
