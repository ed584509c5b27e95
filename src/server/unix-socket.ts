/** Listening on a Unix socket that belongs to its owner alone, in place of one that a dead server left behind. */

import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'

import { VdoError } from '../base/errors.js'

/** What a Unix socket's path may have, less its end mark. */
export const MAXIMUM_SOCKET_PATH = 107

/** Starts `server` on `path` with mode 0600. Rejects with the error of the system, or of what is in the way. */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  requireSocketPath(path)
  await removeStaleSocket(path)
  await withPrivateFiles(
    () =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ path }, () => {
          server.off('error', reject)
          resolve()
        })
      }),
  )
  chmodSync(path, 0o600)
}

/** Runs `start` so that files it creates are the owner's alone. Only the main thread can say so beforehand. */
function withPrivateFiles(start: () => Promise<void>): Promise<void> {
  if (!isMainThread) return start()
  const before = process.umask(0o177)
  try {
    return start()
  } finally {
    process.umask(before)
  }
}

/** A longer path would be cut by the system, and the socket lie somewhere else. */
function requireSocketPath(path: string): void {
  const size = Buffer.byteLength(path)
  if (size > MAXIMUM_SOCKET_PATH) {
    throw new VdoError(
      'VDO_CANNOT_LISTEN',
      `Cannot listen on ${path}: the path has ${size} bytes, wanted at most ${MAXIMUM_SOCKET_PATH}`,
    )
  }
  const folder = dirname(path)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new VdoError('VDO_CANNOT_LISTEN', `Cannot listen on ${path}: there is no folder ${folder}`)
  }
}

/** Removes a socket file that nobody listens on. Anything else in its place is left alone. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new VdoError(
      'VDO_ADDRESS_IN_USE',
      `Cannot listen on ${path}: something that is not a socket is there`,
    )
  }
  if (await isListening(path)) {
    throw new VdoError('VDO_ADDRESS_IN_USE', `Cannot listen on ${path}: another server is listening there`)
  }
  unlinkSync(path)
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => {
      probe.destroy()
      // Anything but a refusal (no permission, a full queue) leaves the file to its owner.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
    })
  })
}
