/** Shared memory of a size with the native helpers over it, for an engine in one thread, and a digest of its trace. */
import { createXXHash128 } from 'hash-wasm'
import { WASM_PAGE_BYTES } from '../engine/arena.js'
import { createNative, loadKernelModule } from './native.js'

/** Loads the kernel module once; each call of what it gives makes a memory of its own. */
export async function memoryLender() {
  const [kernel, hasher] = await Promise.all([loadKernelModule(), createXXHash128()])
  return (bytes: number) => {
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    return { buffer: memory.buffer, native: createNative(memory, kernel), hasher }
  }
}
