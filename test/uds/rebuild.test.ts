import { expect } from 'chai'
import { PAGE_BYTES, RECORD_BYTES } from '../../src/uds/geometry.js'
import { IndexContent, openContent } from '../../src/uds/index-content.js'
import { openLayout } from '../../src/uds/index-layout.js'
import { rebuildIndex } from '../../src/uds/rebuild.js'
import { readPage } from '../../src/uds/volume-pages.js'
import { committedDigests, type SaveDigests } from './decoded-region.js'
import { countRight, digestOf, entriesOf, PlainReader, placeOfSample } from './index-content.js'
import type { LocalIndex } from './local-index.js'
import { newIndexLike, runOperations, SEQUENCES, type Sequence } from './sample-sequences.js'
import { openSample, readExpected, type SampleName } from './uds-samples.js'

/** The requests of a sample up to the crash, after which its maker rebuilt it. */
function untilCrash(name: SampleName): Sequence {
  const sequence = SEQUENCES.find((each) => each.name === name)!
  const { operations } = sequence
  const end = operations.findIndex(({ op, image }) => op === 'snapshot' && image?.endsWith('-unclean'))
  return { ...sequence, operations: operations.slice(0, end).filter(({ op }) => op !== 'snapshot') }
}

describe('an index that was not saved', () => {
  for (const [used, rebuilt] of [
    ['dense1-clean', 'dense1-rebuilt'],
    ['sparse1-clean', 'sparse1-rebuilt'],
  ] as const) {
    it(`is rebuilt to the lists of ${rebuilt}, by any number of zones`, function () {
      this.timeout(30_000)
      const { storage, layout } = index(used)
      const wanted = committedDigests(rebuilt).save as SaveDigests
      for (const zones of [1, 4]) {
        const content = IndexContent.empty(layout.geometry, zones)
        const indexes = content.zones.map(({ volumeIndex }) => volumeIndex)
        const range = storage.run(rebuildIndex(layout, indexes, content.pageMap))
        expect(range).to.deep.equal({ newest: wanted.newest, oldest: wanted.oldest })
        expect(digestOf(entriesOf(content))).to.equal(wanted.lists)
        // Zones that are rebuilt by themselves are no different.
        const alone = IndexContent.empty(layout.geometry, zones)
        for (const { volumeIndex } of alone.zones) {
          storage.run(rebuildIndex(layout, [volumeIndex], alone.pageMap))
        }
        expect(digestOf(entriesOf(alone))).to.equal(wanted.lists)
        expect(alone.pageMap).to.deep.equal(content.pageMap)
      }
    })
  }

  function index(name: SampleName): LocalIndex {
    const used = newIndexLike(name, { zones: 1 })
    runOperations(used, untilCrash(name))
    return used
  }

  it('is rebuilt from its chapters to what its maker rebuilt', function () {
    this.timeout(60_000)
    for (const [unclean, rebuilt] of [
      ['dense1-unclean', 'dense1-rebuilt'],
      ['sparse1-rebuilt', 'sparse1-rebuilt'],
    ] as const) {
      const after = openSample(this, rebuilt)
      const afterLayout = after.storage.run(openLayout(placeOfSample(after)))
      const wanted = IndexContent.empty(afterLayout.geometry, 1)
      const range = after.storage.run(wanted.load(afterLayout))
      const sample = openSample(this, unclean)
      const layout = sample.storage.run(openLayout(placeOfSample(sample)))
      for (const zones of [1, 3]) {
        const content = IndexContent.empty(layout.geometry, zones)
        const indexes = content.zones.map(({ volumeIndex }) => volumeIndex)
        expect(sample.storage.run(rebuildIndex(layout, indexes, content.pageMap))).to.deep.equal(range)
        expect(digestOf(entriesOf(content)), `${unclean} ${zones}`).to.equal(digestOf(entriesOf(wanted)))
        expect(content.pageMap).to.deep.equal(wanted.pageMap)
      }
    }
  })

  it('answers after it was rebuilt as its maker did', function () {
    this.timeout(30_000)
    const sample = openSample(this, 'dense1-unclean')
    const { storage, facts } = sample
    const opened = storage.run(
      openContent(placeOfSample(sample), ({ geometry }) => IndexContent.empty(geometry, 1)),
    )
    expect(opened.rebuiltFor!.message).to.equal(
      'Cannot read the saved open chapter: it does not begin as one',
    )
    const reader = new PlainReader(storage, opened.layout, opened.content, opened.newest)
    const expected = readExpected(this, 'dense1-unclean')
    expect(countRight(reader, expected, facts.expect!.count)).to.equal(facts.expect!.found)
  })

  it('of the kernel is rebuilt with all that its chapters hold', function () {
    this.timeout(60_000)
    const sample = openSample(this, 'kernel-crash')
    const { storage } = sample
    const opened = storage.run(
      openContent(placeOfSample(sample), ({ geometry }) => IndexContent.empty(geometry, 2)),
    )
    expect([opened.newest, opened.oldest]).to.deep.equal([3, 0])
    // Each name of each chapter, as the last chapter that holds it has it.
    const { layout, content, newest } = opened
    const { geometry } = layout
    const wanted = new Map<string, string>()
    const page = new Uint8Array(PAGE_BYTES)
    for (let chapter = 0; chapter < 3; chapter++) {
      for (let i = 0; i < geometry.recordPagesPerChapter; i++) {
        const number = geometry.volumePage(chapter, geometry.indexPagesPerChapter + i)
        storage.run(readPage(layout.volumeStart, number, page))
        for (let at = 0; at < PAGE_BYTES; at += RECORD_BYTES) {
          const name = Buffer.from(page.subarray(at, at + 16)).toString('hex')
          wanted.set(name, Buffer.from(page.subarray(at + 16, at + 26)).toString('hex'))
        }
      }
    }
    const reader = new PlainReader(storage, layout, content, newest)
    for (const [name, data] of wanted) {
      const answer = reader.answer(Buffer.from(name, 'hex'))
      if (answer.location !== 5 || Buffer.from(answer.data).toString('hex') !== data) {
        throw new Error(`name ${name} has ${data}, found ${answer.location}`)
      }
    }
    // A record that fills places is entered twice.
    expect(wanted.size).to.be.within(content.entries - 3, content.entries)
  })
})
