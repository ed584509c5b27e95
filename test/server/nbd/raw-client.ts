/**
 * A client that speaks NBD byte by byte and hides nothing: it sends what it is told, right or wrong, and hands
 * back what it hears. It has its own numbers and its own encoding, so that it agrees with the server only where
 * the protocol does.
 */

import { connect, type Socket } from 'node:net'

export const OPT = { exportName: 1, abort: 2, list: 3, startTls: 5, info: 6, go: 7, structured: 8 }
export const REP = { ack: 1, server: 2, info: 3 }
export const ERR = {
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  unknown: 0x80000006,
  tooBig: 0x80000009,
}
export const CMD = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  zeroes: 6,
  blockStatus: 7,
  resize: 8,
}
export const FLAG = { fua: 1, noHole: 2, df: 4, reqOne: 8, fastZero: 16, payloadLength: 32 }
export const E = { perm: 1, io: 5, invalid: 22, noSpace: 28, overflow: 75, notSupported: 95, shutdown: 108 }

export interface OptionAnswer {
  readonly option: number
  readonly type: number
  readonly data: Buffer
}

export interface Reply {
  readonly cookie: bigint
  readonly error: number
  readonly data: Buffer
}

/** Big-endian bytes: each part is [size, value], text, or bytes. */
export function pack(...parts: ([number, number | bigint] | string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part)
      if (part instanceof Uint8Array) return Buffer.from(part)
      const [size, value] = part
      return Buffer.from(
        BigInt(value)
          .toString(16)
          .padStart(2 * size, '0')
          .slice(-2 * size),
        'hex',
      )
    }),
  )
}

export function option(number: number, data: Uint8Array = Buffer.alloc(0), length = data.length): Buffer {
  return pack('IHAVEOPT', [4, number], [4, length], data)
}

/** The data of GO and INFO. */
export function question(name: string | Uint8Array, types: number[] = []): Buffer {
  const bytes = Buffer.from(name)
  return pack(
    [4, bytes.length],
    bytes,
    [2, types.length],
    ...types.map((type): [number, number] => [2, type]),
  )
}

export function request(
  command: number,
  cookie: number | bigint,
  offset: number | bigint,
  length: number,
  flags = 0,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  return pack([4, 0x25609513], [2, flags], [2, command], [8, cookie], [8, offset], [4, length], payload)
}

