/**
 * What each command may ask for: one row a command, and the check of a request against its row. Nothing here
 * changes anything, so that a refused request has had no effect.
 */

import { BLOCK_SIZE } from '../../format/constants.js'
import { Command, CommandFlag, MAXIMUM_PAYLOAD, NbdError } from './protocol.js'

interface CommandRules {
  /** Flags it may carry. FUA is legal on all and means nothing where nothing is written. */
  readonly flags: number
  /** The answer when it reaches beyond the end. */
  readonly beyondEnd: NbdError
  readonly changes: boolean
  /** Whether its length is bytes that travel, so that the largest payload bounds it. */
  readonly carries: boolean
}

const RULES: Readonly<Partial<Record<number, CommandRules>>> = {
  [Command.Read]: {
    flags: CommandFlag.Fua | CommandFlag.Df,
    beyondEnd: NbdError.Invalid,
    changes: false,
    carries: true,
  },
  [Command.Write]: { flags: CommandFlag.Fua, beyondEnd: NbdError.NoSpace, changes: true, carries: true },
  [Command.Flush]: { flags: CommandFlag.Fua, beyondEnd: NbdError.Invalid, changes: false, carries: false },
  [Command.Trim]: { flags: CommandFlag.Fua, beyondEnd: NbdError.Invalid, changes: true, carries: false },
  [Command.Cache]: { flags: CommandFlag.Fua, beyondEnd: NbdError.Invalid, changes: false, carries: false },
  [Command.WriteZeroes]: {
    flags: CommandFlag.Fua | CommandFlag.NoHole | CommandFlag.FastZero,
    beyondEnd: NbdError.NoSpace,
    changes: true,
    carries: false,
  },
}

/** The parts of a request that its check looks at. */
export interface RequestFacts {
  readonly command: number
  readonly flags: number
  readonly offset: number
  readonly length: number
}

/** Whether a request may run, and what to answer when it may not. DISC is not one of these. */
export function checkRequest(
  request: RequestFacts,
  sizeBytes: number,
  readOnly: boolean,
  structured: boolean,
): NbdError {
  const rules = RULES[request.command]
  if (rules === undefined) return NbdError.Invalid
  const allowed = structured ? rules.flags : rules.flags & ~CommandFlag.Df
  if ((request.flags & ~allowed) !== 0) return NbdError.Invalid
  if (request.command === Command.Flush) {
    return request.offset === 0 && request.length === 0 ? NbdError.None : NbdError.Invalid
  }
  if (rules.changes && readOnly) return NbdError.NotPermitted
  if (rules.carries && request.length > MAXIMUM_PAYLOAD) return NbdError.Invalid
  if (request.offset + request.length > sizeBytes) return rules.beyondEnd
  if ((request.flags & CommandFlag.FastZero) !== 0 && !wholeBlocks(request)) return NbdError.NotSupported
  return NbdError.None
}

/** Zeroing whole blocks is a change of the map alone; an edge inside a block means reading and writing it. */
function wholeBlocks(request: RequestFacts): boolean {
  return request.offset % BLOCK_SIZE === 0 && request.length % BLOCK_SIZE === 0
}
