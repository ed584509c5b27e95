/**
 * One client: reads requests from a socket, runs them on the export's target, writes replies, and keeps what it
 * holds bounded whatever the client does.
 *
 * Everything runs on the server's thread. A completion only records a reply and marks the connection; the server
 * then visits each marked connection once, so that many completions become one write to the socket.
 *
 * Bounds. A request starts on the target piece by piece while less than IN_FLIGHT_BYTES are in flight or unsent;
 * a read also waits while UNSENT_BYTES have not left. The next request is not parsed before the last one has
 * started whole, and the socket is not read meanwhile: one connection holds at most one large payload, the window,
 * and what the socket had already delivered. A payload gets memory as it arrives, never as it is announced, and
 * nothing of a write starts before all of it is here.
 *
 * The reply to a READ is sent as chunks in any order where the client negotiated that, otherwise as one run of
 * bytes. A run larger than BUFFERED_RUN starts before all of it has been read: while it is going out, other
 * replies are held back, and an error in the middle can only be told by closing, as the protocol asks.
 */

import type { Socket } from 'node:net'

import { assert, unreachable } from '../../base/assert.js'
import { Status } from '../../base/status.js'
import type { ExportTarget } from '../../engine/export-target.js'
import { checkRequest } from './commands.js'
import { nbdErrorOf } from './errors.js'
import type { ExportTable } from './exports.js'
import {
  CHUNK_ERROR_SIZE,
  RequestReader,
  writeChunkError,
  writeChunkHeader,
  writeChunkOffset,
  writeSimpleReply,
} from './frame.js'
import { Handshake, HandshakeState } from './handshake.js'
import { MAXIMUM_COPIED, Outbox } from './outbox.js'
import {
  CHUNK_DONE,
  CHUNK_HEADER_SIZE,
  CHUNK_OFFSET_SIZE,
  ChunkType,
  Command,
  CommandFlag,
  MAXIMUM_PAYLOAD,
  NbdError,
  SIMPLE_REPLY_SIZE,
  TransmissionFlag,
} from './protocol.js'
import { type BufferPool, Piece, ReadForm, Request } from './request.js'

/** Bytes a connection may have on the target or waiting to leave. */
const IN_FLIGHT_BYTES = 4 * 1024 * 1024
/** Bytes waiting to leave above which no read starts. */
const UNSENT_BYTES = 1024 * 1024
/** Requests a connection may have in flight. */
const IN_FLIGHT_REQUESTS = 256
/** The largest run that is read whole before its head is sent, so that any error can still be told. */
const BUFFERED_RUN = 1024 * 1024
/** The largest payload of a refused WRITE that is thrown away to stay in step. */
const MAXIMUM_PAYLOAD_DISCARD = 2 * MAXIMUM_PAYLOAD
/** What a DF read may ask for. */
const MAXIMUM_DF_READ = BUFFERED_RUN

/** What the stream of bytes from the client is being read as. */
enum Phase {
  Handshake = 0,
  Header = 1,
  Payload = 2,
  Discard = 3,
  /** Nothing more is read; what was accepted is finished. */
  Drain = 4,
}

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly exports: ExportTable
  readonly buffers: BufferPool
  readonly handshakeTimeoutMs: number
  /** Asks for one visit to the connection at the end of this turn. */
  mark(connection: Connection): void
  /** The client has chosen an export. */
  attached(connection: Connection, exportName: string): void
  /** The socket is closed and nothing of the connection is in flight. */
  closed(connection: Connection): void
}

/** One client of the server. */
export class Connection {
  private readonly outbox: Outbox
  private readonly handshake: Handshake
  private readonly reader = new RequestReader()
  private phase = Phase.Handshake
  private target: ExportTarget | undefined
  /** Whether the client was told that it may only read. */
  private readOnly = false

  /** What arrived and is not parsed yet. */
  private chunk: Uint8Array = NOTHING
  private at = 0
  private paused = false
  private endOfInput = false

