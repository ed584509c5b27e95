/**
 * LZ4 of single blocks through the raw exports of lz4-wasm-nodejs: one copy in, one copy out.
 *
 * The package's own wrapper copies twice and, given a damaged length, allocates what the block claims. Its raw
 * exports are not part of its types, so its version is pinned and `rawExports` proves that they are there. The
 * package is loaded once per thread; its memory is its own and may grow in any call, so views on it are looked at
 * again after each one. Its 4-byte size prefix never leaves this file: it is dropped after compression and
 * written here before expansion.
 */
import lz4Package from 'lz4-wasm-nodejs'

/** What the package's module exports, as wasm-bindgen names it. */
interface Lz4Exports {
  readonly memory: WebAssembly.Memory
  /** Frees its input. Leaves (pointer, length) at `result`. */
  compress(result: number, at: number, length: number): void
  /** Frees its input. Leaves (pointer, length, error, failed) at `result`. */
  decompress(result: number, at: number, length: number): void
  __wbindgen_add_to_stack_pointer(delta: number): number
  __wbindgen_malloc(size: number): number
  __wbindgen_free(at: number, size: number): void
}

const FUNCTIONS = [
  'compress',
  'decompress',
  '__wbindgen_add_to_stack_pointer',
  '__wbindgen_malloc',
  '__wbindgen_free',
] as const

const PREFIX_BYTES = 4
const RESULT_BYTES = 16

/** The package's raw exports, or an error that says what is missing. */
function rawExports(): Lz4Exports {
  const raw = (lz4Package as { __wasm?: Partial<Lz4Exports> }).__wasm
  if (!(raw?.memory instanceof WebAssembly.Memory)) {
    throw new Error('Cannot use lz4-wasm-nodejs: it does not export its memory; install the pinned version')
  }
  for (const name of FUNCTIONS) {
    if (typeof raw[name] !== 'function') {
      throw new Error(`Cannot use lz4-wasm-nodejs: it does not export ${name}; install the pinned version`)
    }
  }
  return raw as Lz4Exports
}

/** LZ4 between ranges of one arena. */
export class Lz4 {
  private readonly lz4 = rawExports()
  private bytes = new Uint8Array(this.lz4.memory.buffer)
  private words = new Int32Array(this.lz4.memory.buffer)

  constructor(private readonly arena: Uint8Array) {}

  /** Compresses `length` bytes at `from` to `to`. Returns the size, or 0 when it exceeds `capacity`. */
  compress(from: number, length: number, to: number, capacity: number): number {
    const { lz4 } = this
    const input = lz4.__wbindgen_malloc(length)
    this.look()
    this.bytes.set(this.arena.subarray(from, from + length), input)
    const result = lz4.__wbindgen_add_to_stack_pointer(-RESULT_BYTES)
    try {
      lz4.compress(result, input, length)
      this.look()
      const output = this.words[result >> 2]!
      const outputLength = this.words[(result >> 2) + 1]!
      const size = outputLength - PREFIX_BYTES
      const fits = size > 0 && size <= capacity
      if (fits) this.arena.set(this.bytes.subarray(output + PREFIX_BYTES, output + outputLength), to)
      lz4.__wbindgen_free(output, outputLength)
      return fits ? size : 0
    } finally {
      lz4.__wbindgen_add_to_stack_pointer(RESULT_BYTES)
    }
  }

  /** Expands `size` bytes at `from` to `to`. True only if that gives exactly `length` bytes. */
  decompress(from: number, size: number, to: number, length: number): boolean {
    const { lz4 } = this
    const input = lz4.__wbindgen_malloc(PREFIX_BYTES + size)
    this.look()
    const { bytes } = this
    bytes[input] = length
    bytes[input + 1] = length >> 8
    bytes[input + 2] = length >> 16
    bytes[input + 3] = length >> 24
    bytes.set(this.arena.subarray(from, from + size), input + PREFIX_BYTES)
    const result = lz4.__wbindgen_add_to_stack_pointer(-RESULT_BYTES)
    try {
      lz4.decompress(result, input, PREFIX_BYTES + size)
      this.look()
      const at = result >> 2
      const failed = this.words[at + 3] !== 0
      if (failed) return false
      const output = this.words[at]!
      const outputLength = this.words[at + 1]!
      const whole = outputLength === length
      if (whole) this.arena.set(this.bytes.subarray(output, output + length), to)
      lz4.__wbindgen_free(output, outputLength)
      return whole
    } catch {
      // A trap on damaged input is one more bad block to the caller; it leaves the stack where it stood.
      lz4.__wbindgen_add_to_stack_pointer(result - lz4.__wbindgen_add_to_stack_pointer(0))
      return false
    } finally {
      lz4.__wbindgen_add_to_stack_pointer(RESULT_BYTES)
    }
  }

  /** Any call may have grown the package's memory, which detaches the views on it. */
  private look(): void {
    if (this.bytes.buffer === this.lz4.memory.buffer) return
    this.bytes = new Uint8Array(this.lz4.memory.buffer)
    this.words = new Int32Array(this.lz4.memory.buffer)
  }
}
