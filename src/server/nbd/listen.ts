/** Listening on an NBD address, and asking beforehand whether that will work. */

import { createServer, type Server } from 'node:net'

import { VdoError } from '../../base/errors.js'
import { listenOnUnixSocket } from '../unix-socket.js'
import { formatNbdUri, type NbdAddress, type NbdTcpAddress } from './uri.js'

/** Starts `server`; gives its address with the port that was picked. Rejects with a VdoError that names it. */
export async function listenOn(server: Server, address: NbdAddress): Promise<NbdAddress> {
  try {
    if (address.kind === 'tcp') return await listenOnPort(server, address)
    // Who may open the file may use the volume.
    await listenOnUnixSocket(server, address.path)
    return address
  } catch (cause) {
    throw cause instanceof VdoError ? cause : listenError(formatNbdUri(address), cause)
  }
}

/** Rejects as `listenOn` would, and leaves nothing behind: for a server that has work to do before it listens. */
export async function requireFree(address: NbdAddress): Promise<void> {
  const probe = createServer()
  await listenOn(probe, address)
  await new Promise<void>((resolve) => probe.close(() => resolve()))
}

function listenOnPort(server: Server, address: NbdTcpAddress): Promise<NbdAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve(bound !== null && typeof bound === 'object' ? { ...address, port: bound.port } : address)
    })
  })
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EADDRINUSE: 'the address is taken',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  ENOTFOUND: 'the name of the host is unknown',
}

function listenError(uri: string, cause: unknown): VdoError {
  const error = cause as NodeJS.ErrnoException
  const code = error.code ?? ''
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : error.message
  return new VdoError(
    code === 'EADDRINUSE' ? 'VDO_ADDRESS_IN_USE' : 'VDO_CANNOT_LISTEN',
    `Cannot listen on ${uri}: ${reason}`,
    { cause },
  )
}
