/**
 * A zone: a room's occupant, given state to one thread. It handles one message to the end and never awaits; what
 * must wait sits in a queue of the zone's own.
 */
export interface Zone {
  /** Handles one message. `op` is an opcode of the zone's room. */
  receive(op: number, operand: number): void
  /** Called once after each pass in which the thread moved messages: the place to start what is worth batching. */
  endPass?(): void
  /**
   * Finishes what a pass could not: an asynchronous device's completions land here. True if anything moved. Most
   * zones have none.
   */
  poll?(): boolean
}

/** How a zone sends. Never blocks: every ring holds all that can be in it. */
export interface Post {
  /** Sends an operand (most often a vio) on its way. */
  send(hop: number, operand: number): void
  /** Sends at or after a time, in milliseconds of the thread's clock. Cannot be taken back. */
  sendAt(deadlineMs: number, hop: number, operand: number): void
  /** The time of the present pass, in milliseconds. */
  readonly nowMs: number
}
