/** The world outside of the engine as this machine has it. */
import { randomInt } from 'node:crypto'
import type { IndexOutside } from '../uds/index-outside.js'

export function outsideOf(report: (sentence: string) => void): IndexOutside {
  return { wallMs: () => Date.now(), chance: () => randomInt(2 ** 32), report }
}
