import { expect } from 'chai'
import fc from 'fast-check'
import lz4 from 'lz4-wasm-nodejs'
import type { Native } from '../../src/base/native.js'
import { Prng } from '../../src/base/prng.js'
import { createNative, loadKernelModule } from '../../src/host/native.js'

const BLOCK = 4096
const PAGES = 4
const END = PAGES * 65536
const NAME = END - 64

describe('the native helpers', () => {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true })
  const arena = new Uint8Array(memory.buffer)
  let native: Native
  let module: WebAssembly.Module
  let exports: { murmur3(at: number, length: number, seed: number, out: number): void }

  before(async () => {
    module = await loadKernelModule()
    native = createNative(memory, module)
    exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as typeof exports
  })

  beforeEach(() => {
    arena.fill(0)
  })

  const hex = (at: number, length: number) => Buffer.from(arena.slice(at, at + length)).toString('hex')

  const name = (): string => {
    native.recordName(0, NAME)
    return hex(NAME, 16)
  }

  describe('record names', () => {
    it('are what the kernel computes', () => {
      expect(name()).to.equal('81a3ec86657ee7844a63fd811c8008b7')
      arena.fill(0xff, 0, BLOCK)
      expect(name()).to.equal('2cf69009d52d6d3523e969b0c066121a')
      for (let at = 0; at < BLOCK; at++) arena[at] = at
      expect(name()).to.equal('e780e2dafd9f88cdac7f54d5960be94c')
    })

    it('change with any byte', () => {
      const plain = name()
      for (const at of [0, 7, 8, 15, 16, 4080, 4095]) {
        arena[at] = 1
        expect(name()).to.not.equal(plain)
        arena[at] = 0
      }
    })
  })

  describe('MurmurHash3 x64-128', () => {
    const hash = (length: number, seed: number): string => {
      exports.murmur3(0, length, seed, NAME)
      return hex(NAME, 16)
    }

    it('gives the published values for short input', () => {
      expect(hash(0, 0x62ea60be)).to.equal('59fa93fb5bf05b18f08dec3848cb37a9')
      expect(hash(8, 0x62ea60be)).to.equal('6ffefd6449662babc8b3e1e2aa468cee')
      arena[0] = 1
      expect(hash(8, 0x62ea60be)).to.equal('b3c7c5f7461182172cf1861ed9481342')
    })

    it('gives the published value for a sentence that ends within a word', () => {
      arena.set(new TextEncoder().encode('The quick brown fox jumps over the lazy dog'))
      // Published as two 64-bit numbers; stored with their low bytes first.
      expect(hash(43, 0)).to.equal('6c1b07bc7bbc4be347939ac4a93c437a')
    })
  })

  describe('the zero test', () => {
    it('sees a single bit anywhere in a block', () => {
      expect(native.isZero(BLOCK, BLOCK)).to.equal(true)
      for (let at = BLOCK; at < 2 * BLOCK; at++) {
        arena[at] = 0x80
        if (native.isZero(BLOCK, BLOCK)) expect.fail(`byte ${at} was not seen`)
        arena[at] = 0
      }
      arena[BLOCK - 1] = 1
      arena[2 * BLOCK] = 1
      expect(native.isZero(BLOCK, BLOCK)).to.equal(true)
    })

    it('takes any length', () => {
      for (const length of [0, 1, 7, 8, 63, 64, 65, 512, 1000]) {
        expect(native.isZero(1, length)).to.equal(true)
        arena[length] = 1
        expect(native.isZero(1, length)).to.equal(length === 0)
        arena[length] = 0
      }
    })

    it('reaches the last byte of the arena', () => {
      expect(native.isZero(END - BLOCK, BLOCK)).to.equal(true)
      arena[END - 1] = 1
      expect(native.isZero(END - BLOCK, BLOCK)).to.equal(false)
    })
  })

  describe('comparison', () => {
    it('sees a difference anywhere in a block', () => {
      new Prng(1).fill(arena.subarray(0, BLOCK))
      native.copy(BLOCK, 0, BLOCK)
      expect(native.equal(0, BLOCK, BLOCK)).to.equal(true)
      for (let at = 0; at < BLOCK; at++) {
        arena[at] = arena[at]! ^ 1
        if (native.equal(0, BLOCK, BLOCK)) expect.fail(`byte ${at} was not seen`)
        arena[at] = arena[at]! ^ 1
      }
    })

    it('takes any length', () => {
      for (const length of [0, 1, 15, 64, 100]) {
        arena[length] = 1
        expect(native.equal(0, 1000, length)).to.equal(true)
        expect(native.equal(0, 1000, length + 1)).to.equal(false)
        arena[length] = 0
      }
    })
  })

  it('copy and fill touch their range and nothing else', () => {
    native.fill(100, 0x1ab, 50)
    expect(hex(99, 3)).to.equal('00abab')
    expect(hex(148, 3)).to.equal('abab00')
    native.copy(120, 100, 50)
    expect(hex(168, 3)).to.equal('abab00')
    native.copy(1000, 99, 2)
    expect(hex(999, 4)).to.equal('0000ab00')
  })

  it('crc32 is that of zlib and goes on from a seed', () => {
    const text = new TextEncoder().encode('123456789')
    expect(native.crc32(text)).to.equal(0xcbf43926)
    expect(native.crc32(text.subarray(4), native.crc32(text.subarray(0, 4)))).to.equal(0xcbf43926)
    arena.set(text, 50)
    expect(native.crc32(arena.subarray(50, 59))).to.equal(0xcbf43926)
  })

  describe('LZ4', () => {
    const FROM = BLOCK
    const TO = 4 * BLOCK
    const BACK = 8 * BLOCK

    /** A block of `noise` random bytes, the rest zeros. */
    const halfNoise = (noise: number, seed: number) => {
      arena.fill(0, FROM, FROM + BLOCK)
      new Prng(seed).fill(arena.subarray(FROM, FROM + noise))
    }

    it('gives back every block that fits', () => {
      fc.assert(
        fc.property(fc.nat(3900), fc.nat(), (noise, seed) => {
          halfNoise(noise, seed)
          const size = native.compress(FROM, TO, 4059)
          expect(size).to.be.within(1, 4059)
          expect(native.decompress(TO, size, BACK)).to.equal(true)
          expect(native.equal(FROM, BACK, BLOCK)).to.equal(true)
        }),
        { seed: 8, numRuns: 100 },
      )
    })

    it('takes 1,938 bytes for 1,900 random ones and zeros', () => {
      halfNoise(1900, 1)
      expect(native.compress(FROM, TO, 4059)).to.be.within(1900, 1940)
    })

    it('stores no size prefix', () => {
      halfNoise(1000, 2)
      const size = native.compress(FROM, TO, 4059)
      const whole = lz4.compress(arena.slice(FROM, FROM + BLOCK))
      expect(size).to.equal(whole.length - 4)
      expect(hex(TO, size)).to.equal(Buffer.from(whole.subarray(4)).toString('hex'))
    })

    it('writes nothing when the result does not fit', () => {
      halfNoise(BLOCK, 3)
      expect(native.compress(FROM, TO, 4059)).to.equal(0)
      halfNoise(1000, 3)
      const size = native.compress(FROM, TO, 4059)
      arena.fill(0, TO, TO + BLOCK)
      expect(native.compress(FROM, TO, size - 1)).to.equal(0)
      expect(native.isZero(TO, BLOCK)).to.equal(true)
      expect(native.compress(FROM, TO, size)).to.equal(size)
    })

    it('expands a block that another encoder made', () => {
      // One literal, then a match of 4090 bytes at distance 1, then the five literals that must end a block.
      const extra = 4090 - 4 - 15
      const lengths = [...Array.from({ length: Math.floor(extra / 255) }, () => 255), extra % 255]
      const block = [0x1f, 0x41, 1, 0, ...lengths, 0x50, 0x41, 0x41, 0x41, 0x41, 0x42]
      arena.set(block, TO)
      expect(native.decompress(TO, block.length, BACK)).to.equal(true)
      expect(arena[BACK]).to.equal(0x41)
      expect(arena[BACK + 4094]).to.equal(0x41)
      expect(arena[BACK + 4095]).to.equal(0x42)
    })

    it('refuses a block that gives less or more than 4096 bytes and writes nothing', () => {
      for (const length of [0, 100, 4095, 4097, 9000]) {
        const other = lz4.compress(new Uint8Array(length)).subarray(4)
        arena.set(other, TO)
        expect(native.decompress(TO, other.length, BACK), `${length}`).to.equal(false)
        expect(native.isZero(BACK, BLOCK)).to.equal(true)
      }
      expect(native.decompress(TO, 0, BACK)).to.equal(false)
    })

    it('survives damage of any kind and still works', () => {
      const prng = new Prng(4)
      halfNoise(300, 5)
      const size = native.compress(FROM, TO, 4059)
      const good = arena.slice(TO, TO + size)
      let refused = 0
      for (let round = 0; round < 3000; round++) {
        arena.set(good, TO)
        for (let n = prng.between(1, 4); n > 0; n--) arena[TO + prng.below(size)] = prng.u32()
        const cut = prng.chance(0.3) ? prng.below(size) : size
        arena[BACK + BLOCK] = 0x77
        if (!native.decompress(TO, cut, BACK)) refused++
        expect(arena[BACK + BLOCK]).to.equal(0x77)
      }
      expect(refused).to.be.greaterThan(100)
      arena.set(good, TO)
      expect(native.decompress(TO, size, BACK)).to.equal(true)
      expect(native.equal(FROM, BACK, BLOCK)).to.equal(true)
    })

    it('does not grow its memory, whatever the blocks are', () => {
      const { memory: own } = (lz4 as unknown as { __wasm: { memory: WebAssembly.Memory } }).__wasm
      const before = own.buffer.byteLength
      for (let round = 0; round < 2000; round++) {
        halfNoise(round * 2, round)
        const size = native.compress(FROM, TO, 4059)
        if (size > 0) native.decompress(TO, size, BACK)
        native.decompress(TO, 100, BACK)
      }
      expect(own.buffer.byteLength).to.equal(before)
    })
  })
})
