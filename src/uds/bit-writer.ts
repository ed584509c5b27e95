/**
 * Writes fields one behind the other, each byte once: what `writeBits` does for a field anywhere. The lowest bit of a
 * field comes first.
 */
export class BitWriter {
  private bytes: Uint8Array = new Uint8Array(0)
  private at = 0
  /** Bits that are not a byte yet, and how many. */
  private rest = 0
  private count = 0

  /** Goes on at a bit of the bytes from `at` on. Bits of its byte below it are as they were. */
  begin(bytes: Uint8Array, at: number, bit: number): void {
    this.bytes = bytes
    this.at = at + (bit >>> 3)
    this.count = bit & 7
    this.rest = bytes[this.at] & ((1 << this.count) - 1)
  }

  /** A field of at most 24 bits. */
  put(value: number, bits: number): void {
    let rest = this.rest | (value << this.count)
    let count = this.count + bits
    for (; count >= 8; count -= 8, rest >>>= 8) this.bytes[this.at++] = rest
    this.rest = rest
    this.count = count
  }

  /** So many zeros and a one. */
  putUnary(zeros: number): void {
    let left = zeros
    for (; left >= 24; left -= 24) this.put(0, 24)
    this.put(1 << left, left + 1)
  }

  putBytes(bytes: Uint8Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) this.put(bytes[at + i], 8)
  }

  /** Writes the last bits; those above them in their byte become 0. */
  end(): void {
    if (this.count > 0) this.bytes[this.at] = this.rest
  }
}
