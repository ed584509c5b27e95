/** Where a recovery journal begins and ends, after crashes of all kinds. */

import { expect } from 'chai'
import { BLOCK_SIZE, SECTOR_SIZE } from '../../src/format/constants.js'
import { replayableMappings, salvageableMappings } from '../../src/repair/journal-mappings.js'
import {
  entriesOf,
  findExtent,
  JournalDefect,
  type JournalRing,
  reachOf,
} from '../../src/repair/journal-ring.js'
import { unpackFixture } from '../fixtures.js'
import { withTempDir } from '../tools.js'
import { CAPACITY, MadeJournal, PAGES_FROM } from './made-journal.js'
import { PlantedVolume } from './planted-volume.js'

/** Sequence and count of each block of the extent, or the defect's name. */
function extentOf(journal: MadeJournal): string {
  const ring = journal.ring()
  const verdict = findExtent(ring)
  if ('defect' in verdict) return JournalDefect[verdict.defect]
  const { extent } = verdict
  const blocks: string[] = []
  for (let sequence = extent.first; sequence <= extent.tail; sequence++) {
    blocks.push(`${sequence}:${entriesOf(ring, extent, sequence)}`)
  }
  return `${blocks.join(' ')} next ${extent.highest + 1}`.trim()
}

const made = () => new MadeJournal()
/** The offset of entry `index` of a sector of a block. */
const entryOffset = (sector: number, index: number) => sector * SECTOR_SIZE + 3 + index * 16

interface Case {
  readonly name: string
  readonly journal: MadeJournal
  readonly finds: string
}

