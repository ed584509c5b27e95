/**
 * A hash lock: one for each set of identical writes in flight, and the states that it goes through.
 *
 * Every state but `Deduping` has exactly one *agent*, a member that does the state's work; the other members wait.
 * In `Deduping` all members are on their way with a reference to the same block, and nobody waits.
 *
 * ```mermaid
 * stateDiagram-v2
 *   Initializing --> Querying: the first member asks the index
 *   Initializing --> Writing: a fork, its references are used up elsewhere
 *   Querying --> Locking: advice
 *   Querying --> Writing: no advice
 *   Locking --> Verifying: the candidate is locked
 *   Locking --> Writing: it cannot be shared
 *   Verifying --> Deduping: equal, and a reference was claimed
 *   Verifying --> Unlocking: different
 *   Unlocking --> Writing: the candidate was no duplicate
 *   Unlocking --> Locking: done, but somebody came meanwhile
 *   Unlocking --> Bypassing: done
 *   Writing --> Deduping: others wait to share
 *   Writing --> Updating: the index does not know the place yet
 *   Writing --> Unlocking: the agent holds a share of a packed block
 *   Writing --> Bypassing: done
 *   Deduping --> Updating: the last member, the index does not know the place yet
 *   Deduping --> Unlocking: the last member
 *   Updating --> Deduping: somebody came meanwhile
 *   Updating --> Unlocking: a share is held
 *   Updating --> Bypassing: done
 * ```
 *
 * An agent that fails turns its lock to `Bypassing`, from wherever it is; all others then write for themselves.
 * A candidate is verified after every locking, the second time too: between two locks it may have been freed.
 */

export enum HashLockState {
  Initializing = 0,
  Querying = 1,
  Locking = 2,
  Verifying = 3,
  Deduping = 4,
  Unlocking = 5,
  Writing = 6,
  Updating = 7,
  /** Of no use any more: members leave, and with the last one the lock goes. */
  Bypassing = 8,
}

/** From each state, the states that a lock may enter next. */
export const NEXT_STATES: Readonly<Record<HashLockState, readonly HashLockState[]>> = {
  [HashLockState.Initializing]: [HashLockState.Querying, HashLockState.Writing],
  [HashLockState.Querying]: [HashLockState.Locking, HashLockState.Writing],
  [HashLockState.Locking]: [HashLockState.Verifying, HashLockState.Writing, HashLockState.Bypassing],
  [HashLockState.Verifying]: [HashLockState.Deduping, HashLockState.Unlocking],
  [HashLockState.Deduping]: [HashLockState.Updating, HashLockState.Unlocking, HashLockState.Bypassing],
  [HashLockState.Unlocking]: [HashLockState.Writing, HashLockState.Locking, HashLockState.Bypassing],
  [HashLockState.Writing]: [
    HashLockState.Deduping,
    HashLockState.Updating,
    HashLockState.Unlocking,
    HashLockState.Bypassing,
  ],
  [HashLockState.Updating]: [HashLockState.Deduping, HashLockState.Unlocking, HashLockState.Bypassing],
  [HashLockState.Bypassing]: [],
}

/** The same arrows as bits, for `mayFollow`. */
const NEXT_BITS = Uint16Array.from({ length: HashLockState.Bypassing + 1 }, (_, state) =>
  NEXT_STATES[state as HashLockState].reduce((bits, next) => bits | (1 << next), 0),
)

export function mayFollow(from: HashLockState, to: HashLockState): boolean {
  return (NEXT_BITS[from] & (1 << to)) !== 0
}
