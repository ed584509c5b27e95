/** Why the machine refused a file, in words, instead of the name of a call and a constant. */

import { type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { VdoError } from '../base/errors.js'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EBUSY: 'something else on this machine uses it',
  EDQUOT: 'the quota of its owner is used up',
  EFBIG: 'its file system holds no file of that size',
  EIO: 'its device fails',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links go in a circle',
  EMFILE: 'this process has too many files open',
  ENAMETOOLONG: 'its name is too long',
  ENOENT: 'it does not exist',
  ENOSPC: 'its file system is full',
  ENOTDIR: 'a part of its path is not a folder',
  EPERM: 'permission is denied',
  EROFS: 'its file system is read-only',
  ETXTBSY: 'it is being executed',
  ERR_INVALID_ARG_VALUE: 'its path is not one that a file can have',
}

/** What a call of the file system failed for; the text of Node where there is no better one. */
export function systemReason(error: unknown): string {
  const code = codeOf(error)
  const known = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
  return known ?? (error instanceof Error ? error.message : String(error))
}

/** The error of a file that cannot be used: `action` is what was wanted of it, as in `Cannot format`. */
export function fileError(action: string, path: string, cause: unknown): VdoError {
  const isMissing = codeOf(cause) === 'ENOENT'
  const folder = dirname(path)
  const reason =
    isMissing && folder !== '.' && statSync(folder, { throwIfNoEntry: false }) === undefined
      ? `the folder ${folder} does not exist`
      : systemReason(cause)
  const code = isMissing ? 'VDO_NOT_FOUND' : 'VDO_CANNOT_OPEN'
  return new VdoError(code, `${action} ${path === '' ? "''" : path}: ${reason}`, { cause })
}

/** What is at `path`, or undefined if nothing is; throws a VdoError when that cannot be known. */
export function statFile(action: string, path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw fileError(action, path, error)
  }
}

/** Whether the same call may succeed when it is made again. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EINTR' || code === 'EAGAIN'
}

/** The name of the machine's error, or of Node's; '' if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
