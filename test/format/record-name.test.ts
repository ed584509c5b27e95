import { expect } from 'chai'
import fc from 'fast-check'
import { fromHex } from '../../src/base/bytes.js'
import {
  chapterAddress,
  chapterList,
  isSample,
  volumeAddress,
  volumeList,
} from '../../src/format/record-name.js'

/** The fields by the definition, on whole integers. */
function twin(name: Uint8Array, volumeLists: number, chapterLists: number) {
  const number = (from: number, to: number) =>
    name.subarray(from, to).reduce((value, byte) => value * 256n + BigInt(byte), 0n)
  const volume = number(0, 8)
  const chapter = number(8, 14)
  return [
    Number(volume & 0xfffffn),
    Number((volume >> 20n) % BigInt(volumeLists)),
    Number(chapter & 0x3fffffn),
    Number((chapter >> 22n) & BigInt(chapterLists - 1)),
    number(14, 16) % 32n === 0n,
  ]
}

function parts(name: Uint8Array, volumeLists: number, chapterLists: number) {
  const names = Uint8Array.of(9, ...name, 9)
  return [
    volumeAddress(names, 1),
    volumeList(names, 1, volumeLists, 1 / volumeLists),
    chapterAddress(names, 1),
    chapterList(names, 1, chapterLists),
    isSample(names, 1),
  ]
}

describe('a record name', () => {
  it('has the parts of the worked example', () => {
    const name = fromHex('e780e2dafd9f88cdac7f54d5960be94c')!
    expect(parts(name, 262144, 1024)).to.deep.equal([0xf88cd, 110553, 0x15960b, 339, false])
  })

  it('is taken apart as whole integers are, for every count of lists', () => {
    const name = fc.uint8Array({ minLength: 16, maxLength: 16 })
    const edge = fc.constantFrom(new Uint8Array(16), new Uint8Array(16).fill(255))
    const lists = fc.oneof(
      fc.constantFrom(256, 262144, 126976, 81920, 380928, 245760, 520093696, 335544320, 2 ** 30),
      fc.integer({ min: 1, max: 2 ** 30 }),
    )
    fc.assert(
      fc.property(fc.oneof(name, edge), lists, fc.constantFrom(512, 1024, 2048, 4096), (each, many, few) => {
        expect(parts(each, many, few)).to.deep.equal(twin(each, many, few))
      }),
      { seed: 305, numRuns: 3000 },
    )
  })

  it('is in the right list beside every multiple of the count', () => {
    for (const lists of [126976, 81920, 3, 7, 335544320, 520093696]) {
      for (const factor of [1, 2, 1000, Math.floor((2 ** 44 - 2) / lists)]) {
        for (const beside of [-1, 0, 1]) {
          const value = BigInt(factor * lists + beside) << 20n
          const name = new Uint8Array(16)
          for (let i = 0; i < 8; i++) name[i] = Number((value >> BigInt(56 - 8 * i)) & 0xffn)
          expect(volumeList(name, 0, lists, 1 / lists)).to.equal((beside + lists) % lists)
        }
      }
    }
  })
})