export class RawClient {
  private received: Buffer[] = []
  private available = 0
  private ended = false
  private wake = (): void => {}
  structured = false
  /** Lengths of the reads in flight, which a simple reply does not repeat. */
  readonly reads = new Map<bigint, number>()

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received.push(chunk)
      this.available += chunk.length
      this.wake()
    })
    const end = (): void => {
      this.ended = true
      this.wake()
    }
    socket.on('end', end)
    socket.on('close', end)
    socket.on('error', end)
  }

  static connect(uri: string): Promise<RawClient> {
    const url = new URL(uri)
    const path = url.searchParams.get('socket')
    const socket = connect(
      path === null
        ? { host: url.hostname, port: Number(url.port), allowHalfOpen: true }
        : { path, allowHalfOpen: true },
    )
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        socket.setNoDelay(true)
        resolve(new RawClient(socket))
      })
    })
  }

  /** Connects and talks up to transmission. */
  static async attach(uri: string, { structured = false, name = '' } = {}): Promise<RawClient> {
    const client = await RawClient.connect(uri)
    await client.hello()
    if (structured) await client.enableStructured()
    client.send(option(OPT.go, question(name)))
    for (;;) {
      const answer = await client.answer()
      if (answer.type === REP.ack) return client
      if (answer.type !== REP.info) throw new Error(`GO is answered ${answer.type.toString(16)}`)
    }
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Waits for `size` bytes; rejects when the server closes before. */
  async take(size: number): Promise<Buffer> {
    while (this.available < size) {
      if (this.ended) throw new Error(`closed after ${this.available} of ${size} bytes`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    if (size > (this.received[0]?.length ?? 0)) this.received = [Buffer.concat(this.received)]
    const [first = Buffer.alloc(0), ...rest] = this.received
    this.received = [first.subarray(size), ...rest]
    this.available -= size
    return first.subarray(0, size)
  }

  /** Waits until the server closes; gives what it said last. */
  async end(): Promise<Buffer> {
    while (!this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return Buffer.concat(this.received)
  }

  async hello(flags = 3): Promise<Buffer> {
    const hello = await this.take(18)
    this.send(pack([4, flags]))
    return hello
  }

  async enableStructured(): Promise<void> {
    this.send(option(OPT.structured))
    const { type } = await this.answer()
    if (type !== REP.ack) throw new Error('structured replies are refused')
    this.structured = true
  }

  async answer(): Promise<OptionAnswer> {
    const head = await this.take(20)
    if (head.readBigUInt64BE(0) !== 0x3e889045565a9n) throw new Error('not an option reply')
    const data = await this.take(head.readUInt32BE(16))
    return { option: head.readUInt32BE(8), type: head.readUInt32BE(12), data }
  }

  /** All answers to one option, up to the ACK or error. */
  async answers(): Promise<OptionAnswer[]> {
    const all: OptionAnswer[] = []
    for (;;) {
      const one = await this.answer()
      all.push(one)
      if (one.type === REP.ack || one.type >= 0x80000000) return all
    }
  }

  /** Sends a request and waits for its reply; only for one at a time. */
  async ask(
    command: number,
    offset: number | bigint,
    length: number,
    flags = 0,
    payload?: Uint8Array,
  ): Promise<Reply> {
    this.post(command, 7n, offset, length, flags, payload)
    return this.reply()
  }

  post(
    command: number,
    cookie: bigint,
    offset: number | bigint,
    length: number,
    flags = 0,
    payload?: Uint8Array,
  ): void {
    if (command === CMD.read) this.reads.set(cookie, length)
    this.send(request(command, cookie, offset, length, flags, payload))
  }

  /** The next whole reply, in either form. Not for interleaved chunks of several reads. */
  async reply(): Promise<Reply> {
    const magic = (await this.take(4)).readUInt32BE(0)
    if (magic === 0x67446698) {
      const rest = await this.take(12)
      const error = rest.readUInt32BE(0)
      const cookie = rest.readBigUInt64BE(4)
      const length = this.reads.get(cookie)
      this.reads.delete(cookie)
      if (length !== undefined && this.structured) throw new Error('a simple reply to a READ')
      const data = error === 0 ? await this.take(length ?? 0) : Buffer.alloc(0)
      return { cookie, error, data }
    }
    if (magic !== 0x668e33ef) throw new Error(`bad reply magic ${magic.toString(16)}`)
    return this.chunks()
  }

  private async chunks(): Promise<Reply> {
    const parts: { offset: bigint; data: Buffer }[] = []
    let error = 0
    for (let first = true; ; first = false) {
      if (!first && (await this.take(4)).readUInt32BE(0) !== 0x668e33ef) throw new Error('bad chunk magic')
      const head = await this.take(16)
      const [flags, type] = [head.readUInt16BE(0), head.readUInt16BE(2)]
      const cookie = head.readBigUInt64BE(4)
      const payload = await this.take(head.readUInt32BE(12))
      if (type === 1) parts.push({ offset: payload.readBigUInt64BE(0), data: payload.subarray(8) })
      else if (type & 0x8000) error = payload.readUInt32BE(0)
      if (flags & 1) {
        this.reads.delete(cookie)
        parts.sort((a, b) => Number(a.offset - b.offset))
        return { cookie, error, data: Buffer.concat(parts.map((part) => part.data)) }
      }
    }
  }

  destroy(): void {
    this.socket.destroy()
  }
}