  /** The request whose payload is arriving, or that has not started whole. */
  private current: Request | undefined
  private filling: Piece | undefined
  private filled = 0
  private discardLeft = 0
  private discardRequest: Request | undefined

  private requests = 0
  private bytesInFlight = 0
  private piecesInFlight = 0
  /** The READ whose run is going out, and the requests whose replies wait for its end. */
  private running: Request | undefined
  private held: Request[] = []

  private readonly freeRequests: Request[] = []
  private readonly freePieces: Piece[] = []
  private readonly pieceDone = (piece: Piece, status: Status) => this.complete(piece, status)
  private readonly pieceSent = (piece: Piece) => this.sent(piece)

  private stopping = false
  private ending = false
  private dead = false
  private gone = false
  /** Whether a visit is due or under way. */
  marked = false
  /** Why the server ended the connection, where the client did not. */
  fault = ''
  private readonly handshakeTimer: NodeJS.Timeout

  constructor(
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    /** Tells clients apart in a log. */
    readonly client: number,
  ) {
    this.outbox = new Outbox(socket, () => this.host.mark(this))
    this.handshake = new Handshake(host.exports, (bytes) => {
      this.outbox.copy(bytes)
      this.host.mark(this)
    })
    socket.on('data', (chunk: Uint8Array) => this.received(chunk))
    socket.on('end', () => this.inputEnded())
    // A broken connection is life: 'close' follows and cleans up.
    socket.on('error', () => {})
    socket.on('close', () => this.socketClosed())
    this.handshakeTimer = setTimeout(() => this.handshakeLate(), host.handshakeTimeoutMs)
    this.handshake.start()
  }

  get isAttached(): boolean {
    return this.target !== undefined
  }

  /** Finishes what is in flight, answers what still arrives with ESHUTDOWN, then closes. */
  stop(): void {
    this.stopping = true
    if (this.phase === Phase.Handshake) this.socket.destroySoon()
    else this.host.mark(this)
  }

  /** Closes at once. What is in flight on the target is waited for all the same. */
  abandon(): void {
    this.socket.destroy()
  }

  /** One visit: parses and starts what can be, then hands all replies of this turn to the socket. */
  visit(): void {
    if (this.dead) return
    // What happens in a visit needs no other visit.
    this.marked = true
    this.pump()
    this.outbox.flush()
    this.closeWhenIdle()
    this.marked = false
  }

  private received(chunk: Uint8Array): void {
    if (this.dead || this.phase === Phase.Drain) return
    assert(this.at === this.chunk.length, 'a paused socket delivers nothing')
    this.chunk = chunk
    this.at = 0
    this.visit()
  }

  private inputEnded(): void {
    this.endOfInput = true
    if (!this.dead) this.visit()
  }

  private handshakeLate(): void {
    if (this.phase !== Phase.Handshake) return
    this.fault = 'it chose no export in time'
    this.socket.destroy()
  }

  private socketClosed(): void {
    this.dead = true
    clearTimeout(this.handshakeTimer)
    this.chunk = NOTHING
    this.dropUnstarted()
    for (const request of this.held) this.release(request)
    this.held.length = 0
    this.reportGone()
  }

  /** Forgets the request whose payload never came, or that had not started whole. */
  private dropUnstarted(): void {
    if (this.filling !== undefined) this.releasePiece(this.filling)
    this.filling = undefined
    if (this.discardRequest !== undefined) this.release(this.discardRequest)
    this.discardRequest = undefined
    const request = this.current
    this.current = undefined
    if (request === undefined) return
    request.launched = true
    if (request.command === Command.Write) this.releasePieces(request)
    if (request.outstanding === 0) this.release(request)
  }

  private reportGone(): void {
    if (this.gone || !this.dead || this.piecesInFlight > 0) return
    this.gone = true
    this.host.closed(this)
  }

  // Input

