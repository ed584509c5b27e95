/** A client's request on its way through the front end, which uses the object again when the request is answered. */
import { Status } from '../base/status.js'
import type { Client } from './client.js'
import type { Completion } from './export-target.js'

export enum RequestKind {
  Read,
  Write,
  /** Unmaps whole blocks, zeroes what is left at the edges. */
  Discard,
}

/** Vios of one request in flight: each has a block, or of a discard as many as it walks. */
export const VIOS_PER_REQUEST = 256

export const NO_BYTES = new Uint8Array(0)
export const IGNORE: Completion = () => {}

export class Request {
  kind = RequestKind.Read
  /** Bytes: where it starts, where the next vio starts, where it ends. */
  start = 0
  next = 0
  end = 0
  fua = false
  bytes: Uint8Array = NO_BYTES
  done: Completion = IGNORE
  /** Its blocks that are launched and not answered. */
  inFlight = 0
  /** It is a discard that waits, and was counted, since discards have all vios that they may; until it gets one. */
  awaitsVio = false
  status: Status = Status.Success

  constructor(public client: Client) {}
}
