import { expect } from 'chai'
import { layOut } from '../../src/base/bump.js'
import { indexShapeOf } from '../../src/format/index-region.js'
import { IndexArena, IndexOrder } from '../../src/uds/index-arena.js'
import { createLayout } from '../../src/uds/index-layout.js'
import { zoneIndexBytes } from '../../src/uds/volume-index.js'
import { ZonePart } from '../../src/uds/zone-part.js'
import { Room } from '../../src/vio/opcodes.js'
import { Bench } from '../zones/bench.js'
import { indexRefusal } from './index-refusal.js'
import { BIRTH, placeOf } from './small-index.js'
import { MapStorage } from './uds-samples.js'

describe('one zone of an index that is opened', () => {
  it('says how much memory it wanted where there was none', async () => {
    // So large that no array can be: what the check before the volume is opened cannot know is found out here.
    const place = placeOf(indexShapeOf(1024, false))
    const storage = new MapStorage()
    storage.run(createLayout(place, BIRTH))
    const shared = layOut((bump) => new IndexArena(bump, place.shape, 1, 1024))
    const port = { answer: () => {}, readPage: () => {}, toKeeper: () => {} }
    const part = new ZonePart((await Bench.make()).context(Room.Index), shared, place, port)
    for (const order of [IndexOrder.Begin, IndexOrder.Rebuild] as const) {
      const { code, message } = indexRefusal(() => storage.run(part.open(order)))
      expect(code).to.equal('VDO_INDEX_NO_MEMORY')
      expect(message).to.include(
        `There is no memory for the index: a zone of it takes ${zoneIndexBytes(place.shape, 1)} bytes (`,
      )
    }
    expect(part.isIdle).to.equal(true)
  })
})
