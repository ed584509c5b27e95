/** The log of a server, on standard error: a line for people, or one JSON object a line for programs. */

import { type Logger, pino } from 'pino'
import { oneOf } from './arguments.js'

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const readLogLevel = oneOf('--log-level', LOG_LEVELS)

/** Lines below `level` are dropped. */
export function createLog(level: LogLevel, asJson: boolean): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  // Written at once: what is said last, before a halt, must not be lost.
  const write = (line: string): void => void process.stderr.write(asJson ? line : plainLine(line))
  return pino(options, { write })
}

/** `2026-01-31T12:00:00.000Z warn  sentence` */
function plainLine(line: string): string {
  const { level, time, msg } = JSON.parse(line) as { level: string; time: string; msg: string }
  return `${time} ${level.padEnd(5)} ${msg.replaceAll(/\s*\n\s*/g, ' ')}\n`
}
