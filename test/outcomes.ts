/** What became of a promise, for tests of what is refused. */

interface Refusal {
  readonly code: string
  readonly message: string
}

/** The error that the promise is rejected with. A promise that is kept fails the test. */
export function refusalOf(promise: Promise<unknown>): Promise<Refusal> {
  return promise.then(
    () => {
      throw new Error('nothing was refused')
    },
    (error: Refusal) => error,
  )
}

/** The code that the promise is rejected with; undefined if it is kept. */
export function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: Partial<Refusal>) => error.code ?? 'no code',
  )
}
