import { expect } from 'chai'
import { type OpenOptions, openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { refusalOf } from '../outcomes.js'
import { formatInMemory } from './memory-volume.js'

/** What a caller without a compiler may hand in. */
type Anything = OpenOptions & Record<string, unknown>

describe('a caller without a compiler', function () {
  this.timeout(30_000)

  const segments = (...sizes: number[]) => sizes.map((size) => new SharedArrayBuffer(size))
  const options: readonly (readonly [string, unknown, RegExp])[] = [
    ['no argument', undefined, /the argument is nothing, wanted a mapping with a device/],
    ['no device', {}, /device is missing, wanted the path of/],
    ['a number for a device', { device: 5 }, /device is 5, wanted the path of/],
    ['an empty path', { device: '' }, /device is "", wanted the path of/],
    ['a path with a NUL', { device: 'a\0b' }, /device is "a\\u0000b", wanted the path of/],
    ['no memory', { device: [] }, /device is an empty list, wanted/],
    ['memory that cannot be shared', { device: [new ArrayBuffer(4096)] }, /device is a list, wanted/],
    ['memory in odd pieces', { device: segments(8192, 4096) }, /a piece of the device has 4096 bytes/],
    ['memory in parts of blocks', { device: segments(5000) }, /5000 bytes, wanted .* a multiple of 4096/],
    ['a number for a profile', { device: 'x', threads: 7 }, /threads is 7, wanted the name/],
    ['a word for a switch', { device: 'x', compression: 'no' }, /compression is "no", wanted true or false/],
    ['an option that is not one', { device: 'x', treads: 'tiny' }, /has the unknown key 'treads'/],
    ['a size that is not one', { device: 'x', shape: { vios: 1 } }, /shape has the unknown key 'vios'/],
    ['a report that cannot hear', { device: 'x', report: 1 }, /report is 1, wanted a function/],
  ]
  for (const [what, given, says] of options) {
    it(`is told of ${what}`, async () => {
      const error = await refusalOf(openVolume(given as Anything))
      expect(error.message)
        .to.match(says)
        .and.match(/^Cannot open volume: [^\n]*$/)
      expect(error.code).to.equal('VDO_BAD_ARGUMENT')
    })
  }

  it('is told of requests that make no sense, and the volume goes on', async () => {
    const volume = await openVolume({ device: formatInMemory().segments, threads: 'tiny' })
    const loose = volume as unknown as Record<
      'read' | 'write' | 'discard',
      (...given: unknown[]) => Promise<void>
    >
    const wrong: readonly (readonly [keyof VdoVolume & keyof typeof loose, unknown[], RegExp])[] = [
      ['read', [-1, 10], /Cannot read: the offset is -1, wanted a whole number from 0/],
      ['read', [Number.NaN, 10], /the offset is NaN/],
      ['read', [0.5, 10], /the offset is 0\.5/],
      ['read', ['0', 10], /the offset is "0"/],
      ['read', [0, -1], /the length is -1/],
      ['read', [0, 1.5], /the length is 1\.5/],
      ['read', [0, undefined], /the length is nothing/],
      ['read', [0, 2 ** 52], /reaches beyond the logical size/],
      ['write', [Number.POSITIVE_INFINITY, new Uint8Array(1)], /the offset is Infinity/],
      ['write', [0, 'text'], /the data are "text", wanted a Uint8Array/],
      ['write', [0, [1, 2]], /the data are a list/],
      ['write', [0, null], /the data are nothing/],
      ['write', [0, new Uint16Array(4)], /the data are a mapping/],
      ['discard', [0, Number.NaN], /Cannot discard: the length is NaN/],
      ['discard', [volume.logicalSize, 1], /reaches beyond the logical size/],
    ]
    for (const [method, given, says] of wrong) {
      const error = await refusalOf(loose[method](...given))
      expect(error.message).to.match(says)
      expect(error.code).to.be.oneOf(['VDO_BAD_ARGUMENT', 'VDO_OUT_OF_RANGE'])
    }
    await volume.write(5, new Uint8Array([1, 2, 3]))
    expect([...(await volume.read(4, 5))]).to.deep.equal([0, 1, 2, 3, 0])
    expect(await volume.read(volume.logicalSize, 0)).to.have.length(0)
    await volume.close()
  })
})
