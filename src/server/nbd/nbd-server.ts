/**
 * Serves volumes over NBD: listens on one address, gives each client a Connection, and visits the connections
 * that have something to do once a turn of the event loop.
 *
 * Runs on the front end's thread, as the targets do. Closing stops accepting, lets every request in flight end,
 * and then closes the sockets; clients that do not take their answers are cut off after a while.
 */

import { createServer, type Server, type Socket } from 'node:net'

import { VdoError } from '../../base/errors.js'
import { Connection, type ConnectionHost } from './connection.js'
import { ExportTable, type NbdExport } from './exports.js'
import { listenOn } from './listen.js'
import { BufferPool } from './request.js'
import { formatNbdUri, type NbdAddress, parseNbdUri } from './uri.js'

/** What a server is made of. */
export interface NbdServerOptions {
  /** Where to listen: an NBD URI. Its name, when it has one, is that of an export. Port 0 picks a free one. */
  readonly uri: string
  readonly exports: readonly NbdExport[]
  /** Clients at a time; more are turned away. */
  readonly maximumConnections?: number
  /** How long a client may take to choose an export. */
  readonly handshakeTimeoutMs?: number
  /** How long `close` waits for clients that do not take their answers. */
  readonly closeTimeoutMs?: number
  /** Hears in a sentence what clients do, for a log. */
  readonly hear?: (level: 'warn' | 'info' | 'debug', sentence: string) => void
}

const MAXIMUM_CONNECTIONS = 100
const HANDSHAKE_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 10_000
/** Bytes of each size of idle buffer that are kept. */
const IDLE_BUFFER_BYTES = 8 * 1024 * 1024

/** Starts listening, and resolves when clients can connect. */
export async function serveNbd(options: NbdServerOptions): Promise<NbdServer> {
  const server = new NbdServer(options)
  await server.listen()
  return server
}

/** An NBD server on one address. */
export class NbdServer implements ConnectionHost {
  readonly exports: ExportTable
  readonly buffers = new BufferPool(IDLE_BUFFER_BYTES)
  readonly handshakeTimeoutMs: number
  private readonly closeTimeoutMs: number
  private readonly listener: Server
  private readonly connections = new Set<Connection>()
  private due: Connection[] = []
  private visiting: Connection[] = []
  private readonly visitDue = () => this.visit()
  private address: NbdAddress
  private closing: Promise<void> | undefined
  private allGone: (() => void) | undefined
  private readonly hear: NonNullable<NbdServerOptions['hear']>
  private clientCount = 0

  constructor(options: NbdServerOptions) {
    this.address = parseNbdUri(options.uri)
    this.exports = new ExportTable(options.exports)
    if (this.exports.find(this.address.name) === undefined) {
      throw new VdoError('VDO_NBD_EXPORT', `Cannot serve ${options.uri}: no export has the name in it`)
    }
    this.handshakeTimeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS
    this.closeTimeoutMs = options.closeTimeoutMs ?? CLOSE_TIMEOUT_MS
    this.listener = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.accept(socket),
    )
    const most = options.maximumConnections ?? MAXIMUM_CONNECTIONS
    this.listener.maxConnections = most
    this.hear = options.hear ?? (() => {})
    this.listener.on('drop', () => this.hear('warn', `A client was turned away: ${most} are connected`))
  }

  /** The address that clients use, with the port that was picked. */
  get uri(): string {
    return formatNbdUri(this.address)
  }

  /** Clients that are connected now. */
  get connectionCount(): number {
    return this.connections.size
  }

  async listen(): Promise<void> {
    this.address = await listenOn(this.listener, this.address)
    // A connection that fails while it is being accepted does not concern the others.
    this.listener.on('error', () => {})
  }

  /** Stops accepting, finishes what is in flight, closes every connection. */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  mark(connection: Connection): void {
    if (connection.marked) return
    connection.marked = true
    if (this.due.length === 0) process.nextTick(this.visitDue)
    this.due.push(connection)
  }

  attached({ client }: Connection, name: string): void {
    this.hear('info', `Client ${client} is attached${name === '' ? '' : ` to '${name}'`}`)
  }

  closed(connection: Connection): void {
    this.connections.delete(connection)
    const { client, isAttached, fault } = connection
    this.hear(isAttached ? 'info' : 'debug', `Client ${client} has left${fault === '' ? '' : `: ${fault}`}`)
    if (this.connections.size === 0) this.allGone?.()
  }

  private accept(socket: Socket): void {
    this.clientCount += 1
    const connection = new Connection(socket, this, this.clientCount)
    this.connections.add(connection)
    const from = socket.remoteAddress === undefined ? '' : ` from ${socket.remoteAddress}`
    this.hear('debug', `Client ${this.clientCount} has connected${from}`)
    if (this.closing !== undefined) connection.stop()
  }

  private visit(): void {
    const now = this.due
    this.due = this.visiting
    this.visiting = now
    for (const connection of now) connection.visit()
    now.length = 0
  }

  private async shutDown(): Promise<void> {
    if (!this.listener.listening) return
    // Closing removes the socket file as well.
    const closed = new Promise<void>((resolve) => this.listener.close(() => resolve()))
    for (const connection of this.connections) connection.stop()
    const late = setTimeout(() => {
      for (const connection of this.connections) connection.abandon()
    }, this.closeTimeoutMs)
    if (this.connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.allGone = resolve
      })
    }
    clearTimeout(late)
    await closed
  }
}
