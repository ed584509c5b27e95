import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { fromHex, toHex } from '../../src/base/bytes.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { indexMemoryCode } from '../../src/format/index-memory.js'
import { type FormatPlan, planFormat } from '../../src/format/volume-format.js'
import { crc32 } from './golden.js'

const FOLDER = new URL('../../../test/fixtures/vdoformat-8.3/', import.meta.url)

interface Golden {
  readonly sizeBytes: number
  readonly arguments: string
  readonly slabBits: number
  readonly indexMemory?: number
  readonly indexSparse?: boolean
  readonly logicalBytes?: number
  readonly nonce: string
  readonly uuid: string
  readonly superBlockPbn: number
  readonly geometry: string
  readonly superBlock: string
  readonly zeroed: readonly (readonly [number, number])[]
  readonly kept: readonly (readonly [number, number])[]
}

function planOf(golden: Golden): FormatPlan {
  return planFormat(
    {
      physicalBlocks: golden.sizeBytes / BLOCK_SIZE,
      logicalBlocks: golden.logicalBytes === undefined ? undefined : golden.logicalBytes / BLOCK_SIZE,
      slabBits: golden.slabBits,
      indexMemory: indexMemoryCode(golden.indexMemory ?? 0.25),
      indexSparse: golden.indexSparse ?? false,
      nonce: BigInt(golden.nonce),
      uuid: fromHex(golden.uuid) ?? new Uint8Array(),
    },
    crc32,
  )
}

/** What is at `pbn` after the plan: bytes, zeros, or what was there before. */
function afterPlan({ writes }: FormatPlan, pbn: number): Uint8Array | 'zeros' | 'kept' {
  let found: Uint8Array | 'zeros' | 'kept' = 'kept'
  for (const write of writes) {
    if (pbn >= write.pbn && pbn < write.pbn + write.blockCount) found = write.bytes ?? 'zeros'
  }
  return found
}

describe('a format plan, beside the real vdoformat', () => {
  for (const name of readdirSync(FOLDER)) {
    const golden = JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Golden

    it(`writes the same bytes to the same places: ${golden.sizeBytes} bytes, ${golden.arguments}`, () => {
      const plan = planOf(golden)
      const geometry = afterPlan(plan, 0) as Uint8Array
      const superBlock = afterPlan(plan, golden.superBlockPbn) as Uint8Array
      expect(toHex(geometry)).to.equal(golden.geometry.padEnd(2 * BLOCK_SIZE, '0'))
      expect(toHex(superBlock)).to.equal(golden.superBlock.padEnd(2 * BLOCK_SIZE, '0'))
      const zeroed = plan.writes.filter(({ pbn, bytes }) => bytes === undefined && pbn !== 0)
      expect(zeroed.map(({ pbn, blockCount }) => [pbn, blockCount])).to.deep.equal(golden.zeroed)
      for (const [first, count] of golden.kept) {
        for (let pbn = first; pbn < first + count; pbn++) expect(afterPlan(plan, pbn)).to.equal('kept')
      }
    })
  }
})