  private pump(): void {
    for (;;) {
      if (this.phase === Phase.Drain) return this.pauseInput()
      if (this.current?.launched === false && this.phase !== Phase.Payload && !this.launch(this.current)) {
        return this.pauseInput()
      }
      if (this.requests >= IN_FLIGHT_REQUESTS || this.outbox.unsent >= UNSENT_BYTES) return this.pauseInput()
      if (this.at === this.chunk.length) return this.wantInput()
      this.parse()
    }
  }

  private parse(): void {
    switch (this.phase) {
      case Phase.Handshake:
        return this.parseHandshake()
      case Phase.Header:
        this.at = this.reader.take(this.chunk, this.at)
        if (this.reader.complete) this.header()
        return
      case Phase.Payload:
        return this.takePayload()
      case Phase.Discard:
        return this.takeDiscard()
      case Phase.Drain:
        return
    }
  }

  private pauseInput(): void {
    if (this.paused) return
    this.paused = true
    this.socket.pause()
  }

  private wantInput(): void {
    if (this.endOfInput) {
      this.enterDrain()
      return
    }
    if (!this.paused) return
    this.paused = false
    this.socket.resume()
  }

  /** Reads no more. What was accepted is finished; a request whose payload is not complete never was. */
  private enterDrain(): void {
    this.phase = Phase.Drain
    this.chunk = NOTHING
    this.at = 0
    this.dropUnstarted()
  }

  private parseHandshake(): void {
    const { handshake } = this
    this.at = handshake.take(this.chunk, this.at)
    if (handshake.state === HandshakeState.Closed) {
      this.fault = handshake.fault
      this.enterDrain()
    } else if (handshake.state === HandshakeState.Transmission) {
      clearTimeout(this.handshakeTimer)
      this.target = handshake.chosen?.target.forClient()
      this.readOnly = (handshake.flags & TransmissionFlag.ReadOnly) !== 0
      this.phase = Phase.Header
      this.host.attached(this, handshake.chosen?.name ?? '')
    }
  }

  private header(): void {
    const { reader, target, readOnly } = this
    assert(target !== undefined, 'an export is chosen before transmission')
    if (!reader.valid) this.fault = 'what it sent is no request'
    if (!reader.valid || reader.command === Command.Disconnect) return this.enterDrain()
    const { structured } = this.handshake
    const request = this.takeRequest()
    request.error = this.stopping
      ? NbdError.Shutdown
      : checkRequest(request, target.sizeBytes, readOnly, structured)
    const isDf = (request.flags & CommandFlag.Df) !== 0
    request.form = structured && !isDf ? ReadForm.Chunks : ReadForm.Run
    if (isDf && request.length > MAXIMUM_DF_READ && request.error === NbdError.None) {
      request.error = NbdError.Overflow
    }
    if (reader.command === Command.Write) this.expectPayload(request)
    else if (request.error === NbdError.None) this.current = request
    else this.settle(request)
  }

  private takeRequest(): Request {
    const { reader } = this
    const request = this.freeRequests.pop() ?? new Request()
    request.command = reader.command
    request.flags = reader.flags
    request.cookieHigh = reader.cookieHigh
    request.cookieLow = reader.cookieLow
    request.offset = reader.offset
    request.length = reader.length
    request.error = NbdError.None
    request.errorOffset = reader.offset
    request.progress = 0
    request.launched = false
    request.outstanding = 0
    request.answered = false
    request.settled = false
    this.requests += 1
    return request
  }

  private expectPayload(request: Request): void {
    if (request.error === NbdError.None) {
      this.current = request
      if (request.length > 0) this.phase = Phase.Payload
      return
    }
    if (request.length > MAXIMUM_PAYLOAD_DISCARD) {
      this.release(request)
      this.fault = `it announced a payload of ${request.length} bytes`
      this.enterDrain()
    } else if (request.length === 0) {
      this.settle(request)
    } else {
      this.discardRequest = request
      this.discardLeft = request.length
      this.phase = Phase.Discard
    }
  }

