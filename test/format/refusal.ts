import { FormatError } from '../../src/format/format-error.js'

/** The `FormatError` that `action` throws. Any other outcome fails the test. */
export function refusal(action: () => unknown): FormatError {
  try {
    action()
  } catch (error) {
    if (error instanceof FormatError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
