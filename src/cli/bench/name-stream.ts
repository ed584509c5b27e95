/**
 * Names without end for the index part of the benchmark: number i of a seed is the same each time, so that what was
 * posted can be asked for again in the order of writing. As good as chance, and some nanoseconds each; no word
 * alone tells the number, so that keys meet as often as those of real names.
 */

export class NameStream {
  constructor(private readonly seed: number) {}

  /** Writes the 16 bytes of name `i` (below 2^32) to word `at` of `words`. */
  write(i: number, words: Uint32Array, at: number): void {
    const a = mix(i ^ this.seed)
    words[at] = a
    words[at + 1] = mix(Math.imul(i, 0x9e3779b1) + a)
    words[at + 2] = mix(Math.imul(i, 0x85ebca77) - a)
    words[at + 3] = mix(Math.imul(i, 0xc2b2ae3d) ^ a)
  }
}

/** The finaliser of MurmurHash3: each bit of a word changes half of the others. */
function mix(value: number): number {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}
