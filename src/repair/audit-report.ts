/**
 * What an audit says: problems, each with a stable code, a place and a sentence; notes, which are worth knowing and
 * prove nothing wrong; and totals. Problems are counted without limit and kept up to one.
 */

/** What a problem is about; the summary counts by this. */
export type ProblemKind = 'mapping' | 'reference' | 'hint' | 'journal' | 'total'

/** Every problem that an audit can find, and what it is about. The names are part of the interface. */
export const PROBLEM_KINDS = {
  /** Formatted and never loaded: there is nothing to audit. */
  NEVER_STARTED: 'total',
  LOGICAL_BLOCKS_USED: 'total',
  BLOCK_MAP_DATA_BLOCKS: 'total',
  UNREADABLE_PAGE: 'mapping',
  /** A page of the tree that says it is another one. */
  BAD_PAGE: 'mapping',
  /** Block number and state of an entry do not go together, or not in a page of this height. */
  INVALID_ENTRY: 'mapping',
  /** An entry that leads to metadata, or to nowhere. */
  NOT_A_DATA_BLOCK: 'mapping',
  BEYOND_LOGICAL_SIZE: 'mapping',
  /** A page of the tree with two parents. */
  TREE_PAGE_SHARED: 'mapping',
  /** A logical block that is mapped to a page of the tree. */
  TREE_PAGE_MAPPED: 'mapping',
  UNREADABLE_DATA: 'mapping',
  /** Fragments are mapped in a block that does not hold them. */
  BAD_FRAGMENT: 'mapping',
  REFERENCE_COUNT: 'reference',
  /** More references than a counter can hold. */
  TOO_MANY_REFERENCES: 'reference',
  UNREADABLE_REFERENCES: 'reference',
  /** A counter for a block that the slab does not have. */
  STRAY_COUNTER: 'reference',
  /** A sector of counters that knows more than the slab journal. */
  COMMIT_POINT: 'reference',
  UNREADABLE_SUMMARY: 'hint',
  /** A summary entry with a combination that cannot be. */
  SUMMARY_ENTRY: 'hint',
  SUMMARY_HINT: 'hint',
  SLAB_JOURNAL_BLOCK: 'journal',
  SLAB_JOURNAL_ENTRY: 'journal',
  /** Recovery points of a slab that do not grow, or lie in the future. */
  RECOVERY_POINT: 'journal',
  UNREADABLE_JOURNAL: 'journal',
  /** The next sequence number to use was used. */
  JOURNAL_START: 'journal',
} as const satisfies Readonly<Record<string, ProblemKind>>

export type ProblemCode = keyof typeof PROBLEM_KINDS

export type NoteCode =
  /** The volume was not closed: what is on disk may lag behind. */
  | 'NOT_CLEAN'
  /** Counters of a slab are behind its journal, which was replayed for the comparison. */
  | 'DIRTY_SLAB'
  /** A page of the tree that was allocated and not written: it stands for an empty one. */
  | 'UNWRITTEN_PAGE'
  /** A counter that was written while its block was being allocated: it means free. */
  | 'PROVISIONAL_COUNTER'
  /** A block that is mapped both as a whole and by fragments. */
  | 'MIXED_MAPPING'
  /** A summary hint that is off by a step, or of a volume that was not closed. */
  | 'STALE_HINT'

/** Where: as much of it as applies. */
export interface Place {
  readonly lbn?: number
  readonly pbn?: number
  readonly slab?: number
}

export interface Problem extends Place {
  readonly code: ProblemCode
  readonly sentence: string
}

export interface Note extends Place {
  readonly code: NoteCode
  readonly sentence: string
}

export interface AuditTotals {
  /** Logical blocks in a mapped state, those that read as zeros included. */
  logicalBlocksUsed: number
  /** Of these, the ones that are mapped to the zero block. */
  zeroBlocks: number
  /** Of these, the ones that are mapped to a fragment. */
  compressedMappings: number
  /** Pages of the tree in slabs. */
  treePages: number
  /** Of these, the ones never written. */
  unwrittenPages: number
  /** Blocks of slabs with data that something is mapped to. */
  dataBlocks: number
  /** Of these, the ones that hold fragments. */
  compressedBlocks: number
  /** Blocks of slabs that counters say are in use: data and pages of the tree. */
  blocksInUse: number
  slabs: number
  /** Of these, the ones that were ever used. */
  usedSlabs: number
  dirtySlabs: number
  slabsWithErrors: number
}

