/** The first blocks of real indexes, and of their saves, with what their makers say that they are. */
import { readFileSync } from 'node:fs'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { type IndexShape, indexShapeOf } from '../../src/format/index-region.js'

const FILE = new URL('../../../test/fixtures/uds/heads.json', import.meta.url)

interface Stored {
  readonly name: string
  /** -1 is the small geometry of tests. */
  readonly memory: number
  readonly sparse: boolean
  readonly blocks: number
  readonly volumeNonce: string
  readonly nonce: string
  /** Hex digits of a block, without the zeros behind. */
  readonly superBlock: string
  readonly config: string
  readonly saves: readonly string[]
  readonly saved: readonly ({ time: number; newest: number; oldest: number; zones: number } | null)[]
}

export interface Head {
  readonly facts: Stored
  readonly shape: IndexShape
  /** Of the VDO volume, and of the volume of chapters. */
  readonly nonce: bigint
  readonly volumeNonce: bigint
  readonly superBlock: Uint8Array
  readonly config: Uint8Array
  readonly saves: readonly Uint8Array[]
}

export const HEADS: readonly Head[] = (JSON.parse(readFileSync(FILE, 'utf8')) as Stored[]).map((facts) => ({
  facts,
  shape: indexShapeOf(facts.memory, facts.sparse),
  nonce: BigInt(facts.nonce),
  volumeNonce: BigInt(facts.volumeNonce),
  superBlock: blockOf(facts.superBlock),
  config: blockOf(facts.config),
  saves: facts.saves.map(blockOf),
}))

export function headOf(name: string): Head {
  return HEADS.find(({ facts }) => facts.name === name)!
}

function blockOf(hex: string): Uint8Array {
  const block = new Uint8Array(BLOCK_SIZE)
  block.set(Buffer.from(hex, 'hex'))
  return block
}
