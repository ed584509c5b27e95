/** What time it is: monotonic milliseconds. The host reads the machine's clock, the simulator its own. */
export interface Clock {
  /** Read once a pass by the reactor; zones see the reading, not the clock. */
  now(): number
}
