import { expect } from 'chai'
import { requireRunnable } from '../../src/engine/check-shape.js'
import { VDO_SHAPE, type VolumeShape } from '../../src/vio/volume-shape.js'
import { ONE_OF_EACH, SMALL_VOLUME } from '../zones/bench.js'

const VOLUME = { ...SMALL_VOLUME, journalBlocks: 32768 }
const MOST = { logical: 60, physical: 16, hash: 100, cpu: 100, bio: 100, index: 16 }

describe('the sizes of an engine', () => {
  const check = (changes: Partial<VolumeShape>) => () =>
    requireRunnable({ ...VDO_SHAPE, ...changes }, VOLUME, ONE_OF_EACH)

  it('are sound as VDO has them, with any zones that VDO allows', () => {
    requireRunnable(VDO_SHAPE, VOLUME, ONE_OF_EACH)
    requireRunnable(VDO_SHAPE, VOLUME, MOST)
  })

  for (const [what, changes, sentence] of [
    ['bins that could hold every vio', { dataVios: 224, discardVios: 10 }, /packerBins × packerSlots is 224/],
    [
      'fewer references than fragments',
      { maximumReferences: 13 },
      /maximumReferences is 13, wanted .* 14 to 254/,
    ],
    ['no vio for a slab', { allocatorVios: 5 }, /allocatorVios is 5, wanted at least 6/],
    ['no vio for a page', { blockMapVios: 1 }, /blockMapVios is 1, wanted at least 2/],
    ['an empty cache', { cachePages: 0 }, /cachePages is 0, wanted at least 1/],
    ['too few locks', { pbnLocks: 4095 }, /pbnLocks is 4095, wanted at least 4096/],
    [
      'pages older than half the journal',
      { blockMapAge: 16379 },
      /blockMapAge is 16379, wanted .* 1 to 16378/,
    ],
    ['entries that no block holds', { journalEntriesPerBlock: 218 }, /from 1 to 217/],
    ['more discards than vios', { discardVios: 2049 }, /discardVios is 2049/],
    [
      'slab journals too short for what a crash leaves',
      { slabJournalMixedEntriesPerBlock: 315 },
      /has 16 blocks beyond its blocking threshold, wanted at least 17/,
    ],
    ['half a vio', { dataVios: 2048.5 }, /dataVios is 2048.5/],
    ['what is no number', { indexNames: Number.NaN }, /indexNames is NaN/],
    [
      'more vios than a message can name',
      { dataVios: 65000, pbnLocks: 130_000, flushVios: 500 },
      /all vios together are \d+, wanted at most 65535/,
    ],
  ] as const) {
    it(`are refused: ${what}`, () => {
      expect(check(changes)).to.throw(sentence).with.property('code', 'VDO_BAD_SHAPE')
    })
  }
})
