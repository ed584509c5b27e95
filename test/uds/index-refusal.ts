import { IndexError } from '../../src/uds/index-error.js'

/** The `IndexError` that `action` throws. Any other outcome fails the test. */
export function indexRefusal(action: () => unknown): IndexError {
  try {
    action()
  } catch (error) {
    if (error instanceof IndexError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
