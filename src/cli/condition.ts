/** What a server says of its volume's condition: as it is found before it is opened, and whenever it changes then. */

import { VolumeState } from '../format/super-block.js'

/** A line for the log. */
export interface Remark {
  readonly level: 'error' | 'warn' | 'info'
  readonly sentence: string
}

/** The volume as it stands now. */
export interface Condition {
  readonly mode: string
  /** Null unless the mode is `read-only`. */
  readonly readOnlyReason: string | null
}

const UNCLOSED: Remark = {
  level: 'info',
  sentence:
    'The volume was not closed: its journal is replayed first, its slabs are counted while it is served',
}
const REBUILD: Remark = {
  level: 'warn',
  sentence: 'The volume is rebuilt first: its references are counted anew, by the block map alone',
}

/** What a load does about each state on disk. Nothing needs to be said of a volume that was closed. */
const FOUND: Readonly<Partial<Record<VolumeState, Remark>>> = {
  [VolumeState.Dirty]: UNCLOSED,
  [VolumeState.Replaying]: UNCLOSED,
  [VolumeState.Recovering]: {
    level: 'info',
    sentence: 'The volume was closed before it had recovered: its slabs are counted while it is served',
  },
  [VolumeState.ForceRebuild]: REBUILD,
  [VolumeState.RebuildForUpgrade]: REBUILD,
}

export class ConditionWatch {
  private mode = 'closed'

  constructor(
    /** As it stands on disk before the volume is opened. */
    private readonly state: VolumeState,
    /** What ends read-only mode, in the words of a shell. */
    private readonly mend: string,
  ) {}

  /** To be said before the volume is opened, for that may take a while. */
  get found(): Remark | null {
    if (this.state !== VolumeState.ReadOnly) return FOUND[this.state] ?? null
    return this.readOnly('warn', 'is in read-only mode, since an error or by command')
  }

  /** To be said now: the volume is open. */
  look({ mode, readOnlyReason }: Condition): Remark | null {
    const before = this.mode
    this.mode = mode
    if (mode === before) return null
    if (mode === 'read-only') return this.turnedReadOnly(before === 'closed', readOnlyReason)
    return before === 'recovering' ? { level: 'info', sentence: 'The volume has recovered' } : null
  }

  private turnedReadOnly(atOnce: boolean, reason: string | null): Remark | null {
    if (!atOnce) return this.readOnly('error', `has become read-only: ${reason}`)
    if (this.state === VolumeState.ReadOnly) return null
    const old = 'What is read may be older than what clients were promised'
    return this.readOnly('error', `came up read-only: ${reason}. ${old}`)
  }

  private readOnly(level: Remark['level'], what: string): Remark {
    const then = `It can be read, and takes no writes. To repair it, stop, and serve it again after: ${this.mend}`
    return { level, sentence: `The volume ${what}. ${then}` }
  }
}
