/**
 * Ctrl-C and its relatives: the first one asks to stop, a second Ctrl-C insists. One keystroke may arrive twice,
 * from the terminal and from a program such as npm that passes it on; a supervisor may repeat its request to stop
 * and never insists: it has SIGKILL.
 */

import { ExitStatus } from './exit-status.js'

/** What comes so soon after the first signal is the same one. */
const ECHO_MS = 500

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Listens from when it is made until the process ends. */
export class StopSignals {
  readonly first: Promise<NodeJS.Signals>
  /** Until a volume is open there is nothing to save. */
  onSecond = (): void => process.exit(ExitStatus.Failed)
  private firstAt: number | null = null

  constructor() {
    this.first = new Promise((stopAsked) => {
      for (const name of STOP_SIGNALS) {
        process.on(name, (signal) => {
          if (this.firstAt === null) {
            this.firstAt = performance.now()
            stopAsked(signal)
          } else if (signal === 'SIGINT' && performance.now() - this.firstAt >= ECHO_MS) {
            this.onSecond()
          }
        })
      }
    })
  }

  get seen(): boolean {
    return this.firstAt !== null
  }

  /** Nothing is left that could be lost. */
  done(): void {
    this.onSecond = () => process.exit()
  }
}