const CASES: readonly Case[] = [
  { name: 'an empty journal', journal: made(), finds: 'next 2' },
  {
    name: 'blocks from before the super block only',
    journal: made().full(1, 4).from(9),
    finds: 'next 10',
  },
  { name: 'one block that is not full', journal: made().block(1, 5), finds: '1:5 next 2' },
  {
    name: 'full blocks and a last one that is not',
    journal: made().full(1, 3).block(4, 40),
    finds: '1:70 2:70 3:70 4:40 next 5',
  },
  {
    name: 'blocks that were reaped',
    journal: made().full(1, 4).full(5, 6, { map: 4, slabs: 5 }),
    finds: '4:70 5:70 6:70 next 7',
  },
  {
    name: 'a trip around the ring',
    journal: made().full(1, 8).full(9, 11, { map: 7, slabs: 9 }),
    finds: '7:70 8:70 9:70 10:70 11:70 next 12',
  },
  {
    name: 'many trips around the ring',
    journal: made().from(8190).full(8190, 8196, { map: 8190, slabs: 8192 }),
    finds: '8190:70 8191:70 8192:70 8193:70 8194:70 8195:70 8196:70 next 8197',
  },
  {
    name: 'a hole at the head',
    journal: made().full(1, 4).erase(1),
    finds: 'next 5',
  },
  {
    name: 'a hole in the middle',
    journal: made().full(1, 5).erase(3),
    finds: '1:70 2:70 next 6',
  },
  {
    name: 'a hole before the tail, which is lost but never numbered again',
    journal: made().full(1, 4).erase(4).block(5, 3),
    finds: '1:70 2:70 3:70 next 6',
  },
  {
    name: 'two holes',
    journal: made().full(1, 6).erase(3).erase(5),
    finds: '1:70 2:70 next 7',
  },
  {
    name: 'a block of the last trip where the tail should follow',
    journal: made().full(1, 7).from(1).full(9, 10, { map: 5, slabs: 5 }).block(3, 70),
    finds: '5:70 6:70 7:70 next 11',
  },
  {
    name: 'a block that is not full before others',
    journal: made().block(1, 30).full(2, 3),
    finds: '1:30 next 4',
  },
  {
    name: 'a first sector that was not written',
    journal: made().full(1, 2).block(3, 70).tear(3, 1),
    finds: '1:70 2:70 next 4',
  },
  {
    name: 'a second sector that was not written',
    journal: made().full(1, 2).block(3, 70).tear(3, 2),
    finds: '1:70 2:70 3:31 next 4',
  },
  {
    name: 'a torn sector before others that were written',
    journal: made().full(1, 3).tear(2, 2),
    finds: '1:70 2:31 next 4',
  },
  {
    name: 'a sector of an earlier write of its block, with fewer entries',
    journal: made()
      .full(1, 2)
      .byte(2, 2 * SECTOR_SIZE + 2, 4),
    finds: '1:70 2:35 next 3',
  },
  {
    name: 'a header of an earlier write of its block',
    journal: made().full(1, 2).byte(2, 33, 33),
    finds: '1:70 2:33 next 3',
  },
  {
    name: 'a sector with more entries than can be',
    journal: made()
      .full(1, 2)
      .byte(2, 2 * SECTOR_SIZE + 2, 32),
    finds: '1:70 2:31 next 3',
  },
  {
    name: 'a block with more entries than can be',
    journal: made().full(1, 2).byte(2, 33, 218),
    finds: '1:70 next 2',
  },
  {
    name: 'a sector of the last trip',
    journal: made()
      .full(1, 2)
      .byte(2, 3 * SECTOR_SIZE, 0x81),
    finds: '1:70 2:62 next 3',
  },
  {
    name: 'a sector from before the last recovery',
    journal: made()
      .full(1, 2)
      .byte(2, SECTOR_SIZE + 1, 2),
    finds: '1:70 next 3',
  },
  {
    name: 'a block from before the last recovery',
    journal: made().full(1, 3).byte(3, 52, 2),
    finds: '1:70 2:70 next 3',
  },
  {
    name: 'a block of another volume',
    journal: made().full(1, 3).byte(2, 24, 0xff),
    finds: '1:70 next 4',
  },
  {
    name: 'a block where another belongs',
    journal: made().full(1, 3).byte(2, 16, 11),
    finds: '1:70 next 4',
  },
  {
    name: 'a head of a block that is older than the super block’s',
    journal: made().full(1, 2, { map: 7, slabs: 7 }).from(3).full(3, 4, { map: 3, slabs: 3 }),
    finds: '3:70 4:70 next 5',
  },
  {
    name: 'a head behind the tail',
    journal: made().full(1, 2).full(3, 6, { map: 1, slabs: 5 }).erase(3),
    finds: 'HeadBehindTail',
  },
  {
    name: 'a first block that was torn when it was first written',
    journal: made().full(1, 2).from(3).block(3, 10, { map: 3, slabs: 3 }).tear(3, 1),
    finds: 'next 4',
  },
  {
    name: 'an entry whose slot no page has',
    journal: made()
      .full(1, 2)
      .byte(2, entryOffset(1, 4) + 1, 0x0f),
    finds: 'BadEntry',
  },
  {
    name: 'an entry whose page is not on the disk',
    journal: made()
      .full(1, 2)
      .byte(2, entryOffset(1, 4) + 4, 0xff),
    finds: 'BadEntry',
  },
  {
    name: 'an entry whose page is where no page can be',
    journal: made()
      .full(1, 2)
      .byte(2, entryOffset(1, 4) + 2, 0)
      .byte(2, entryOffset(1, 4) + 3, 0),
    finds: 'BadEntry',
  },
  {
    name: 'heads behind everything that was written',
    journal: made().full(1, 2).full(3, 4, { map: 7, slabs: 7 }),
    finds: 'HeadBehindTail',
  },
  {
    name: 'heads that no number can be',
    journal: made().full(1, 2).byte(2, 7, 0xff).byte(2, 15, 0xff),
    finds: 'HeadBehindTail',
  },
  {
    name: 'a sequence number that no block can have',
    journal: made()
      .full(1, 3)
      .byte(2, 16 + 6, 1),
    finds: '1:70 next 4',
  },
  {
    name: 'an entry that maps to what is no data block',
    journal: made()
      .full(1, 2)
      .byte(2, entryOffset(3, 2) + 8, 0x20),
    finds: 'BadEntry',
  },
  {
    name: 'an entry that maps a block to nothing',
    journal: made()
      .full(1, 2)
      .byte(2, entryOffset(1, 0) + 6, 0),
    finds: 'BadEntry',
  },
  {
    name: 'an entry of an unknown kind',
    journal: made().full(1, 2).byte(1, entryOffset(1, 0), 2),
    finds: 'BadEntry',
  },
  {
    name: 'a bad entry that no good sector holds',
    journal: made()
      .full(1, 2)
      .tear(2, 1)
      .byte(2, entryOffset(2, 0) + 4, 0xff),
    finds: '1:70 next 3',
  },
  {
    name: 'the old format throughout',
    journal: made().full(1, 2).legacy(1).legacy(2),
    finds: 'Legacy',
  },
  {
    name: 'two formats',
    journal: made().full(1, 3).legacy(3),
    finds: 'MixedFormats',
  },
]

