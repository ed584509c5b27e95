import { expect } from 'chai'
import {
  addToPatch,
  openPatch,
  PATCH_CAPACITY,
  readPatchLength,
  readPatchPbn,
  readPatchSlot,
  readPatchState,
} from '../../src/vio/page-patch.js'

const AT = 512

describe('a patch of a map page', () => {
  it('keeps every change that fits, in order, and touches nothing else', () => {
    const bytes = new Uint8Array(AT + 4096 + 64).fill(0xa5)
    openPatch(bytes, AT)
    expect(readPatchLength(bytes, AT)).to.equal(0)
    for (let i = 0; i < PATCH_CAPACITY; i++) addToPatch(bytes, AT, (i * 7) % 812, 2 ** 36 - 1 - i, i % 16)
    expect(readPatchLength(bytes, AT)).to.equal(511)
    for (let i = 0; i < PATCH_CAPACITY; i++) {
      expect([
        readPatchSlot(bytes, AT, i),
        readPatchPbn(bytes, AT, i),
        readPatchState(bytes, AT, i),
      ]).to.deep.equal([(i * 7) % 812, 2 ** 36 - 1 - i, i % 16])
    }
    expect(bytes.subarray(0, AT).every((byte) => byte === 0xa5)).to.equal(true)
    expect(bytes.subarray(AT + 4096).every((byte) => byte === 0xa5)).to.equal(true)
    expect(() => addToPatch(bytes, AT, 0, 0, 0)).to.throw(/changes fit a patch/)
  })
})
