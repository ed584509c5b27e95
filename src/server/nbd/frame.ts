/**
 * Requests and replies as bytes. Reading resumes at any cut of the stream; nothing here allocates per request.
 *
 * | Request | | Simple reply | | Chunk of a structured reply | |
 * |---|---|---|---|---|---|
 * | 0 | magic | 0 | magic | 0 | magic |
 * | 4 | flags (2) | 4 | error (4) | 4 | flags (2) |
 * | 6 | command (2) | 8 | cookie (8) | 6 | chunk type (2) |
 * | 8 | cookie (8) | 16 | data of a READ | 8 | cookie (8) |
 * | 16 | offset (8) | | | 16 | payload length (4) |
 * | 24 | length (4) | | | 20 | payload |
 */

import {
  readU16Be,
  readU32Be,
  readU64Be,
  writeU16Be,
  writeU32Be,
  writeU64Be,
} from '../../base/network-order.js'
import {
  CHUNK_HEADER_SIZE,
  CHUNK_MAGIC,
  CHUNK_OFFSET_SIZE,
  REQUEST_MAGIC,
  REQUEST_SIZE,
  SIMPLE_REPLY_MAGIC,
  SIMPLE_REPLY_SIZE,
} from './protocol.js'

/** Gathers a run of bytes of known size out of chunks of any size. */
export class Gather {
  private size = 0
  private have = 0

  constructor(readonly bytes: Uint8Array) {}

  /** Starts over, for `size` bytes. */
  expect(size: number): void {
    this.size = size
    this.have = 0
  }

  get complete(): boolean {
    return this.have === this.size
  }

  /** Whether some bytes, but not all, have arrived. */
  get partial(): boolean {
    return this.have > 0 && this.have < this.size
  }

  /** Takes what it still needs from `chunk` at `at`; gives the place after it. */
  take(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.size - this.have)
    for (let i = at; i < end; i++) this.bytes[this.have++] = chunk[i]
    return end
  }
}

/** Reads request headers out of a stream. The fields are those of the last complete header. */
export class RequestReader {
  private readonly gather = new Gather(new Uint8Array(REQUEST_SIZE))
  /** Whether the fields hold a header that nobody has looked at yet. */
  complete = false
  valid = false
  flags = 0
  command = 0
  cookieHigh = 0
  cookieLow = 0
  offset = 0
  length = 0

  constructor() {
    this.gather.expect(REQUEST_SIZE)
  }

  /** Reads on from `at`, to the end of one header or of the chunk; gives the place after it. */
  take(chunk: Uint8Array, at: number): number {
    this.complete = false
    if (!this.gather.partial && chunk.length - at >= REQUEST_SIZE) {
      this.decode(chunk, at)
      return at + REQUEST_SIZE
    }
    const end = this.gather.take(chunk, at)
    if (this.gather.complete) {
      this.decode(this.gather.bytes, 0)
      this.gather.expect(REQUEST_SIZE)
    }
    return end
  }

  private decode(bytes: Uint8Array, at: number): void {
    this.complete = true
    this.valid = readU32Be(bytes, at) === REQUEST_MAGIC
    this.flags = readU16Be(bytes, at + 4)
    this.command = readU16Be(bytes, at + 6)
    this.cookieHigh = readU32Be(bytes, at + 8)
    this.cookieLow = readU32Be(bytes, at + 12)
    this.offset = readU64Be(bytes, at + 16)
    this.length = readU32Be(bytes, at + 24)
  }
}

/** Writes a simple reply; gives the place after it. */
export function writeSimpleReply(
  bytes: Uint8Array,
  at: number,
  error: number,
  cookieHigh: number,
  cookieLow: number,
): number {
  writeU32Be(bytes, at, SIMPLE_REPLY_MAGIC)
  writeU32Be(bytes, at + 4, error)
  writeU32Be(bytes, at + 8, cookieHigh)
  writeU32Be(bytes, at + 12, cookieLow)
  return at + SIMPLE_REPLY_SIZE
}

/** Writes the head of a chunk whose payload has `length` bytes; gives the place after it. */
export function writeChunkHeader(
  bytes: Uint8Array,
  at: number,
  flags: number,
  type: number,
  cookieHigh: number,
  cookieLow: number,
  length: number,
): number {
  writeU32Be(bytes, at, CHUNK_MAGIC)
  writeU16Be(bytes, at + 4, flags)
  writeU16Be(bytes, at + 6, type)
  writeU32Be(bytes, at + 8, cookieHigh)
  writeU32Be(bytes, at + 12, cookieLow)
  writeU32Be(bytes, at + 16, length)
  return at + CHUNK_HEADER_SIZE
}

/** Writes the offset that an OFFSET_DATA chunk's payload starts with. */
export function writeChunkOffset(bytes: Uint8Array, at: number, offset: number): number {
  writeU64Be(bytes, at, offset)
  return at + CHUNK_OFFSET_SIZE
}

/** Bytes of an ERROR chunk's payload without a message; ERROR_OFFSET adds CHUNK_OFFSET_SIZE. */
export const CHUNK_ERROR_SIZE = 6

/** Writes the payload of an ERROR chunk without a message. */
export function writeChunkError(bytes: Uint8Array, at: number, error: number): number {
  writeU32Be(bytes, at, error)
  writeU16Be(bytes, at + 4, 0)
  return at + CHUNK_ERROR_SIZE
}