describe('the extent of a recovery journal', () => {
  for (const { name, journal, finds } of CASES) {
    it(`is found with ${name}`, () => {
      expect(extentOf(journal)).to.equal(finds)
    })
  }

  it('gives the counters after the last entry that it gives', () => {
    const verdict = findExtent(made().full(1, 2).block(3, 70).tear(3, 2).ring())
    if (!('extent' in verdict)) throw new Error('no extent')
    // The block said 30 used and 3 map blocks before its entries, and 31 of them can be read.
    expect(verdict.extent.usage).to.deep.equal({ logicalBlocksUsed: 61, blockMapDataBlocks: 3 })
  })

  it('goes on behind every block of the volume, of whatever life', () => {
    expect(reachOf(made().from(5).ring()).next).to.equal(6)
    expect(reachOf(made().full(1, 3).ring()).next).to.equal(4)
    // Block 3 is of the time after a recovery that the super block does not count.
    const ahead = reachOf(made().full(1, 3).byte(3, 52, 4).ring())
    expect([ahead.highest, ahead.next]).to.deep.equal([2, 4])
    expect(reachOf(made().full(1, 3).byte(3, 24, 0xff).ring()).next, 'of another volume').to.equal(3)
  })

  it('says nothing of counters when no block does', () => {
    const verdict = findExtent(made().ring())
    expect('extent' in verdict && verdict.extent.usage).to.equal(null)
  })
})

