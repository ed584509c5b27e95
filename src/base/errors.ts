/**
 * Errors of the control plane: whatever a caller may want to tell apart has a stable `code`. A broken invariant
 * is not one of these (see assert.ts), and the data plane carries a small status in a column instead.
 */

/** Base of every error that this package throws on purpose. `code` is part of the interface, the text is not. */
export class VdoError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}
