import { expect } from 'chai'
import fc from 'fast-check'
import { isValidLocation } from '../../src/format/block-map-entry.js'
import {
  formatPage,
  isPageInitialized,
  judgePage,
  PageVerdict,
  readEntryPbn,
  readEntryState,
  readPagePbn,
  setPageInitialized,
  writeEntry,
} from '../../src/format/block-map-page.js'
import { BLOCK_SIZE, ENTRIES_PER_PAGE } from '../../src/format/constants.js'
import {
  type ExpectedPage,
  expectedOf,
  goldenBlock,
  highOf,
  inSharedMemory,
  lowOf,
  PLACE,
  takeBlock,
} from './golden.js'

describe('block map page', () => {
  for (const name of ['clean-root-page', 'clean-leaf-page']) {
    const page = expectedOf<ExpectedPage>(name)

    it(`reads what the kernel wrote: ${name}`, () => {
      const bytes = inSharedMemory(goldenBlock(name))
      const verdict = judgePage(bytes, PLACE, lowOf(page.nonce), highOf(page.nonce), page.pbn)
      expect(verdict).to.equal(PageVerdict.Valid)
      expect(readPagePbn(bytes, PLACE)).to.equal(page.pbn)
      const entries: [number, number, number][] = []
      for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
        const pbn = readEntryPbn(bytes, PLACE, slot)
        const state = readEntryState(bytes, PLACE, slot)
        if (pbn !== 0 || state !== 0) entries.push([slot, pbn, state])
      }
      expect(entries).to.deep.equal(page.entries)
    })

    it(`writes the same bytes as the kernel: ${name}`, () => {
      const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE).fill(0xff))
      formatPage(bytes, PLACE, lowOf(page.nonce), highOf(page.nonce), page.pbn, true)
      for (const [slot, pbn, state] of page.entries) writeEntry(bytes, PLACE, slot, pbn, state)
      expect(takeBlock(bytes)).to.deep.equal(goldenBlock(name))
    })
  }

  it('calls a page of another volume, version or first write invalid, and of another place bad', () => {
    const page = expectedOf<ExpectedPage>('clean-leaf-page')
    const low = lowOf(page.nonce)
    const high = highOf(page.nonce)
    const bytes = goldenBlock('clean-leaf-page')
    expect(judgePage(bytes, 0, low ^ 1, high, page.pbn)).to.equal(PageVerdict.Invalid)
    expect(judgePage(bytes, 0, low, high ^ 1, page.pbn)).to.equal(PageVerdict.Invalid)
    expect(judgePage(bytes, 0, low, high, page.pbn + 1)).to.equal(PageVerdict.Bad)
    expect(judgePage(bytes, 0, low, high, page.pbn + 2 ** 32)).to.equal(PageVerdict.Bad)
    bytes[4] = 2
    expect(judgePage(bytes, 0, low, high, page.pbn)).to.equal(PageVerdict.Invalid)
    bytes[4] = 1
    setPageInitialized(bytes, 0, false)
    expect(isPageInitialized(bytes, 0)).to.equal(false)
    expect(judgePage(bytes, 0, low, high, page.pbn)).to.equal(PageVerdict.Invalid)
    setPageInitialized(bytes, 0, true)
    expect(bytes).to.deep.equal(goldenBlock('clean-leaf-page'))
    expect(judgePage(new Uint8Array(BLOCK_SIZE), 0, 0, 0, 0)).to.equal(PageVerdict.Invalid)
  })

  it('keeps every entry that was written last, and its neighbours', () => {
    const entry = fc.tuple(fc.nat(ENTRIES_PER_PAGE - 1), fc.integer({ min: 0, max: 2 ** 36 - 1 }), fc.nat(15))
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 50 }), (entries) => {
        const bytes = inSharedMemory(new Uint8Array(BLOCK_SIZE))
        formatPage(bytes, PLACE, 0xffff_ffff, 0x8000_0000, 2 ** 36 - 1, false)
        const twin = new Map<number, readonly [number, number]>()
        for (const [slot, pbn, state] of entries) {
          writeEntry(bytes, PLACE, slot, pbn, state)
          twin.set(slot, [pbn, state])
        }
        for (let slot = 0; slot < ENTRIES_PER_PAGE; slot++) {
          const [pbn, state] = twin.get(slot) ?? [0, 0]
          if (readEntryPbn(bytes, PLACE, slot) !== pbn || readEntryState(bytes, PLACE, slot) !== state)
            return false
        }
        setPageInitialized(bytes, PLACE, true)
        takeBlock(bytes)
        return judgePage(bytes, PLACE, 0xffff_ffff, 0x8000_0000, 2 ** 36 - 1) === PageVerdict.Valid
      }),
      { seed: 1, numRuns: 50 },
    )
  })

  it('knows which PBN and state go together', () => {
    expect(isValidLocation(0, 0)).to.equal(true)
    expect(isValidLocation(0, 1)).to.equal(true)
    expect(isValidLocation(0, 2)).to.equal(false)
    expect(isValidLocation(5, 0)).to.equal(false)
    expect(isValidLocation(5, 1)).to.equal(true)
    expect(isValidLocation(2 ** 36 - 1, 15)).to.equal(true)
  })
})