  private takeDiscard(): void {
    const taken = Math.min(this.discardLeft, this.chunk.length - this.at)
    this.at += taken
    this.discardLeft -= taken
    if (this.discardLeft > 0) return
    const request = this.discardRequest
    assert(request !== undefined, 'a payload is thrown away for a request')
    this.discardRequest = undefined
    this.phase = Phase.Header
    this.settle(request)
  }

  private takePayload(): void {
    const request = this.current
    assert(request !== undefined, 'a payload arrives for a request')
    const available = this.chunk.length - this.at
    let piece = this.filling
    if (piece === undefined) {
      piece = this.takePiece(request, request.nextPieceLength())
      if (available >= piece.length) {
        // All here: the chunk is ours alone and stays as it is, so the target may read from it.
        piece.bytes = this.chunk.subarray(this.at, this.at + piece.length)
        this.at += piece.length
        this.payloadPiece(request, piece)
        return
      }
      piece.makeRoom(piece.length, this.host.buffers)
      this.filling = piece
      this.filled = 0
    }
    const taken = Math.min(piece.length - this.filled, available)
    piece.bytes.set(this.chunk.subarray(this.at, this.at + taken), this.filled)
    this.at += taken
    this.filled += taken
    if (this.filled < piece.length) return
    this.filling = undefined
    this.payloadPiece(request, piece)
  }

  private payloadPiece(request: Request, piece: Piece): void {
    request.append(piece)
    request.progress += piece.length
    if (request.progress === request.length) this.phase = Phase.Header
  }

  // The target

  /** Starts what the window has room for; gives whether the request has started whole. */
  private launch(request: Request): boolean {
    const { target } = this
    assert(target !== undefined, 'requests follow the choice of an export')
    switch (request.command) {
      case Command.Read:
      case Command.Cache:
        if (!this.launchReads(target, request)) return false
        break
      case Command.Write:
        if (!this.launchWrites(target, request)) return false
        break
      case Command.Trim:
        if (request.length > 0) target.trim(request.offset, request.length, request.fua, this.begin(request))
        break
      case Command.WriteZeroes:
        if (request.length > 0) target.zero(request.offset, request.length, request.fua, this.begin(request))
        break
      case Command.Flush:
        target.flush(this.begin(request))
        break
      case Command.Disconnect:
      case Command.BlockStatus:
      case Command.Resize:
        unreachable('these commands never start')
    }
    request.launched = true
    this.current = undefined
    // Nothing to wait for: a request of length 0, or one whose pieces completed while others waited.
    if (request.outstanding === 0) this.settle(request)
    return true
  }

  /** A piece that carries no data: the completion to hand to the target. */
  private begin(request: Request): (status: Status) => void {
    const piece = this.takePiece(request, 0)
    this.count(request, piece)
    return piece.done
  }

  private count(request: Request, piece: Piece): void {
    request.outstanding += 1
    this.piecesInFlight += 1
    this.bytesInFlight += piece.length
  }

  private launchReads(target: ExportTarget, request: Request): boolean {
    while (request.progress < request.length && request.error === NbdError.None) {
      const { unsent } = this.outbox
      if (unsent >= UNSENT_BYTES || this.bytesInFlight + unsent >= IN_FLIGHT_BYTES) return false
      const piece = this.takePiece(request, request.nextPieceLength())
      piece.makeRoom(piece.length, this.host.buffers)
      request.progress += piece.length
      if (request.command === Command.Read && request.form === ReadForm.Run) request.append(piece)
      this.count(request, piece)
      target.read(piece.offset, piece.bytes, piece.done)
    }
    return true
  }

  private launchWrites(target: ExportTarget, request: Request): boolean {
    while (request.first !== undefined) {
      if (this.bytesInFlight >= IN_FLIGHT_BYTES) return false
      const piece = request.shift()
      assert(piece !== undefined, 'a write has pieces to start')
      this.count(request, piece)
      target.write(piece.offset, piece.bytes, request.fua, piece.done)
    }
    return true
  }

