/** From a status of the data plane to an error of the control plane. */
import { VdoError } from '../base/errors.js'
import { STATUS_FACTS, type Status } from '../base/status.js'

/** `action` is what failed, as in `Cannot write`. */
export function statusError(action: string, status: Status): VdoError {
  const { code, sentence } = STATUS_FACTS[status]
  return new VdoError(code, `${action}: ${sentence}`)
}
