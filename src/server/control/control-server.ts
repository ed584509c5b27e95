/**
 * Answers questions about a running volume on a Unix socket: JSON-RPC 2.0, one request a line, one answer a line.
 * Only the owner of the volume may connect. A question is answered from what the process already knows and
 * disturbs no zone.
 */

import { createServer, type Server, type Socket } from 'node:net'

import { listenOnUnixSocket } from '../unix-socket.js'

/** The methods by name, in lower case; each gives its result or a promise of it, or throws. */
export type ControlMethods = Readonly<Record<string, () => unknown>>

const MAXIMUM_LINE = 64 * 1024
const MAXIMUM_CLIENTS = 16

/** JSON-RPC's own error codes. */
enum RpcError {
  Parse = -32700,
  InvalidRequest = -32600,
  MethodNotFound = -32601,
  Internal = -32603,
}

export async function serveControl(path: string, methods: ControlMethods): Promise<ControlServer> {
  const server = new ControlServer(methods)
  await server.listen(path)
  return server
}

export class ControlServer {
  private readonly listener: Server
  private readonly sockets = new Set<Socket>()

  constructor(private readonly methods: ControlMethods) {
    this.listener = createServer((socket) => this.accept(socket))
    this.listener.maxConnections = MAXIMUM_CLIENTS
  }

  async listen(path: string): Promise<void> {
    await listenOnUnixSocket(this.listener, path)
    this.listener.on('error', () => {})
  }

  /** Ends at once: a question can be asked again. Removes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.listener.close(() => resolve()))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  private accept(socket: Socket): void {
    let text = ''
    // Answers leave in the order of their questions, also when one takes long.
    let last = Promise.resolve()
    this.sockets.add(socket)
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('data', (piece: string) => {
      text += piece
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) if (line.trim() !== '') last = last.then(() => this.answerTo(socket, line))
      // A client that asks and does not listen, or never ends its line, is not worth keeping.
      if (text.length > MAXIMUM_LINE || socket.writableLength > MAXIMUM_LINE) socket.destroy()
    })
  }

  private async answerTo(socket: Socket, line: string): Promise<void> {
    const answer = await this.answer(line)
    if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`)
  }

  private async answer(line: string): Promise<unknown> {
    let request: unknown
    try {
      request = JSON.parse(line)
    } catch {
      return failure(null, RpcError.Parse, 'the line is not JSON')
    }
    if (typeof request !== 'object' || request === null || !('method' in request)) {
      return failure(null, RpcError.InvalidRequest, 'the request has no method')
    }
    const id = 'id' in request && isId(request.id) ? request.id : null
    const method = typeof request.method === 'string' ? request.method.toLowerCase() : ''
    const run = Object.hasOwn(this.methods, method) ? this.methods[method] : undefined
    if (run === undefined) return failure(id, RpcError.MethodNotFound, 'there is no such method')
    try {
      return { jsonrpc: '2.0', id, result: await run() }
    } catch (error) {
      return failure(id, RpcError.Internal, error instanceof Error ? error.message : String(error))
    }
  }
}

type Id = string | number | null

function isId(value: unknown): value is Id {
  return typeof value === 'string' || typeof value === 'number' || value === null
}

function failure(id: Id, code: RpcError, message: string): unknown {
  return { jsonrpc: '2.0', id, error: { code, message } }
}