  private complete(piece: Piece, status: Status): void {
    const { request } = piece
    assert(request !== undefined && !piece.completed, 'a piece completes once')
    piece.completed = true
    request.outstanding -= 1
    this.piecesInFlight -= 1
    if (status !== Status.Success && request.error === NbdError.None) {
      request.error = nbdErrorOf(status)
      request.errorOffset = piece.offset
    }
    if (this.dead) {
      this.completeDead(request, piece)
      return
    }
    if (request.command !== Command.Read) this.dropPiece(piece)
    else if (request.form === ReadForm.Run) this.continueRun(request)
    else if (request.error === NbdError.None) this.sendChunk(request, piece)
    else this.dropPiece(piece)
    if (request.complete) this.settle(request)
    this.host.mark(this)
  }

  /** Nobody waits for the answer. */
  private completeDead(request: Request, piece: Piece): void {
    const listed = request.command === Command.Read && request.form === ReadForm.Run
    if (!listed) this.releasePiece(piece)
    if (request.complete) this.release(request)
    this.reportGone()
  }

  // Output

  /** Ends a request, once, when nothing of it is outstanding: now, or after the run that is going out. */
  private settle(request: Request): void {
    if (request.settled) return
    if (this.running !== undefined && this.running !== request) this.held.push(request)
    else if (request.answered) this.settleAnswered(request)
    else if (request.command === Command.Read) this.settleRead(request)
    else this.answer(request)
  }

  /** Its head is out: all its chunks as well, unless a run broke off. */
  private settleAnswered(request: Request): void {
    // Bytes that were announced cannot be sent: the client can only be told by closing.
    if (request.error !== NbdError.None) {
      this.fault = 'a read failed after its answer had begun'
      this.abandon()
    }
    this.release(request)
  }

  private settleRead(request: Request): void {
    if (request.error === NbdError.None && request.length > 0) {
      this.continueRun(request)
      return
    }
    while (request.first !== undefined) this.dropPiece(request.shift())
    this.answer(request)
  }

  /** Sends the whole of a reply that carries no data. */
  private answer(request: Request): void {
    if (request.command !== Command.Read || !this.handshake.structured) this.sendSimple(request)
    else if (request.error === NbdError.None) this.sendEmptyChunk(request)
    else this.sendErrorChunk(request)
    this.release(request)
  }

  /**
   * Sends the pieces of a run that are next in order. Its head goes out with the first of them: of a small run
   * when all have been read, of a large one as soon as the first has.
   */
  private continueRun(request: Request): void {
    if (request.error !== NbdError.None) return
    if (this.running !== undefined && this.running !== request) return
    if (!request.answered) {
      const early = request.length > BUFFERED_RUN && request.first?.completed === true
      if (!request.complete && !early) return
      this.sendRunHead(request)
      this.running = request
    }
    while (request.first?.completed === true) this.sendData(request.shift())
    if (!request.complete || request.first !== undefined) return
    this.running = undefined
    this.release(request)
    this.releaseHeld()
  }

  /** Ends the requests that waited for a run, and lets the next run begin. */
  private releaseHeld(): void {
    const waiting = this.held
    this.held = []
    for (const request of waiting) this.settle(request)
    const { current } = this
    if (current?.command === Command.Read && current.form === ReadForm.Run) this.continueRun(current)
  }

  private sendSimple(request: Request): void {
    request.answered = true
    const { outbox } = this
    const at = outbox.room(SIMPLE_REPLY_SIZE)
    writeSimpleReply(outbox.bytes, at, request.error, request.cookieHigh, request.cookieLow)
    this.host.mark(this)
  }

  private sendRunHead(request: Request): void {
    if (!this.handshake.structured) return this.sendSimple(request)
    request.answered = true
    this.sendDataHead(request, CHUNK_DONE, request.offset, request.length)
  }

