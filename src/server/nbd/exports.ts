/** The volumes that a server offers, by name. The first is also what the empty name means. */

import { VdoError } from '../../base/errors.js'
import type { ExportTarget } from '../../engine/export-target.js'
import { MAXIMUM_STRING, TransmissionFlag } from './protocol.js'

/** One volume under its name. */
export interface NbdExport {
  readonly name: string
  readonly description?: string
  /** Whether clients that attach now may only read. It may change: those that are attached keep what they were told. */
  readonly readOnly?: boolean
  readonly target: ExportTarget
}

const ALWAYS =
  TransmissionFlag.HasFlags |
  TransmissionFlag.SendFlush |
  TransmissionFlag.SendFua |
  TransmissionFlag.SendCache |
  // A flush is of the volume, not of the connection.
  TransmissionFlag.CanMultiConn

const WRITABLE = TransmissionFlag.SendTrim | TransmissionFlag.SendWriteZeroes | TransmissionFlag.SendFastZero

/** What a client learns of an export's abilities. */
export function transmissionFlags(nbdExport: NbdExport, structured: boolean): number {
  return (
    ALWAYS |
    (nbdExport.readOnly === true ? TransmissionFlag.ReadOnly : WRITABLE) |
    (structured ? TransmissionFlag.SendDf : 0)
  )
}

/** Exports by name. */
export class ExportTable {
  readonly all: readonly NbdExport[]
  private readonly byName = new Map<string, NbdExport>()

  constructor(exports: readonly NbdExport[]) {
    if (exports.length === 0)
      throw new VdoError('VDO_NBD_EXPORT', 'Cannot serve over NBD: no export is given')
    for (const each of exports) {
      if (new TextEncoder().encode(each.name).length > MAXIMUM_STRING) {
        throw new VdoError(
          'VDO_NBD_EXPORT',
          `Cannot serve over NBD: an export name is longer than ${MAXIMUM_STRING} bytes`,
        )
      }
      if (this.byName.has(each.name)) {
        throw new VdoError('VDO_NBD_EXPORT', `Cannot serve over NBD: two exports are named '${each.name}'`)
      }
      this.byName.set(each.name, each)
    }
    this.all = exports
  }

  find(name: string): NbdExport | undefined {
    return this.byName.get(name) ?? (name === '' ? this.all[0] : undefined)
  }
}
