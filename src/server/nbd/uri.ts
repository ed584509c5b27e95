/**
 * NBD addresses as text, and back: `nbd://host:port/name` and `nbd+unix:///name?socket=/path`. The name after the
 * slash is percent-encoded; an empty one is the default export.
 */

import { VdoError } from '../../base/errors.js'
import { DEFAULT_PORT, MAXIMUM_STRING } from './protocol.js'

/** Where an export is: a TCP port or a Unix socket, and its name there. */
export type NbdAddress = NbdTcpAddress | NbdUnixAddress

export interface NbdTcpAddress {
  readonly kind: 'tcp'
  readonly host: string
  readonly port: number
  readonly name: string
}

export interface NbdUnixAddress {
  readonly kind: 'unix'
  readonly path: string
  readonly name: string
}

/** A TCP address without a host means this machine alone. */
const LOOPBACK = '127.0.0.1'

/** Reads an address. Throws a VdoError that says what is wrong with it. */
export function parseNbdUri(text: string): NbdAddress {
  const scheme = /^([a-z+]+):\/\//i.exec(text)?.[1].toLowerCase()
  if (scheme === 'nbds' || scheme === 'nbds+unix') throw bad(text, 'TLS is not supported')
  if (scheme !== 'nbd' && scheme !== 'nbd+unix')
    throw bad(text, "it starts with neither 'nbd://' nor 'nbd+unix://'")
  const match = /^([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text.slice(scheme.length + 3))
  if (match === null) throw bad(text, 'it has a fragment')
  const [, authority, encodedName = '', query = ''] = match
  const name = decode(text, encodedName)
  const parameters = new URLSearchParams(query)
  for (const key of parameters.keys()) {
    if (key !== 'socket') throw bad(text, `the parameter '${key}' is unknown, wanted 'socket'`)
  }
  if (parameters.getAll('socket').length > 1) throw bad(text, "'socket' is given twice")
  const socket = parameters.get('socket')
  if (scheme === 'nbd+unix') {
    if (socket === null || socket === '') throw bad(text, "'?socket=PATH' is missing")
    if (authority !== '') throw bad(text, 'a Unix socket has no host: write three slashes')
    if (socket.includes('\0')) throw bad(text, 'its path has a NUL')
    return { kind: 'unix', path: socket, name }
  }
  if (socket !== null) throw bad(text, "a socket path needs the scheme 'nbd+unix'")
  return { kind: 'tcp', ...parseAuthority(text, authority), name }
}

/** Prints an address so that any NBD client reads it. */
export function formatNbdUri(address: NbdAddress): string {
  const name = encodeURIComponent(address.name)
  if (address.kind === 'unix') {
    // Slashes stay readable: they are legal in a query.
    return `nbd+unix:///${name}?socket=${encodeURIComponent(address.path).replaceAll('%2F', '/')}`
  }
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `nbd://${host}:${address.port}/${name}`
}

function parseAuthority(text: string, authority: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]@]*))(?::(\d*))?$/i.exec(authority)
  if (match === null) throw bad(text, `'${authority}' is not a host and a port`)
  const [, six, name, portText] = match
  const port = portText === undefined || portText === '' ? DEFAULT_PORT : Number(portText)
  if (port > 65535) throw bad(text, `port ${portText} is above 65535`)
  return { host: six ?? (name === '' ? LOOPBACK : name), port }
}

function decode(text: string, encoded: string): string {
  try {
    const name = decodeURIComponent(encoded)
    const size = Buffer.byteLength(name)
    if (size <= MAXIMUM_STRING && !name.includes('\0')) return name
  } catch {
    throw bad(text, 'its name is not percent-encoded UTF-8')
  }
  throw bad(text, `its name is not 0 to ${MAXIMUM_STRING} bytes without NUL`)
}

function bad(text: string, why: string): VdoError {
  return new VdoError('VDO_BAD_URI', `Cannot read NBD address '${text}': ${why}`)
}
