import { expect } from 'chai'
import fc from 'fast-check'
import { vioIndex } from '../../src/base/ids.js'
import {
  advanceCompression,
  CompressionStage,
  cancelCompression,
  compressionStage,
  endCompression,
  mayCompress,
  resetCompression,
} from '../../src/vio/compression.js'

const VIO = vioIndex(1)

describe('the compression stage of a vio', () => {
  let words: Int32Array

  beforeEach(() => {
    words = new Int32Array(new SharedArrayBuffer(12))
    resetCompression(words, VIO)
  })

  const at = (stage: CompressionStage) => {
    resetCompression(words, VIO)
    while (compressionStage(words, VIO) !== stage) advanceCompression(words, VIO)
  }

  it('goes from one to the next and stays at the last', () => {
    const stages = Array.from({ length: 4 }, () => advanceCompression(words, VIO))
    expect(stages).to.deep.equal([
      CompressionStage.Compressing,
      CompressionStage.Packing,
      CompressionStage.After,
      CompressionStage.After,
    ])
    expect(mayCompress(words, VIO)).to.equal(true)
  })

  it('jumps to the last once compression is forbidden', () => {
    for (const stage of [CompressionStage.Before, CompressionStage.Compressing, CompressionStage.Packing]) {
      at(stage)
      cancelCompression(words, VIO)
      expect(compressionStage(words, VIO)).to.equal(stage)
      expect(mayCompress(words, VIO)).to.equal(false)
      expect(advanceCompression(words, VIO)).to.equal(CompressionStage.After)
      expect(mayCompress(words, VIO)).to.equal(false)
    }
  })

  it('tells exactly the first canceler that finds the vio in the packer', () => {
    at(CompressionStage.Packing)
    expect([cancelCompression(words, VIO), cancelCompression(words, VIO)]).to.deep.equal([true, false])
  })

  it('tells no canceler anything after the packer', () => {
    at(CompressionStage.After)
    expect(cancelCompression(words, VIO)).to.equal(false)
    expect(mayCompress(words, VIO)).to.equal(true)
  })

  it('is over and forbidden after a plain write', () => {
    endCompression(words, VIO)
    expect(compressionStage(words, VIO)).to.equal(CompressionStage.After)
    expect(mayCompress(words, VIO)).to.equal(false)
    expect(cancelCompression(words, VIO)).to.equal(false)
  })

  it('never moves backwards, gives one notice at most, and leaves other vios alone', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('advance', 'cancel', 'end')), (script) => {
        resetCompression(words, VIO)
        let notices = 0
        let stage = compressionStage(words, VIO)
        for (const what of script) {
          if (what === 'advance') advanceCompression(words, VIO)
          else if (what === 'end') endCompression(words, VIO)
          else if (cancelCompression(words, VIO)) notices++
          expect(compressionStage(words, VIO)).to.be.at.least(stage)
          stage = compressionStage(words, VIO)
        }
        expect(notices).to.be.at.most(1)
        expect([words[0], words[2]]).to.deep.equal([0, 0])
      }),
      { seed: 1 },
    )
  })
})
