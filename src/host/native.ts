/**
 * The native helpers on Node: the kernel module of `assembly/` on the arena, CRC-32 from zlib, LZ4 from
 * lz4-wasm-nodejs. Each thread makes its own from the shared memory and the shared compiled module.
 */
import { readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { assert } from '../base/assert.js'
import { type Native, RECORD_NAME_SEED } from '../base/native.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { Lz4 } from './lz4.js'

/** Where the build leaves the kernel module, seen from the compiled form of this file. */
const KERNEL = new URL('../../assembly/kernel.wasm', import.meta.url)

/** The exports of `assembly/kernel.ts`. */
interface KernelExports {
  murmur3(at: number, length: number, seed: number, out: number): void
  isZero(at: number, length: number): number
  equal(a: number, b: number, length: number): number
  copy(to: number, from: number, length: number): void
  fill(at: number, value: number, length: number): void
}

/** Reads and compiles the kernel module. Done once a process; the module is then handed to each worker. */
export async function loadKernelModule(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(KERNEL))
}

/** The helpers of one thread over `memory`, which must be shared and must never grow. */
export function createNative(memory: WebAssembly.Memory, module: WebAssembly.Module): Native {
  assert(memory.buffer instanceof SharedArrayBuffer, 'the arena is shared memory')
  const instance = new WebAssembly.Instance(module, { env: { memory } })
  return new HostNative(instance.exports as unknown as KernelExports, new Lz4(new Uint8Array(memory.buffer)))
}

class HostNative implements Native {
  constructor(
    private readonly kernel: KernelExports,
    private readonly lz4: Lz4,
  ) {}

  crc32(bytes: Uint8Array, seed = 0): number {
    return crc32(bytes, seed)
  }

  recordName(at: number, out: number): void {
    this.kernel.murmur3(at, BLOCK_SIZE, RECORD_NAME_SEED, out)
  }

  isZero(at: number, length: number): boolean {
    return this.kernel.isZero(at, length) !== 0
  }

  equal(a: number, b: number, length: number): boolean {
    return this.kernel.equal(a, b, length) !== 0
  }

  copy(to: number, from: number, length: number): void {
    this.kernel.copy(to, from, length)
  }

  fill(at: number, value: number, length: number): void {
    this.kernel.fill(at, value, length)
  }

  compress(from: number, to: number, capacity: number): number {
    return this.lz4.compress(from, BLOCK_SIZE, to, capacity)
  }

  decompress(from: number, size: number, to: number): boolean {
    return this.lz4.decompress(from, size, to, BLOCK_SIZE)
  }
}
