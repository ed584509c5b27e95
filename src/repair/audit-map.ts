/**
 * Walks the block map: first the pages above the leaves, height by height, so that every page of the tree is known;
 * then the leaves, counting what they refer to.
 */

import { isValidLocation } from '../format/block-map-entry.js'
import {
  isPageInitialized,
  judgePage,
  PageVerdict,
  readEntryPbn,
  readEntryState,
  readPagePbn,
} from '../format/block-map-page.js'
import { fragmentOfState } from '../format/compressed-block.js'
import {
  ENTRIES_PER_PAGE,
  MAPPING_STATE_COMPRESSED_BASE,
  MAPPING_STATE_UNCOMPRESSED,
  MAPPING_STATE_UNMAPPED,
  TREE_HEIGHT,
  ZERO_PBN,
} from '../format/constants.js'
import type { Volume } from '../vio/volume.js'
import type { VolumeReader } from './audit-disk.js'
import type { AuditReport } from './audit-report.js'
import type { FoundReferences } from './found-references.js'
import { pagesOfTree } from './tree-shape.js'

/** A page of the tree and which one it is. */
interface TreePage {
  readonly pbn: number
  readonly root: number
  /** Among the pages of its height in its tree. */
  readonly index: number
}

const LEAVES_PER_REPORT = 64

export class MapAudit {
  constructor(
    private readonly volume: Volume,
    private readonly reader: VolumeReader,
    private readonly found: FoundReferences,
    private readonly report: AuditReport,
  ) {}

  /** `progress` hears how many leaves of how many are done. */
  walk(progress: (done: number, all: number) => void): void {
    const { rootOrigin, rootCount } = this.volume
    let pages: TreePage[] = Array.from({ length: rootCount }, (_, root) => ({
      pbn: rootOrigin + root,
      root,
      index: 0,
    }))
    for (let height = TREE_HEIGHT - 1; height > 0; height--) pages = this.descend(pages, height)
    let done = 0
    this.eachPage(pages, 0, (page, bytes, at) => {
      this.auditLeaf(page, bytes, at)
      if (++done % LEAVES_PER_REPORT === 0) progress(done, pages.length)
    })
  }

  /** Audits the pages of a height and gives those below them, by PBN. */
  private descend(pages: readonly TreePage[], height: number): TreePage[] {
    const below: TreePage[] = []
    this.eachPage(pages, height, (page, bytes, at) => {
      for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
        const child = this.auditInteriorEntry(page, height, slot, bytes, at)
        if (child !== null) below.push(child)
      }
    })
    return below.sort((a, b) => a.pbn - b.pbn)
  }

  /** Visits the pages that hold entries. */
  private eachPage(
    pages: readonly TreePage[],
    height: number,
    visit: (page: TreePage, bytes: Uint8Array, at: number) => void,
  ): void {
    const pbns = Float64Array.from(pages, ({ pbn }) => pbn)
    this.reader.visit(pbns, (i, bytes, at) => {
      if (this.auditPage(pages[i], height, bytes, at)) visit(pages[i], bytes!, at)
    })
  }

  /** Whether the page holds entries. */
  private auditPage({ pbn }: TreePage, height: number, bytes: Uint8Array | null, at: number): boolean {
    const { report, volume } = this
    const name = `the page of height ${height} at PBN ${pbn}`
    if (bytes === null) {
      report.problem('UNREADABLE_PAGE', { pbn }, `Cannot read ${name}`)
      return false
    }
    const verdict = judgePage(bytes, at, volume.nonceLow, volume.nonceHigh, pbn)
    if (verdict === PageVerdict.Bad) {
      report.problem('BAD_PAGE', { pbn }, `In place of ${name} is the page of PBN ${readPagePbn(bytes, at)}`)
    }
    // Roots exist from the start and are written when they are first used.
    if (verdict === PageVerdict.Invalid && height < TREE_HEIGHT - 1) {
      report.totals.unwrittenPages++
      const state = isPageInitialized(bytes, at) ? 'of another volume or version' : 'not initialized'
      report.note('UNWRITTEN_PAGE', { pbn }, `Block map: ${name} is ${state} and counts as empty`)
    }
    return verdict === PageVerdict.Valid
  }

  /** The page that an entry leads to, if it may be followed. */
  private auditInteriorEntry(
    page: TreePage,
    height: number,
    slot: number,
    bytes: Uint8Array,
    at: number,
  ): TreePage | null {
    const { report, found } = this
    const pbn = readEntryPbn(bytes, at, slot)
    const state = readEntryState(bytes, at, slot)
    if (pbn === ZERO_PBN && state === MAPPING_STATE_UNMAPPED) return null
    const place = { pbn: page.pbn }
    const name = `Slot ${slot} of the page of height ${height} at PBN ${page.pbn}`
    if (pbn === ZERO_PBN || state !== MAPPING_STATE_UNCOMPRESSED) {
      report.problem(
        'INVALID_ENTRY',
        place,
        `${name} holds PBN ${pbn} in state ${state}, no page of the tree`,
      )
      return null
    }
    const index = page.index * ENTRIES_PER_PAGE + slot
    if (index >= pagesOfTree(this.volume, page.root, height - 1)) {
      report.problem('BEYOND_LOGICAL_SIZE', place, `${name} leads to a page beyond the logical size`)
      return null
    }
    if (found.slabOf(pbn) < 0) {
      report.problem('NOT_A_DATA_BLOCK', place, `${name} leads to PBN ${pbn}, which is not a data block`)
      return null
    }
    if (!found.claimTreePage(pbn)) {
      report.problem('TREE_PAGE_SHARED', place, `${name} leads to PBN ${pbn}, which has a parent already`)
      return null
    }
    report.totals.treePages++
    return { pbn, root: page.root, index }
  }

  private auditLeaf(page: TreePage, bytes: Uint8Array, at: number): void {
    const { volume, report, found } = this
    const firstLbn = (page.index * volume.rootCount + page.root) * ENTRIES_PER_PAGE
    for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
      const state = readEntryState(bytes, at, slot)
      const pbn = readEntryPbn(bytes, at, slot)
      if (state === MAPPING_STATE_UNMAPPED && pbn === ZERO_PBN) continue
      const lbn = firstLbn + slot
      if (lbn >= volume.logicalBlocks) {
        report.problem(
          'BEYOND_LOGICAL_SIZE',
          { lbn, pbn },
          `LBN ${lbn} is mapped and beyond the logical size`,
        )
      } else if (!isValidLocation(pbn, state)) {
        report.problem('INVALID_ENTRY', { lbn, pbn }, `LBN ${lbn} is mapped to PBN ${pbn} in state ${state}`)
      } else if (pbn === ZERO_PBN) {
        report.totals.logicalBlocksUsed++
        report.totals.zeroBlocks++
      } else if (found.slabOf(pbn) < 0) {
        report.problem(
          'NOT_A_DATA_BLOCK',
          { lbn, pbn },
          `LBN ${lbn} is mapped to PBN ${pbn}, which is not a data block`,
        )
      } else if (found.isTreePage(pbn)) {
        report.problem(
          'TREE_PAGE_MAPPED',
          { lbn, pbn },
          `LBN ${lbn} is mapped to PBN ${pbn}, a page of the tree`,
        )
      } else {
        report.totals.logicalBlocksUsed++
        if (state >= MAPPING_STATE_COMPRESSED_BASE) report.totals.compressedMappings++
        found.addMapping(pbn, fragmentOfState(state))
      }
    }
  }
}
