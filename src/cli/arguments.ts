/** Reading the values of options: what is wrong is told with the option, what was found, and what is wanted. */

import { VdoError } from '../base/errors.js'
import { parseSize } from '../base/sizes.js'
import { MAXIMUM_SLAB_BITS, MINIMUM_SLAB_BITS } from '../format/constants.js'

/** The refusal of an option's value. */
export function badArgument(option: string, found: string, wanted: string): VdoError {
  return new VdoError('VDO_BAD_ARGUMENT', `${option} is "${found}", wanted ${wanted}`)
}

/** Reads a decimal whole number within limits; nothing else may stand beside it. */
export function wholeNumber(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw badArgument(option, text, `a whole number from ${least} to ${most}`)
  }
}

/** Reads a decimal number, a fraction if you like, within limits. */
export function decimalNumber(option: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw badArgument(option, text, `a number from ${least} to ${most}`)
  }
}

/** Reads a size in bytes, written with a unit or in MiB. */
export function sizeInBytes(option: string): (text: string) => number {
  return (text) => parseSize(text, option)
}

/** What `--slab-bits` is, for help. */
export const SLAB_BITS = `a slab has 2^bits blocks of 4K, ${MINIMUM_SLAB_BITS} to ${MAXIMUM_SLAB_BITS}`
export const readSlabBits = wholeNumber('--slab-bits', MINIMUM_SLAB_BITS, MAXIMUM_SLAB_BITS)

/** Reads one of a few words. */
export function oneOf<Word extends string>(option: string, words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    throw badArgument(option, text, `one of ${words.join(', ')}`)
  }
}

/** Reads values that commas separate, at least one. */
export function listOf<T>(option: string, read: (text: string) => T): (text: string) => T[] {
  return (text) => {
    const words = text.split(',').map((word) => word.trim())
    if (words.includes('')) throw badArgument(option, text, 'values with commas between them')
    return words.map((word) => read(word))
  }
}

/** Reads whole numbers up to `most` and ranges of them, like `3,17-19`, or a word for none; gives them ascending, each once. */
export function numberRanges(option: string, none: string, most: number): (text: string) => number[] {
  return (text) => {
    if (text === none) return []
    const ranges = listOf(option, (range) => {
      const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range)
      const first = Number(match?.[1])
      const last = Number(match?.[2] ?? first)
      if (!(first <= last && last <= most))
        throw badArgument(option, text, `numbers up to ${most} and ranges like 3,17-19, or ${none}`)
      return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    })(text)
    return [...new Set(ranges.flat())].sort((a, b) => a - b)
  }
}
