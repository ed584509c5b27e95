import { expect } from 'chai'
import type { VdoError } from '../../src/base/errors.js'
import { indexZonesFor, MAX_ZONE_BYTES, requireIndexMemory } from '../../src/engine/index-size.js'
import { allZones, routesOf, withIndexZones } from '../../src/engine/thread-plan.js'
import { indexShapeOf } from '../../src/format/index-region.js'
import { loadProfile } from '../../src/host/profile.js'
import { IndexGeometry, smallIndexShape } from '../../src/uds/geometry.js'
import { VolumeIndex, zoneIndexBytes } from '../../src/uds/volume-index.js'
import { Room } from '../../src/vio/opcodes.js'

const MIB = 2 ** 20

function refusal(act: () => void): VdoError {
  try {
    act()
  } catch (error) {
    return error as VdoError
  }
  throw new Error('nothing was refused')
}

describe('the memory of an index', () => {
  it('is what the reference says, and at least what a volume index takes', () => {
    expect(zoneIndexBytes(indexShapeOf(-256, false), 1) / MIB).to.be.within(200, 220)
    expect(zoneIndexBytes(indexShapeOf(1, false), 1) / MIB).to.be.within(800, 870)
    expect(zoneIndexBytes(indexShapeOf(-256, true), 1) / MIB).to.be.within(166, 182)
    for (const sparse of [false, true]) {
      for (const zones of [1, 3]) {
        const shape = smallIndexShape(sparse)
        const { allocatedBytes } = new VolumeIndex(new IndexGeometry(shape), 0, zones)
        expect(zoneIndexBytes(shape, zones)).to.be.within(allocatedBytes * 0.99, allocatedBytes * 1.01)
      }
    }
  })

  it('takes as many zones as it needs, of 4 GiB each', () => {
    expect(indexZonesFor(indexShapeOf(-256, false), 1)).to.equal(1)
    expect(indexZonesFor(indexShapeOf(4, false), 1)).to.equal(1)
    expect(indexZonesFor(indexShapeOf(8, false), 1)).to.equal(2)
    expect(indexZonesFor(indexShapeOf(8, false), 5)).to.equal(5)
    const large = indexZonesFor(indexShapeOf(32, false), 1)
    expect(large).to.be.within(8, 9)
    expect(zoneIndexBytes(indexShapeOf(32, false), large)).to.be.at.most(MAX_ZONE_BYTES)
    expect(zoneIndexBytes(indexShapeOf(32, false), large - 1)).to.be.greaterThan(MAX_ZONE_BYTES)
  })

  it('is refused with both numbers where it does not fit', () => {
    const huge = indexShapeOf(1024, false)
    expect(indexZonesFor(huge, 1)).to.equal(16)
    const largest = refusal(() => requireIndexMemory('No', huge, 16, 2 ** 50))
    expect(largest.code).to.equal('VDO_INDEX_TOO_LARGE')
    expect(largest.message).to.match(
      /^No: the index takes 12\d{11} bytes of memory, and 16 zones of 4294901760 bytes hold 68718428160$/,
    )
    const shape = indexShapeOf(-256, false)
    const machine = refusal(() => requireIndexMemory('No', shape, 1, 100 * MIB))
    expect(machine.code).to.equal('VDO_INDEX_TOO_LARGE')
    expect(machine.message).to.match(
      /^No: the index takes 22\d{7} bytes of memory, and this machine has 104857600$/,
    )
    requireIndexMemory('No', shape, 1, 300 * MIB)
  })

  it('is shared by the threads that have index zones', () => {
    const plan = withIndexZones(loadProfile('default'), 3)
    expect(plan.counts.index).to.equal(3)
    const hosts = plan.threads.filter(({ zones }) => zones.some(({ room }) => room === Room.Index))
    expect(hosts.map(({ name, zones }) => [name, zones.map(({ zone }) => zone)])).to.deep.equal([
      ['dedupeQ0', [0, 1, 2]],
    ])
    // Throws unless every zone of the plan has its thread.
    routesOf(plan)
    expect(allZones(plan.counts).filter(({ room }) => room === Room.Index).length).to.equal(3)
    const tiny = loadProfile('tiny')
    expect(withIndexZones(tiny, 1)).to.equal(tiny)
  })
})
