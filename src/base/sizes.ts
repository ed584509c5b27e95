/**
 * Sizes as people write and read them: a number and a letter, in powers of 1024.
 *
 * | letter | bytes           | letter | bytes  |
 * |--------|-----------------|--------|--------|
 * | B      | 1               | G      | 1024^3 |
 * | S      | 512 (a sector)  | T      | 1024^4 |
 * | K      | 1024            | P      | 1024^5 |
 * | M      | 1024^2          | E      | 1024^6 |
 */

import { VdoError } from './errors.js'

const UNITS = 'KMGTPE'
const SECTOR = 512

/**
 * The bytes that a text stands for: a decimal number, a fraction if you like, and a letter in any case ("4G",
 * "0.5t", "512S"; "4GiB" too). Without a letter the number is in `unit`s. A fraction of a byte is dropped. Throws
 * a `VdoError` that names `what` when the text is no size, or one of 2^53 bytes and more.
 */
export function parseSize(text: string, what: string, unit = 'M'): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)([bskmgtpe])?(?:(?<=[kmgtpe])ib)?$/i.exec(text.trim())
  if (match === null) {
    throw new VdoError(
      'VDO_BAD_ARGUMENT',
      `${what} is "${text}", wanted a number and one of B S K M G T P E, such as 4G`,
    )
  }
  const bytes = exactly(match[1]!, bytesOf((match[2] ?? unit).toUpperCase()))
  if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(bytes)
  throw new VdoError('VDO_BAD_ARGUMENT', `${what} is ${text}, wanted less than 8P`)
}

/** A size as it is stored in configuration: whole, with the largest letter that divides it. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B'
  let value = bytes
  let letter = 'B'
  for (const unit of UNITS) {
    if (value % 1024 !== 0) break
    value /= 1024
    letter = unit
  }
  return `${value}${letter}`
}

/** A size as people read it: one decimal and the letter that keeps the number below 1024. */
export function humanSize(bytes: number): string {
  let value = bytes
  let letter = 'B'
  for (const unit of UNITS) {
    // What would be printed as 1024.0 belongs to the next letter.
    if (Math.round(value * 10) < 10240) break
    value /= 1024
    letter = unit
  }
  return letter === 'B' ? `${value}B` : `${value.toFixed(1)}${letter}`
}

function bytesOf(letter: string): bigint {
  if (letter === 'B') return 1n
  if (letter === 'S') return BigInt(SECTOR)
  return 1024n ** BigInt(UNITS.indexOf(letter) + 1)
}

/** `digits` times `unit`, rounded down, however many decimals there are. */
function exactly(digits: string, unit: bigint): bigint {
  const [whole = '', decimals = ''] = digits.split('.')
  return (BigInt(whole + decimals) * unit) / 10n ** BigInt(decimals.length)
}
