/**
 * Waking a sleeper. Floor 1 knows only that a thread can be told to look at its rings; the host's doorbell uses
 * Atomics.notify or a message port, the simulator's does nothing because its scheduler looks for itself.
 */
export interface Doorbell {
  /** Called after something was published for that thread; must be cheap when the thread is awake. */
  ring(thread: number): void
}
