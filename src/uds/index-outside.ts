/** What the index needs of the world outside of the engine; the drivers hand it in. */
export interface IndexOutside {
  /** What the clock on the wall says, in ms since 1970. */
  wallMs(): number
  /** 32 bits that nobody could have known. */
  chance(): number
  /** Tells whoever runs the volume, in a sentence. */
  report(sentence: string): void
}
