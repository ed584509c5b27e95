/** A sentence in shared memory: written by one thread, read by others once they are told to look. */
import type { Bump } from './bump.js'

/** What does not fit is cut off. */
const MAX_CHARACTERS = 480
const UNKNOWN = 63

export class SharedSentence {
  private readonly bytes: Uint8Array

  constructor(bump: Bump) {
    this.bytes = bump.uint8(MAX_CHARACTERS)
  }

  get text(): string {
    const end = this.bytes.indexOf(0)
    return String.fromCharCode(...this.bytes.subarray(0, end < 0 ? MAX_CHARACTERS : end))
  }

  /** Printable ASCII; anything else becomes a question mark. */
  set text(sentence: string) {
    this.bytes.fill(0)
    for (let i = 0; i < Math.min(sentence.length, MAX_CHARACTERS); i++) {
      const code = sentence.charCodeAt(i)
      this.bytes[i] = code >= 32 && code < 127 ? code : UNKNOWN
    }
  }
}
