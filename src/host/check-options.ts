/** What a caller hands in, checked by a zod schema, and what is wrong with it in one line. */

import type { z } from 'zod'

/** The longest value that is shown as it is. */
const SHOWN = 60

/**
 * The sentence for what does not fit a schema: for each place its path, what was found there, and what is wanted.
 * The schema says what it wants as its `error`, and must be parsed with `reportInput`.
 */
export function describeIssues(error: z.ZodError, whole: string): string {
  return error.issues.map((issue) => describeIssue(issue, whole)).join('; ')
}

function describeIssue(issue: z.core.$ZodIssue, whole: string): string {
  const place = issue.path.length === 0 ? whole : issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => `'${key}'`).join(', ')
    return `${place} has the unknown ${issue.keys.length === 1 ? 'key' : 'keys'} ${keys}`
  }
  if (issue.input === undefined && issue.path.length > 0)
    return `${place} is missing, wanted ${issue.message}`
  return `${place} is ${show(issue.input)}, wanted ${issue.message}`
}

/** A value as people write it, on one line and not too long. */
export function show(value: unknown): string {
  if (typeof value === 'string') return shorten(JSON.stringify(value))
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  if (typeof value === 'object' && value !== null) return 'a mapping'
  if (value === undefined || value === null) return 'nothing'
  return shorten(`${value as string | number | boolean | bigint}`)
}

function shorten(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`
}