/** How far the counters of a slab are off. */
export interface SlabErrors {
  readonly slab: number
  /** Its first and last data block. */
  readonly firstPbn: number
  readonly lastPbn: number
  /** How many counters are off by how much (stored minus found, -255 to 255), ascending. */
  readonly differences: readonly { readonly difference: number; readonly counters: number }[]
}

export interface AuditResult {
  readonly consistent: boolean
  /** The first of them; how many there are of each is in `problemCounts`. */
  readonly problems: readonly Problem[]
  readonly problemCounts: Readonly<Partial<Record<ProblemCode, number>>>
  readonly kindCounts: Readonly<Record<ProblemKind, number>>
  readonly notes: readonly Note[]
  readonly noteCounts: Readonly<Partial<Record<NoteCode, number>>>
  readonly totals: Readonly<AuditTotals>
  readonly slabErrors: readonly SlabErrors[]
}

/** Most differences that a counter can show either way. */
const DIFFERENCES = 255

/** Collects what the parts of an audit find. */
export class AuditReport {
  readonly totals: AuditTotals = {
    logicalBlocksUsed: 0,
    zeroBlocks: 0,
    compressedMappings: 0,
    treePages: 0,
    unwrittenPages: 0,
    dataBlocks: 0,
    compressedBlocks: 0,
    blocksInUse: 0,
    slabs: 0,
    usedSlabs: 0,
    dirtySlabs: 0,
    slabsWithErrors: 0,
  }
  private readonly problems: Problem[] = []
  private readonly problemCounts: Partial<Record<ProblemCode, number>> = {}
  private readonly notes: Note[] = []
  private readonly noteCounts: Partial<Record<NoteCode, number>> = {}
  private readonly slabsInError = new Set<number>()
  private readonly differences = new Map<number, Uint32Array>()

  constructor(
    private readonly keep: number,
    private readonly hear: (problem: Problem) => void,
  ) {}

  problem(code: ProblemCode, place: Place, sentence: string): void {
    const problem = { code, ...place, sentence }
    this.problemCounts[code] = (this.problemCounts[code] ?? 0) + 1
    if (this.problems.length < this.keep) this.problems.push(problem)
    if (place.slab !== undefined) this.slabsInError.add(place.slab)
    this.hear(problem)
  }

  note(code: NoteCode, place: Place, sentence: string): void {
    this.noteCounts[code] = (this.noteCounts[code] ?? 0) + 1
    if (this.notes.length < this.keep) this.notes.push({ code, ...place, sentence })
  }

  /** Enters a counter of `slab` into its histogram. */
  counterOff(slab: number, stored: number, found: number): void {
    let histogram = this.differences.get(slab)
    if (histogram === undefined) {
      histogram = new Uint32Array(2 * DIFFERENCES + 1)
      this.differences.set(slab, histogram)
    }
    const difference = Math.max(-DIFFERENCES, Math.min(DIFFERENCES, stored - found))
    histogram[difference + DIFFERENCES]++
  }

  finish(slabRange: (slab: number) => readonly [number, number]): AuditResult {
    this.totals.slabsWithErrors = this.slabsInError.size
    const kindCounts: Record<ProblemKind, number> = {
      mapping: 0,
      reference: 0,
      hint: 0,
      journal: 0,
      total: 0,
    }
    for (const [code, count] of Object.entries(this.problemCounts)) {
      kindCounts[PROBLEM_KINDS[code as ProblemCode]] += count
    }
    const slabErrors = [...this.differences].map(([slab, histogram]) => {
      const [firstPbn, lastPbn] = slabRange(slab)
      const differences: { difference: number; counters: number }[] = []
      histogram.forEach((counters, at) => {
        if (counters > 0) differences.push({ difference: at - DIFFERENCES, counters })
      })
      return { slab, firstPbn, lastPbn, differences }
    })
    return {
      consistent: Object.keys(this.problemCounts).length === 0,
      problems: this.problems,
      problemCounts: this.problemCounts,
      kindCounts,
      notes: this.notes,
      noteCounts: this.noteCounts,
      totals: this.totals,
      slabErrors,
    }
  }
}
