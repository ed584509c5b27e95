import { expect } from 'chai'
import fc from 'fast-check'
import { VdoError } from '../../src/base/errors.js'
import { formatSize, humanSize, parseSize } from '../../src/base/sizes.js'

function refusal(text: string): VdoError {
  try {
    parseSize(text, '--size')
  } catch (error) {
    if (error instanceof VdoError) return error
  }
  throw new Error(`"${text}" was not refused`)
}

describe('sizes', () => {
  it('are read in every unit, any case, with fractions', () => {
    const cases: [string, number][] = [
      ['1B', 1],
      ['8s', 4096],
      ['4K', 4096],
      ['4k', 4096],
      ['1', 2 ** 20],
      ['100M', 100 * 2 ** 20],
      ['4G', 2 ** 32],
      ['4GiB', 2 ** 32],
      ['0.25g', 2 ** 28],
      ['.5T', 2 ** 39],
      ['1.5', 1.5 * 2 ** 20],
      ['4P', 2 ** 52],
      ['0.0009765625E', 2 ** 50],
      ['1.0001K', 1024],
      [' 2G ', 2 ** 31],
    ]
    for (const [text, bytes] of cases) expect(parseSize(text, '--size'), text).to.equal(bytes)
    expect(parseSize('12', '--offset', 'B')).to.equal(12)
  })

  it('are refused with junk, a sign, or beyond what a number holds', () => {
    for (const text of [
      '',
      '-1',
      '12abc',
      '4GB',
      '4 G',
      '0x10',
      '1e3',
      '1.',
      'G',
      '4iB',
      '8SiB',
      '1,5G',
      'NaN',
    ]) {
      expect(refusal(text).code, text).to.equal('VDO_BAD_ARGUMENT')
    }
    expect(refusal('8P').message).to.equal('--size is 8P, wanted less than 8P')
    expect(refusal('16E').code).to.equal('VDO_BAD_ARGUMENT')
  })

  it('are printed with the largest letter that divides them, and read back', () => {
    expect(formatSize(754440172 * 1024)).to.equal('754440172K')
    expect(formatSize(10 * 2 ** 40)).to.equal('10T')
    expect(formatSize(1023)).to.equal('1023B')
    expect(formatSize(0)).to.equal('0B')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        return parseSize(formatSize(bytes), '--size') === bytes
      }),
      { seed: 11 },
    )
  })

  it('have a short form for people', () => {
    expect(humanSize(0)).to.equal('0B')
    expect(humanSize(1023)).to.equal('1023B')
    expect(humanSize(1024)).to.equal('1.0K')
    expect(humanSize(1536)).to.equal('1.5K')
    expect(humanSize(2 ** 20 - 1)).to.equal('1.0M')
    expect(humanSize(1.25 * 2 ** 40)).to.equal('1.3T')
    expect(humanSize(2 ** 52)).to.equal('4.0P')
  })
})
