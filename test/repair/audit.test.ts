import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { readEntryPbn, readEntryState, writeEntry } from '../../src/format/block-map-page.js'
import { readSummaryEntry, writeSummaryEntry } from '../../src/format/slab-summary.js'
import { VolumeState } from '../../src/format/super-block.js'
import { auditFile } from '../../src/host/audit-file.js'
import type { AuditResult, ProblemCode } from '../../src/repair/audit-report.js'
import { readManifest, statistic, unpackFixture } from '../fixtures.js'
import { PlantedVolume } from './planted-volume.js'

// Places in the volume (test/fixtures/README.md).
const ROOT_PAGE = 679129
const SLAB_0 = 679189
const LEAF_0 = 679192
const COMPRESSED_BLOCK = 681131
const REFERENCES_0 = 687155
const SLAB_JOURNAL_1 = 687158
const SLAB_JOURNAL_TAIL = 687159
const RECOVERY_JOURNAL = 863168
const SUMMARY = 895936

const UNMAPPED = 0
const UNCOMPRESSED = 1

function codes(result: AuditResult): ProblemCode[] {
  return Object.keys(result.problemCounts).sort() as ProblemCode[]
}

/** Byte of the counter of a slab block in the first reference block. */
function counterAt(sbn: number): number {
  return Math.floor(sbn / 504) * 512 + 8 + (sbn % 504)
}

