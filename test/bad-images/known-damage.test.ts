/** Damage that has once made an engine write where it must not, stop, hang, or leave what nobody could open. */
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { JournalOperation } from '../../src/format/constants.js'
import { decodeSuperBlock, encodeSuperBlock, type SuperBlock } from '../../src/format/super-block.js'
import type { LendMemory } from '../../src/sim/simulator.js'
import { ARENA_BYTES, type BaseImage, makeBaseImages } from './base-images.js'
import type { Image } from './image-store.js'
import { judgeImage } from './judge-image.js'
import type { Outcomes } from './outcome.js'
import { lendOneMemory } from './simulated-volume.js'
import { blockOf, mapImage } from './structures.js'

/** In a recovery journal block. */
const BLOCK_MAP_HEAD_AT = 0
const SLAB_JOURNAL_HEAD_AT = 8
const SEQUENCE_AT = 16
const LOGICAL_USED_AT = 35
const FIRST_ENTRY_AT = 512 + 3

describe('damage that is known', function () {
  this.timeout(60_000)
  let lend: LendMemory
  let images: readonly BaseImage[]

  before(async () => {
    lend = await lendOneMemory(ARENA_BYTES)
    images = makeBaseImages(lend)
  })

  function base(name: string): BaseImage {
    return images.find((image) => image.name === name)!
  }

  function judge(image: BaseImage, changed: Iterable<[number, Uint8Array]>): Outcomes {
    const damaged: Image = { blocks: new Map([...image.blocks, ...changed]), blockCount: image.blockCount }
    return judgeImage(damaged, image, 1, lend)
  }

  /** The outcome of serving a volume whose super block says something else. */
  function servedWith(name: string, changed: Partial<SuperBlock>): string {
    const image = base(name)
    const superBlock = decodeSuperBlock(blockOf(image, image.superBlock), crc32)
    return judge(image, [[image.superBlock, encodeSuperBlock({ ...superBlock, ...changed }, crc32)]]).serve
  }

  /** The outcomes for a volume whose newest journal block was edited; or all of its journal blocks. */
  function judgedWith(name: string, edit: (block: DataView) => void, all = false): Outcomes {
    const image = base(name)
    const journal = mapImage(image).structures.find((structure) => structure.name === 'recovery journal')!
    const sequenceOf = (block: number) =>
      new DataView(blockOf(image, block).buffer).getBigUint64(SEQUENCE_AT, true)
    const newest = journal.blocks.reduce((a, b) => (sequenceOf(b) > sequenceOf(a) ? b : a))
    return judge(
      image,
      (all ? journal.blocks : [newest]).map((block) => {
        const bytes = blockOf(image, block)
        edit(new DataView(bytes.buffer))
        return [block, bytes]
      }),
    )
  }

  it('leaves sound volumes as they are', () => {
    for (const image of images) {
      const outcomes = judge(image, [])
      const isReadOnly = image.name.startsWith('a read-only')
      expect(outcomes.serve, image.name).to.equal(isReadOnly ? 'is read-only' : 'serves')
      expect(outcomes, image.name).to.include({ 'read-only': 'is read-only', 'force-rebuild': 'serves' })
    }
  })

  it('does not keep a volume from being opened again: counts of use', () => {
    expect(servedWith('a clean volume', { logicalBlocksUsed: 0 })).to.equal('serves')
    expect(servedWith('a clean volume', { logicalBlocksUsed: 2 ** 53 - 1 })).to.equal('serves')
    expect(servedWith('a clean volume', { blockMapDataBlocks: 2 ** 53 - 1 })).to.equal('serves')
    const used = judgedWith('a dirty volume', (block) =>
      block.setBigUint64(LOGICAL_USED_AT, 2n ** 64n - 1n, true),
    )
    expect(used.serve).to.equal('serves')
  })

  it('does not keep a volume from being opened again: counts of recoveries', () => {
    const most = 2 ** 48 - 1
    expect(servedWith('a clean volume', { completeRecoveries: most })).to.equal('serves')
    expect(servedWith('a dirty volume', { completeRecoveries: most })).to.equal('serves')
    expect(
      servedWith('a volume to be rebuilt', { completeRecoveries: most, readOnlyRecoveries: most }),
    ).to.equal('serves')
  })

  it('makes a volume read-only whose sequence numbers are at their end', () => {
    // One block of the journal is left, which a recovery passes over.
    expect(servedWith('a clean volume', { journalStart: 2 ** 48 - 1 })).to.equal('serves')
    expect(servedWith('a dirty volume', { journalStart: 2 ** 48 - 1 })).to.equal('is read-only')
    expect(servedWith('a clean volume', { journalStart: 2 ** 48 })).to.equal('is read-only')
    expect(servedWith('a dirty volume', { journalStart: 2 ** 48 })).to.equal('is read-only')
    expect(servedWith('a clean volume', { journalStart: 0 })).to.equal('refused: VDO_BAD_CONFIGURATION')
  })

  it('never has a journal entry write over what is no page of the map', () => {
    const image = base('a dirty volume')
    // The geometry block, the super block, the journal itself, and a reference block.
    for (const page of [0, image.superBlock, image.blockCount - 70, image.superBlock + 61 + 128]) {
      const outcomes = judgedWith('a dirty volume', (block) => {
        const word = block.getUint16(FIRST_ENTRY_AT, true)
        block.setUint16(FIRST_ENTRY_AT, word & 0x0fff & ~3, true)
        block.setUint8(FIRST_ENTRY_AT, (word & 0xfc) | JournalOperation.DataRemapping)
        block.setUint32(FIRST_ENTRY_AT + 2, page, true)
      })
      // A rebuild passes over it.
      expect(outcomes).to.include({ serve: 'is read-only', 'force-rebuild': 'serves' })
    }
  })

  it('does not end a recovery or a rebuild: heads and numbers beyond all bounds', () => {
    for (const value of [2n ** 48n - 1n, 2n ** 48n, 2n ** 53n, 2n ** 60n, 2n ** 64n - 1n]) {
      const heads = judgedWith('a dirty volume', (block) => {
        block.setBigUint64(BLOCK_MAP_HEAD_AT, value, true)
        block.setBigUint64(SLAB_JOURNAL_HEAD_AT, value, true)
      })
      expect(heads).to.include({ serve: 'is read-only', 'force-rebuild': 'serves' })
      const everything = judgedWith(
        'a dirty volume',
        (block) => {
          // Where a block lies in the ring of 32 still goes with its number.
          const position = block.getBigUint64(SEQUENCE_AT, true) % 32n
          for (const at of [BLOCK_MAP_HEAD_AT, SLAB_JOURNAL_HEAD_AT, SEQUENCE_AT])
            block.setBigUint64(at, (value & ~31n) | position, true)
        },
        true,
      )
      expect(everything['force-rebuild']).to.equal('serves')
    }
  })
})
