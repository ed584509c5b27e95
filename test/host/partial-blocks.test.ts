/** Every sector-aligned range of three blocks, discarded or written, over data, zeros and nothing. */

import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { auditClosed, BLOCK } from './chaos.js'
import { formatInMemory } from './memory-volume.js'

const SECTOR = 512
/** A field is three blocks and what a range in it leaves of them. */
const FIELD = 3 * BLOCK
const SECTORS = FIELD / SECTOR
/** Bytes that no sector begins or ends with. */
const ODD = [1, SECTOR - 1, BLOCK - 1, BLOCK + 1, 2 * BLOCK - 1, FIELD - 1]

enum Before {
  Nothing = 0,
  Zeros,
  Data,
}

interface Field {
  readonly at: number
  readonly before: Before
  readonly start: number
  readonly end: number
  /** Null: discarded. */
  readonly bytes: Uint8Array | null
}

function fields(): Field[] {
  const prng = new Prng(1)
  const ranges: [number, number][] = []
  for (let from = 0; from < SECTORS; from++)
    for (let to = from + 1; to <= SECTORS; to++) ranges.push([from * SECTOR, to * SECTOR])
  for (const start of ODD) for (const end of ODD) if (start < end) ranges.push([start, end])
  const all: Field[] = []
  for (const [start, end] of ranges) {
    for (const before of [Before.Nothing, Before.Zeros, Before.Data]) {
      const bytes = prng.chance(0.5) ? null : new Uint8Array(end - start)
      if (bytes !== null) prng.fill(bytes)
      all.push({ at: all.length * FIELD, before, start, end, bytes })
    }
  }
  return all
}

function filling(field: Field): Uint8Array {
  const bytes = new Uint8Array(FIELD)
  if (field.before === Before.Data) new Prng(field.at + 1).fill(bytes)
  return bytes
}

function wanted(field: Field): Uint8Array {
  const bytes = filling(field)
  if (field.bytes === null) bytes.fill(0, field.start, field.end)
  else bytes.set(field.bytes, field.start)
  return bytes
}

async function expectAll(volume: VdoVolume, all: readonly Field[]): Promise<void> {
  const read = await volume.read(0, all.length * FIELD)
  for (const field of all) {
    const found = Buffer.from(read.buffer, field.at, FIELD)
    if (found.equals(wanted(field))) continue
    const { before, start, end, bytes } = field
    const what = bytes === null ? 'a discard' : 'a write'
    expect.fail(`${what} of bytes ${start} to ${end - 1} over ${Before[before]} leaves other bytes`)
  }
}

describe('parts of blocks', function () {
  this.timeout(60_000)

  it('are written and discarded, and nothing beside them, whatever was there', async () => {
    const { segments } = formatInMemory()
    const all = fields()
    let volume = await openVolume({ device: segments, threads: 'default' })
    try {
      const filled = all.filter(({ before }) => before !== Before.Nothing)
      await Promise.all(filled.map((field) => volume.write(field.at, filling(field))))
      await Promise.all(
        all.map(({ at, start, end, bytes }) =>
          bytes === null ? volume.discard(at + start, end - start) : volume.write(at + start, bytes),
        ),
      )
      await expectAll(volume, all)
      await volume.close()
      auditClosed(segments, volume.statistics())
      volume = await openVolume({ device: segments, threads: 'tiny' })
      await expectAll(volume, all)
    } finally {
      await volume.close()
    }
  })
})