describe('audit of a volume that the kernel closed', function () {
  this.timeout(30_000)
  let folder: string
  let path: string
  let planted: PlantedVolume

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), 'audit-'))
    path = await unpackFixture(this, 'clean', folder)
    planted = new PlantedVolume(path)
  })
  beforeEach(() => planted.reset())
  after(() => {
    planted?.close()
    rmSync(folder, { recursive: true })
  })

  /** An entry of the first leaf that is mapped as a whole to a block that no other entry is mapped to. */
  function loneEntry(): { readonly slot: number; readonly pbn: number } {
    const page = planted.block(LEAF_0)
    const counters = planted.block(REFERENCES_0)
    for (let slot = 0; slot < 812; slot++) {
      const pbn = readEntryPbn(page, 0, slot)
      if (readEntryState(page, 0, slot) !== UNCOMPRESSED || pbn === 0) continue
      if (pbn - SLAB_0 < 4032 && counters[counterAt(pbn - SLAB_0)] === 1) return { slot, pbn }
    }
    throw new Error('no entry of the first leaf is alone')
  }

  it('finds no problem, and the totals that the kernel counted', () => {
    const result = auditFile(path)
    expect(result.problems).to.deep.equal([])
    expect(result.notes).to.deep.equal([])
    expect(result.consistent).to.equal(true)
    const { kernelStats } = readManifest('clean')
    const { totals } = result
    expect(totals.dataBlocks).to.equal(statistic(kernelStats, 'dataBlocksUsed'))
    // The statistics were taken while some fragments still waited in the packer, unmapped.
    const waiting = statistic(kernelStats, 'packer.compressedFragmentsInPacker')
    expect(totals.logicalBlocksUsed).to.equal(statistic(kernelStats, 'logicalBlocksUsed') + waiting)
    expect(totals.slabs).to.equal(statistic(kernelStats, 'allocator.slabCount'))
    expect(totals.usedSlabs).to.equal(statistic(kernelStats, 'allocator.slabsOpened'))
    expect(totals.blocksInUse).to.equal(totals.dataBlocks + totals.treePages)
    expect(totals.dirtySlabs).to.equal(0)
  })

  describe('finds', () => {
    it('a counter that is one too high, and says where and by how much', () => {
      planted.block(REFERENCES_0)[counterAt(4)]!++
      const result = planted.audit()
      expect(result.problems).to.have.length(1)
      expect(result.problems[0]).to.include({ code: 'REFERENCE_COUNT', slab: 0, pbn: SLAB_0 + 4 })
      expect(result.totals.slabsWithErrors).to.equal(1)
      expect(result.slabErrors).to.deep.equal([
        { slab: 0, firstPbn: SLAB_0, lastPbn: SLAB_0 + 7965, differences: [{ difference: 1, counters: 1 }] },
      ])
    })

    it('a counter that is lost', () => {
      const { pbn } = loneEntry()
      planted.block(REFERENCES_0)[counterAt(pbn - SLAB_0)] = 0
      expect(codes(planted.audit())).to.include('REFERENCE_COUNT')
    })

    it('a counter of a tree page that is not 254', () => {
      planted.block(REFERENCES_0)[counterAt(LEAF_0 - SLAB_0)] = 253
      const result = planted.audit()
      expect(codes(result)).to.deep.equal(['REFERENCE_COUNT'])
      expect(result.problems[0]?.pbn).to.equal(LEAF_0)
    })

    it('a counter behind the last data block', () => {
      planted.block(REFERENCES_0 + 1)[counterAt(7966 - 4032)] = 1
      expect(codes(planted.audit())).to.deep.equal(['STRAY_COUNTER'])
    })

    it('a sector of counters that knows more than the slab journal', () => {
      planted.block(REFERENCES_0)[512 + 2] = 0x7f
      expect(codes(planted.audit())).to.deep.equal(['COMMIT_POINT'])
    })

    it('a mapping that was forgotten', () => {
      const { slot, pbn } = loneEntry()
      writeEntry(planted.block(LEAF_0), 0, slot, 0, UNMAPPED)
      const result = planted.audit()
      expect(codes(result)).to.deep.equal(['LOGICAL_BLOCKS_USED', 'REFERENCE_COUNT'])
      expect(result.problems[0]?.pbn).to.equal(pbn)
    })

    it('a mapping to metadata, to the end of the world, and one without a state', () => {
      for (const pbn of [RECOVERY_JOURNAL, 2 ** 36 - 1, REFERENCES_0, 1]) {
        writeEntry(planted.block(LEAF_0), 0, 0, pbn, UNCOMPRESSED)
        expect(codes(planted.audit())).to.include('NOT_A_DATA_BLOCK')
      }
      writeEntry(planted.block(LEAF_0), 0, 0, SLAB_0 + 100, UNMAPPED)
      expect(codes(planted.audit())).to.include('INVALID_ENTRY')
      writeEntry(planted.block(LEAF_0), 0, 0, 0, 5)
      expect(codes(planted.audit())).to.include('INVALID_ENTRY')
    })

    it('a mapping to a page of the tree', () => {
      writeEntry(planted.block(LEAF_0), 0, 0, LEAF_0, UNCOMPRESSED)
      expect(codes(planted.audit())).to.include('TREE_PAGE_MAPPED')
    })

    it('a mapping beyond the logical size', () => {
      const result = planted.audit({ logicalBlocks: 3 })
      expect(codes(result)).to.include('BEYOND_LOGICAL_SIZE')
      writeEntry(planted.block(ROOT_PAGE), 0, 1, SLAB_0, UNCOMPRESSED)
      expect(codes(planted.audit())).to.deep.equal(['BEYOND_LOGICAL_SIZE'])
    })

    it('a page of the tree with two parents', () => {
      const page = planted.block(ROOT_PAGE + 1)
      writeEntry(page, 0, 0, SLAB_0, UNCOMPRESSED)
      expect(codes(planted.audit())).to.include('TREE_PAGE_SHARED')
    })

    it('an entry above the leaves that is compressed, or leads to no data block', () => {
      writeEntry(planted.block(ROOT_PAGE), 0, 0, SLAB_0, 3)
      expect(codes(planted.audit())).to.include('INVALID_ENTRY')
      writeEntry(planted.block(ROOT_PAGE), 0, 0, RECOVERY_JOURNAL, UNCOMPRESSED)
      expect(codes(planted.audit())).to.include('NOT_A_DATA_BLOCK')
    })

    it('a page in the place of another', () => {
      planted.block(LEAF_0)[16]! ^= 1
      expect(codes(planted.audit())).to.include('BAD_PAGE')
    })

    it('a page that was never written, by what it lacks', () => {
      planted.block(LEAF_0)[32] = 0
      const result = planted.audit()
      expect(result.noteCounts.UNWRITTEN_PAGE).to.equal(1)
      expect(codes(result)).to.include('LOGICAL_BLOCKS_USED')
    })

    it('fragments that are not there', () => {
      planted.block(COMPRESSED_BLOCK)[0] = 9
      const result = planted.audit()
      expect(codes(result)).to.deep.equal(['BAD_FRAGMENT'])
      expect(result.problems[0]?.pbn).to.equal(COMPRESSED_BLOCK)
    })

    it('a hint that is off, a summary entry that cannot be', () => {
      const summary = planted.block(SUMMARY)
      const entry = readSummaryEntry(summary, 0, 0)
      writeSummaryEntry(summary, 0, 0, entry ^ 0x1000)
      expect(codes(planted.audit())).to.deep.equal(['SUMMARY_HINT'])
      writeSummaryEntry(summary, 0, 0, entry + 0x100)
      expect(planted.audit().noteCounts).to.deep.equal({ STALE_HINT: 1 })
      writeSummaryEntry(summary, 0, 0, entry)
      writeSummaryEntry(summary, 0, 7, readSummaryEntry(summary, 0, 7) | 0x8000)
      expect(codes(planted.audit())).to.deep.equal(['SUMMARY_ENTRY'])
    })

    it('a slab that the summary calls never used', () => {
      writeSummaryEntry(planted.block(SUMMARY), 0, 0, readSummaryEntry(planted.block(SUMMARY), 0, 7))
      expect(planted.audit().problemCounts).to.deep.equal({ REFERENCE_COUNT: 1062 })
    })

    it('a slab journal that ends elsewhere than the summary says, or in the future', () => {
      const summary = planted.block(SUMMARY)
      writeSummaryEntry(summary, 0, 0, readSummaryEntry(summary, 0, 0) + 5)
      expect(codes(planted.audit())).to.include('SLAB_JOURNAL_BLOCK')
      planted.reset()
      planted.block(SLAB_JOURNAL_TAIL)[20] = 1
      expect(codes(planted.audit())).to.deep.equal(['RECOVERY_POINT'])
    })

    it('counts in the super block that are not those of the map', () => {
      const { logicalBlocksUsed, blockMapDataBlocks } = planted.volume
      const result = planted.audit({
        logicalBlocksUsed: logicalBlocksUsed + 1,
        blockMapDataBlocks: blockMapDataBlocks - 1,
      })
      expect(codes(result)).to.deep.equal(['BLOCK_MAP_DATA_BLOCKS', 'LOGICAL_BLOCKS_USED'])
    })

    it('a recovery journal that would use a sequence number again', () => {
      const { journalStart } = planted.volume
      expect(codes(planted.audit({ journalStart: journalStart - 1 }))).to.include('JOURNAL_START')
    })

    it('blocks that cannot be read, and goes on', () => {
      for (const pbn of [ROOT_PAGE, LEAF_0, COMPRESSED_BLOCK, REFERENCES_0, SLAB_JOURNAL_TAIL, SUMMARY])
        planted.makeUnreadable(pbn)
      planted.makeUnreadable(RECOVERY_JOURNAL)
      expect(codes(planted.audit())).to.include.members([
        'UNREADABLE_JOURNAL',
        'UNREADABLE_PAGE',
        'UNREADABLE_SUMMARY',
      ])
      planted.reset()
      planted.makeUnreadable(COMPRESSED_BLOCK)
      expect(codes(planted.audit())).to.deep.equal(['UNREADABLE_DATA'])
      planted.reset()
      planted.makeUnreadable(REFERENCES_0)
      expect(codes(planted.audit())).to.deep.equal(['UNREADABLE_REFERENCES'])
    })
  })

  it('replays the journal of a dirty slab', () => {
    // As if the counters had not been written since the slab was opened.
    const summary = planted.block(SUMMARY)
    writeSummaryEntry(summary, 0, 0, (readSummaryEntry(summary, 0, 0) | 0x8000) & ~0x4000)
    const result = planted.audit()
    expect(result.problems).to.deep.equal([])
    expect(result.noteCounts).to.deep.equal({ DIRTY_SLAB: 1 })
    expect(result.totals.blocksInUse).to.equal(1062)
    planted.block(SLAB_JOURNAL_1)[36] = 77
    expect(codes(planted.audit())).to.include('REFERENCE_COUNT')
    planted.block(SLAB_JOURNAL_1)[32] = 0
    expect(codes(planted.audit())).to.deep.equal(['SLAB_JOURNAL_BLOCK'])
  })

  it('takes what a provisional counter stands for', () => {
    planted.block(REFERENCES_0)[counterAt(4031)] = 255
    const result = planted.audit()
    expect(result.consistent).to.equal(true)
    expect(result.noteCounts).to.deep.equal({ PROVISIONAL_COUNTER: 1 })
  })

  it('says that a volume was not closed, and that one was never started', () => {
    for (const [state, name] of [
      [VolumeState.Dirty, 'DIRTY'],
      [VolumeState.ReadOnly, 'READ_ONLY'],
    ] as const) {
      planted.state = state
      const { noteCounts, notes } = planted.audit()
      expect(noteCounts).to.deep.equal({ NOT_CLEAN: 1 })
      expect(notes[0]?.sentence).to.contain(`its state is ${name})`)
    }
    planted.state = VolumeState.New
    expect(codes(planted.audit())).to.deep.equal(['NEVER_STARTED'])
  })

  it('survives whatever is in the metadata', () => {
    const prng = new Prng(7)
    const places = [ROOT_PAGE, LEAF_0, SLAB_0, COMPRESSED_BLOCK, REFERENCES_0, SLAB_JOURNAL_1, SUMMARY]
    for (let run = 0; run < 40; run++) {
      planted.reset()
      for (const pbn of places) {
        const bytes = planted.block(pbn)
        for (let i = prng.below(30); i > 0; i--) bytes[prng.below(4096)] = prng.below(256)
        if (prng.chance(0.3)) for (let at = 36; at < 4096; at++) bytes[at] = prng.below(256)
      }
      expect(planted.audit().consistent, `run ${run}`).to.equal(false)
    }
  })
})
