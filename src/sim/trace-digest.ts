/**
 * The digest of a run: every message that every zone got, in order. Two runs share it only if nothing differed.
 * Messages are gathered and digested by the kilobyte, for a digest costs more to call than to compute.
 */

/** A digest that can be begun anew: XXH3-128 from hash-wasm, made by the caller since making one takes a promise. */
export interface TraceHasher {
  init(): unknown
  update(bytes: Uint8Array): unknown
  digest(): string
}

const WORDS = 1024

export class TraceDigest {
  private readonly words = new Int32Array(WORDS)
  private readonly bytes = new Uint8Array(this.words.buffer)
  private count = 0
  private result: string | null = null

  /** Takes the hasher until `finish`. */
  constructor(private readonly hasher: TraceHasher) {
    hasher.init()
  }

  add(thread: number, word: number): void {
    this.words[this.count++] = thread
    this.words[this.count++] = word
    if (this.count === WORDS) this.pass()
  }

  /** 32 hexadecimal digits; nothing can be added any more. */
  finish(): string {
    if (this.result === null) {
      this.pass()
      this.result = this.hasher.digest()
    }
    return this.result
  }

  private pass(): void {
    this.hasher.update(this.bytes.subarray(0, this.count * 4))
    this.count = 0
  }
}
