/**
 * Assertions that stay on. A broken invariant is not life but a defect: the thread that finds one throws, its
 * host marks the arena halted, and the engine stops without saving (see docs/ARCHITECTURE.md).
 */

/** A broken invariant. Never caught by zones. */
export class AssertionFailure extends Error {
  readonly code = 'VDO_ASSERTION_FAILED'

  constructor(message: string) {
    super(`Assertion failed: ${message}`)
    this.name = 'AssertionFailure'
  }
}

/** Throws unless `condition` holds. `message` is a constant string: hot paths must not build one. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** Marks a place that no value can reach, with a compile-time proof where the type allows one. */
export function unreachable(message: string, value?: never): never {
  throw new AssertionFailure(value === undefined ? message : `${message}: ${String(value)}`)
}