  /** One piece as a chunk: the last one of a request without error says that the reply is whole. */
  private sendChunk(request: Request, piece: Piece): void {
    const last = request.complete
    if (last) request.answered = true
    this.sendDataHead(request, last ? CHUNK_DONE : 0, piece.offset, piece.length)
    this.sendData(piece)
  }

  private sendDataHead(request: Request, flags: number, offset: number, length: number): void {
    const { outbox } = this
    const at = outbox.room(CHUNK_HEADER_SIZE + CHUNK_OFFSET_SIZE)
    const { cookieHigh, cookieLow } = request
    const size = CHUNK_OFFSET_SIZE + length
    const next = writeChunkHeader(outbox.bytes, at, flags, ChunkType.OffsetData, cookieHigh, cookieLow, size)
    writeChunkOffset(outbox.bytes, next, offset)
  }

  private sendData(piece: Piece | undefined): void {
    if (piece === undefined) return
    this.bytesInFlight -= piece.length
    if (piece.length <= MAXIMUM_COPIED) {
      this.outbox.copy(piece.bytes)
      this.releasePiece(piece)
    } else {
      this.outbox.lend(piece.bytes, piece.sent)
    }
    this.host.mark(this)
  }

  private sendEmptyChunk(request: Request): void {
    request.answered = true
    const { outbox } = this
    const at = outbox.room(CHUNK_HEADER_SIZE)
    const { cookieHigh, cookieLow } = request
    writeChunkHeader(outbox.bytes, at, CHUNK_DONE, ChunkType.None, cookieHigh, cookieLow, 0)
    this.host.mark(this)
  }

  /** An error in the target is told with where it happened; a refused request has no such place. */
  private sendErrorChunk(request: Request): void {
    request.answered = true
    const { outbox } = this
    const placed = request.progress > 0
    const size = CHUNK_ERROR_SIZE + (placed ? CHUNK_OFFSET_SIZE : 0)
    const type = placed ? ChunkType.ErrorOffset : ChunkType.Error
    const at = outbox.room(CHUNK_HEADER_SIZE + size)
    const { cookieHigh, cookieLow } = request
    const payload = writeChunkHeader(outbox.bytes, at, CHUNK_DONE, type, cookieHigh, cookieLow, size)
    const next = writeChunkError(outbox.bytes, payload, request.error)
    if (placed) writeChunkOffset(outbox.bytes, next, request.errorOffset)
    this.host.mark(this)
  }

  private sent(piece: Piece): void {
    this.releasePiece(piece)
    this.host.mark(this)
  }

  private closeWhenIdle(): void {
    if (this.ending || (this.phase !== Phase.Drain && !this.stopping)) return
    // A payload that has not arrived is not waited for.
    const arriving = this.phase === Phase.Payload || this.phase === Phase.Discard ? 1 : 0
    if (this.requests > arriving) return
    this.ending = true
    this.socket.destroySoon()
  }

  // Pools

  private takePiece(request: Request, length: number): Piece {
    const piece = this.freePieces.pop() ?? new Piece(this.pieceDone, this.pieceSent)
    piece.request = request
    piece.offset = request.offset + request.progress
    piece.length = length
    return piece
  }

  /** Takes a piece out of the window without sending anything. */
  private dropPiece(piece: Piece | undefined): void {
    if (piece === undefined) return
    this.bytesInFlight -= piece.length
    this.releasePiece(piece)
  }

  private releasePiece(piece: Piece): void {
    piece.reset(this.host.buffers)
    if (this.freePieces.length < IN_FLIGHT_REQUESTS) this.freePieces.push(piece)
  }

  private releasePieces(request: Request): void {
    for (let piece = request.shift(); piece !== undefined; piece = request.shift()) this.releasePiece(piece)
  }

  private release(request: Request): void {
    assert(!request.settled, 'a request ends once')
    request.settled = true
    this.releasePieces(request)
    this.requests -= 1
    this.freeRequests.push(request)
  }
}

const NOTHING = new Uint8Array(0)
