/** A deliberate fault of the engine: a few words of its source replaced by others. */
export interface Edit {
  /** Below `src/`, without its ending. */
  readonly file: string
  /** Stands exactly once in the source, and once in what is compiled of it: on one line, without types. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  readonly edits: readonly Edit[]
}

/** A mutant of one edit. */
export function mutant(name: string, file: string, find: string, replace: string): Mutant {
  return { name, edits: [{ file, find, replace }] }
}
