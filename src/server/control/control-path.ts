/**
 * Where a running volume answers questions: a Unix socket beside its file (`FILE.sock`). Where no socket can be
 * there (a block device, a path too long for a socket) it lies in the folder for temporary files, under a name
 * made from the volume's path, so that both sides find it.
 */

import { createHash } from 'node:crypto'
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { MAXIMUM_SOCKET_PATH } from '../unix-socket.js'

const BESIDE = '.sock'

export function controlPath(device: string): string {
  const path = existing(device)
  const beside = `${path}${BESIDE}`
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? true
  if (isFile && Buffer.byteLength(beside) <= MAXIMUM_SOCKET_PATH) return beside
  const name = createHash('sha256').update(path).digest('hex').slice(0, 24)
  return join(tmpdir(), `vdo-${name}.sock`)
}

/** Files of a folder that have a socket beside them: each is being served, or was when its server was killed. */
export function perhapsServedIn(folder: string): string[] {
  const found = readdirSync(folder, { withFileTypes: true })
  const names = new Set(found.map(({ name }) => name))
  const files = found.filter((entry) => entry.isFile()).map(({ name }) => name)
  return files.filter((name) => names.has(`${name}${BESIDE}`)).sort()
}

/** The path without links, so that every name of a volume leads to the same socket. */
function existing(device: string): string {
  try {
    return realpathSync(device)
  } catch {
    return resolve(device)
  }
}
