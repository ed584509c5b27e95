import { expect } from 'chai'
import { vioIndex } from '../../../src/base/ids.js'
import { MetadataVios, VioUse } from '../../../src/zones/physical/metadata-vios.js'

describe('metadata vios', () => {
  const FIRST = 100
  let granted: [slab: number, use: VioUse, vio: number][]
  let vios: MetadataVios
  /** Called for each vio that is granted. */
  let onGrant: (vio: number) => void

  beforeEach(() => {
    granted = []
    onGrant = () => {}
    vios = new MetadataVios({ first: vioIndex(FIRST), count: 2 }, 5, (slab, use, vio) => {
      granted.push([slab, use, vio])
      onGrant(vio)
    })
  })

  it('are granted at once while there are any, then in the order of the asking', () => {
    for (const slab of [0, 1, 2, 3]) vios.request(slab, VioUse.Commit)
    vios.request(2, VioUse.Reap)
    expect(granted.map(([slab]) => slab)).to.deep.equal([0, 1])
    for (let i = 0; i < 3; i++) vios.release(vioIndex(granted[i][2]))
    expect(granted.map(([slab, use]) => [slab, use])).to.deep.equal([
      [0, VioUse.Commit],
      [1, VioUse.Commit],
      [2, VioUse.Commit],
      [3, VioUse.Commit],
      [2, VioUse.Reap],
    ])
    expect(vios.isIdle).to.equal(false)
  })

  it('are asked for once for a use at a time', () => {
    for (const slab of [0, 1, 4, 4, 4]) vios.request(slab, VioUse.Reference)
    for (const vio of [FIRST, FIRST + 1]) vios.release(vioIndex(vio))
    expect(granted.length).to.equal(3)
    vios.release(vioIndex(granted[2][2]))
    expect(vios.isIdle).to.equal(true)
  })

  it('remember for whom and for what they are away', () => {
    vios.request(3, VioUse.Reference)
    vios.assign(vioIndex(FIRST), 2 ** 40)
    expect(vios.slabOf(vioIndex(FIRST))).to.equal(3)
    expect(vios.blockOf(vioIndex(FIRST))).to.equal(2 ** 40)
  })

  it('may be given back, and asked for again, by whoever is being granted one', () => {
    let times = 0
    onGrant = (vio) => {
      if (++times < 1000) vios.request(0, VioUse.Reference)
      vios.release(vioIndex(vio))
    }
    vios.request(0, VioUse.Reference)
    expect(times).to.equal(1000)
    expect(vios.isIdle).to.equal(true)
  })
})