describe('the mappings of a recovery journal', () => {
  it('are those from the block map head on, in order', () => {
    const ring = made().full(1, 3, { map: 2, slabs: 1 }).block(4, 5, { map: 2, slabs: 1 }).ring()
    const verdict = findExtent(ring)
    if (!('extent' in verdict)) throw new Error('no extent')
    const mappings = replayableMappings(ring, verdict.extent)
    expect(mappings.length).to.equal(2 * CAPACITY + 5)
    expect([mappings.pages[0], mappings.slots[0], mappings.pbns[0], mappings.states[0]]).to.deep.equal([
      PAGES_FROM + 2,
      0,
      100,
      1,
    ])
    const last = mappings.length - 1
    expect([mappings.pages[last], mappings.slots[last]]).to.deep.equal([PAGES_FROM + 4, 4])
  })

  it('are sorted by page without losing their order', () => {
    const ring = made().full(1, 2).ring()
    // Both blocks change the same page.
    for (let index = 0; index < 31; index++) {
      const at = 2 * BLOCK_SIZE + entryOffset(1, index)
      ring.bytes[at + 2] = (PAGES_FROM + 1) & 0xff
    }
    const verdict = findExtent(ring)
    if (!('extent' in verdict)) throw new Error('no extent')
    const mappings = replayableMappings(ring, verdict.extent)
    const rows = Array.from(mappings.rowsByPage())
    const ofFirstPage = rows.filter((row) => mappings.pages[row] === PAGES_FROM + 1)
    expect(ofFirstPage.length).to.equal(70 + 31)
    expect(ofFirstPage).to.deep.equal([...ofFirstPage].sort((a, b) => a - b))
    const pages = rows.map((row) => mappings.pages[row])
    expect(pages.filter((page, i) => page !== pages[i - 1]).length).to.equal(new Set(pages).size)
  })

  it('are salvaged across holes, torn sectors and bad entries', () => {
    const journal = made()
      .full(1, 5)
      .erase(2)
      .tear(3, 1)
      .byte(4, entryOffset(2, 7) + 4, 0xff)
    const ring = journal.ring()
    const mappings = salvageableMappings(ring, reachOf(ring))
    expect(mappings.length).to.equal(CAPACITY + (CAPACITY - 31) + (CAPACITY - 1) + CAPACITY)
  })

  it('are salvaged from the block map head only, and from one format', () => {
    const ring = made().full(1, 3, { map: 3, slabs: 1 }).full(4, 6, { map: 3, slabs: 1 }).legacy(5).ring()
    expect(salvageableMappings(ring, reachOf(ring)).length).to.equal(3 * CAPACITY)
  })

  it('are none when a damaged head names a block that is still to come', () => {
    const ring = made().full(1, 3, { map: 100, slabs: 1 }).ring()
    expect(salvageableMappings(ring, reachOf(ring)).length).to.equal(0)
  })

  it('are salvaged past a block whose damaged number is one that no journal comes to', () => {
    // The block at position 0: far above 2^53 each number is at that position.
    const ring = made()
      .full(1, 8, { map: 1, slabs: 1 })
      .byte(8, 16 + 7, 0x40)
      .ring()
    const reach = reachOf(ring)
    expect(reach.highest).to.equal(7)
    expect(salvageableMappings(ring, reach).length).to.equal(7 * CAPACITY)
  })

  it('are salvaged from increments of the old format', () => {
    const journal = made().block(1, 0).legacy(1).byte(1, 33, 3)
    // A data decrement, a data increment and a block map increment, 11 bytes each.
    const entries = [
      [0, 0, 0x8a, 0x13, 0, 0, 1, 100, 0, 0, 0],
      [1 | (5 << 2), 0, 0x8a, 0x13, 0, 0, 1, 101, 0, 0, 0],
      [3 | (6 << 2), 0, 0x8a, 0x13, 0, 0, 1, 102, 0, 0, 0],
    ]
    journal
      .byte(1, SECTOR_SIZE, 0x80)
      .byte(1, SECTOR_SIZE + 1, 3)
      .byte(1, SECTOR_SIZE + 2, 3)
    entries.flat().forEach((value, i) => {
      journal.byte(1, SECTOR_SIZE + 3 + i, value)
    })
    const ring = journal.ring()
    const mappings = salvageableMappings(ring, reachOf(ring))
    expect(mappings.length).to.equal(2)
    expect(Array.from(mappings.slots.subarray(0, 2))).to.deep.equal([5, 6])
    expect(Array.from(mappings.pbns.subarray(0, 2))).to.deep.equal([101, 102])
    expect(mappings.pages[0]).to.equal(0x138a)
  })
})

describe('the journal of a volume that the kernel was writing when the machine was reset', function () {
  this.timeout(60_000)

  it('is found as an independent decoder finds it', async function () {
    await withTempDir(async (folder) => {
      const image = new PlantedVolume(await unpackFixture(this, 'crash', folder))
      const { volume } = image
      const bytes = new Uint8Array(volume.journalBlocks * BLOCK_SIZE)
      image.read(volume.journalOrigin, volume.journalBlocks, bytes)
      image.close()
      const ring: JournalRing = {
        bytes,
        blocks: volume.journalBlocks,
        start: volume.journalStart,
        nonceLow: volume.nonceLow,
        nonceHigh: volume.nonceHigh,
        recoveryCount: volume.recoveryCount,
        entriesPerBlock: 217,
        physicalBlocks: volume.physicalBlocks,
        isDataBlock: (pbn) => pbn >= volume.depotOrigin && pbn < volume.journalOrigin,
        isMapPage: (pbn) => pbn >= volume.rootOrigin && pbn < volume.journalOrigin,
      }
      const verdict = findExtent(ring)
      if (!('extent' in verdict)) throw new Error(verdict.sentence)
      const { extent } = verdict
      expect(extent).to.include({ highest: 12, blockMapHead: 1, slabJournalHead: 7, first: 1, tail: 12 })
      expect(extent.usage).to.deep.equal({ logicalBlocksUsed: 2064, blockMapDataBlocks: 28 })
      expect(replayableMappings(ring, extent).length).to.equal(2526)
    })
  })
})
