/**
 * The talk before transmission: fixed newstyle negotiation as a state machine over bytes, without a socket. It
 * takes what arrives, in chunks of any size, answers through `send`, and ends in Transmission with an export
 * chosen, or in Closed.
 *
 * Invariant: exactly the declared length of every option is consumed, whatever is wrong with it, so that the
 * talk never loses step.
 */

import { assert } from '../../base/assert.js'
import { readU16Be, readU32Be, writeU16Be, writeU32Be, writeU64Be } from '../../base/network-order.js'
import { type ExportTable, type NbdExport, transmissionFlags } from './exports.js'
import { Gather } from './frame.js'
import {
  CLIENT_FLAGS_SIZE,
  EXPORT_PADDING_SIZE,
  FLAG_FIXED_NEWSTYLE,
  FLAG_NO_ZEROES,
  HELLO_MAGIC_HIGH,
  HELLO_MAGIC_LOW,
  HELLO_SIZE,
  InfoType,
  MAXIMUM_PAYLOAD,
  MAXIMUM_STRING,
  MINIMUM_BLOCK_SIZE,
  OPTION_HEADER_SIZE,
  OPTION_MAGIC_HIGH,
  OPTION_MAGIC_LOW,
  OPTION_REPLY_HEADER_SIZE,
  OPTION_REPLY_MAGIC_HIGH,
  OPTION_REPLY_MAGIC_LOW,
  Option,
  OptionReply,
  PREFERRED_BLOCK_SIZE,
} from './protocol.js'

/** Where the talk stands. */
export enum HandshakeState {
  /** Waiting for the client's flags. */
  ClientFlags = 0,
  /** Waiting for the head of an option. */
  OptionHeader = 1,
  /** Gathering an option's data. */
  OptionData = 2,
  /** Throwing away the data of an option that is answered without looking at them. */
  OptionDiscard = 3,
  /** An export is chosen; what follows are requests. */
  Transmission = 4,
  /** The talk is over without an export. */
  Closed = 5,
}

/** From each state, the states that may follow. */
export const HANDSHAKE_NEXT: Readonly<Record<HandshakeState, readonly HandshakeState[]>> = {
  [HandshakeState.ClientFlags]: [HandshakeState.OptionHeader, HandshakeState.Closed],
  [HandshakeState.OptionHeader]: [
    HandshakeState.OptionData,
    HandshakeState.OptionDiscard,
    HandshakeState.Closed,
  ],
  [HandshakeState.OptionData]: [
    HandshakeState.OptionHeader,
    HandshakeState.Transmission,
    HandshakeState.Closed,
  ],
  [HandshakeState.OptionDiscard]: [HandshakeState.OptionHeader, HandshakeState.Closed],
  [HandshakeState.Transmission]: [],
  [HandshakeState.Closed]: [],
}

/** The most option data that are kept; every known option fits. */
const MAXIMUM_OPTION_DATA = 256 * 1024
/** The most option data that are thrown away to stay in step. */
const MAXIMUM_OPTION_DISCARD = MAXIMUM_PAYLOAD
/** Options a client may send: so many, and as many again for each export it may ask about. */
const OPTIONS_PER_EXPORT = 32
/** No client-supplied name is echoed in a message, and no message is long. */
const NOTHING = new Uint8Array(0)

interface ExportQuestion {
  readonly name: string
  readonly types: ReadonlySet<number>
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** One client's negotiation. */
export class Handshake {
  private current = HandshakeState.ClientFlags
  private readonly head = new Gather(new Uint8Array(OPTION_HEADER_SIZE))
  private data = new Gather(NOTHING)
  private option = 0
  private discardLeft = 0
  private discardAnswer = OptionReply.Unsupported
  private optionsLeft: number
  private fixed = false
  private noZeroes = false
  /** Whether replies to READ come as chunks. */
  structured = false
  /** What the client was told last of an export's abilities. */
  flags = 0
  /** The export that the client chose: set in Transmission. */
  chosen: NbdExport | undefined
  /** Why the server closed the talk: empty while it goes on, or when the client ended it. */
  fault = ''

  constructor(
    private readonly exports: ExportTable,
    private readonly send: (bytes: Uint8Array) => void,
  ) {
    this.optionsLeft = OPTIONS_PER_EXPORT * (1 + exports.all.length)
    this.head.expect(CLIENT_FLAGS_SIZE)
  }

  get state(): HandshakeState {
    return this.current
  }

  /** Says hello. A server speaks first. */
  start(): void {
    const hello = new Uint8Array(HELLO_SIZE)
    writeU32Be(hello, 0, HELLO_MAGIC_HIGH)
    writeU32Be(hello, 4, HELLO_MAGIC_LOW)
    writeU32Be(hello, 8, OPTION_MAGIC_HIGH)
    writeU32Be(hello, 12, OPTION_MAGIC_LOW)
    writeU16Be(hello, 16, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)
    this.send(hello)
  }

  /** Takes bytes from `chunk` at `at`, until it ends or the talk is over; gives the place after them. */
  take(chunk: Uint8Array, at: number): number {
    let next = at
    while (next < chunk.length) {
      switch (this.current) {
        case HandshakeState.ClientFlags:
          next = this.head.take(chunk, next)
          if (this.head.complete) this.clientFlags(readU32Be(this.head.bytes, 0))
          break
        case HandshakeState.OptionHeader:
          next = this.head.take(chunk, next)
          if (this.head.complete) this.optionHeader(this.head.bytes)
          break
        case HandshakeState.OptionData:
          next = this.data.take(chunk, next)
          if (this.data.complete) this.answer(this.data.bytes)
          break
        case HandshakeState.OptionDiscard: {
          const taken = Math.min(this.discardLeft, chunk.length - next)
          next += taken
          this.discardLeft -= taken
          if (this.discardLeft === 0) this.refuse(this.discardAnswer)
          break
        }
        case HandshakeState.Transmission:
        case HandshakeState.Closed:
          return next
      }
    }
    return next
  }

  private enter(state: HandshakeState): void {
    assert(HANDSHAKE_NEXT[this.current].includes(state), 'handshake state follows')
    this.current = state
    if (state === HandshakeState.OptionHeader) this.head.expect(OPTION_HEADER_SIZE)
  }

  private close(fault: string): void {
    this.fault = fault
    this.enter(HandshakeState.Closed)
  }

  private clientFlags(flags: number): void {
    if ((flags & ~(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)) !== 0) {
      return this.close(`it has the unknown flags 0x${flags.toString(16)}`)
    }
    this.fixed = (flags & FLAG_FIXED_NEWSTYLE) !== 0
    this.noZeroes = (flags & FLAG_NO_ZEROES) !== 0
    this.enter(HandshakeState.OptionHeader)
  }

  private optionHeader(head: Uint8Array): void {
    const magic = readU32Be(head, 0) === OPTION_MAGIC_HIGH && readU32Be(head, 4) === OPTION_MAGIC_LOW
    this.option = readU32Be(head, 8)
    const length = readU32Be(head, 12)
    this.optionsLeft -= 1
    if (!magic) {
      this.close('what it sent is no option')
    } else if (this.optionsLeft < 0) {
      this.close('it asks without end')
    } else if (!this.fixed && this.option !== Option.ExportName) {
      // A client that does not know the fixed form cannot read an answer to anything but EXPORT_NAME.
      this.close('it does not know the fixed form')
    } else if (this.option === Option.ExportName && length > MAXIMUM_STRING) {
      this.close(`it asks for a name of ${length} bytes`)
    } else if (length > MAXIMUM_OPTION_DISCARD) {
      this.close(`it announced an option of ${length} bytes`)
    } else if (!(this.option in ANSWERS) && length > 0) {
      this.discard(length, OptionReply.Unsupported)
    } else if (length > MAXIMUM_OPTION_DATA) {
      this.discard(length, OptionReply.TooBig)
    } else {
      this.enter(HandshakeState.OptionData)
      this.data = new Gather(length === 0 ? NOTHING : new Uint8Array(length))
      this.data.expect(length)
      if (length === 0) this.answer(NOTHING)
    }
  }

  private discard(length: number, answer: OptionReply): void {
    this.enter(HandshakeState.OptionDiscard)
    this.discardLeft = length
    this.discardAnswer = answer
  }

  private answer(data: Uint8Array): void {
    const answer = ANSWERS[this.option]
    if (answer === undefined) this.refuse(OptionReply.Unsupported)
    else answer(this, data)
    this.data = new Gather(NOTHING)
  }

  private reply(type: OptionReply, body: Uint8Array = NOTHING): void {
    const bytes = new Uint8Array(OPTION_REPLY_HEADER_SIZE + body.length)
    writeU32Be(bytes, 0, OPTION_REPLY_MAGIC_HIGH)
    writeU32Be(bytes, 4, OPTION_REPLY_MAGIC_LOW)
    writeU32Be(bytes, 8, this.option)
    writeU32Be(bytes, 12, type)
    writeU32Be(bytes, 16, body.length)
    bytes.set(body, OPTION_REPLY_HEADER_SIZE)
    this.send(bytes)
  }

  /** Answers with a type alone and waits for the next option. */
  private refuse(type: OptionReply): void {
    this.reply(type)
    this.enter(HandshakeState.OptionHeader)
  }

  /** EXPORT_NAME cannot be answered with an error: a name that is not ours ends the talk. */
  exportName(data: Uint8Array): void {
    const name = decodeString(data)
    const found = name === undefined ? undefined : this.exports.find(name)
    if (found === undefined) return this.close('it asks for an export that is not there')
    this.send(this.exportInfo(found, this.noZeroes ? 0 : EXPORT_PADDING_SIZE))
    this.choose(found)
  }

  abort(): void {
    this.reply(OptionReply.Ack)
    this.enter(HandshakeState.Closed)
  }

  list(data: Uint8Array): void {
    if (data.length > 0) return this.refuse(OptionReply.Invalid)
    for (const each of this.exports.all) {
      const name = encoder.encode(each.name)
      const description = encoder.encode(each.description ?? '')
      const body = new Uint8Array(4 + name.length + description.length)
      writeU32Be(body, 0, name.length)
      body.set(name, 4)
      body.set(description, 4 + name.length)
      this.reply(OptionReply.Server, body)
    }
    this.refuse(OptionReply.Ack)
  }

  /** A server without TLS knows what is asked, and does not do it. */
  startTls(data: Uint8Array): void {
    this.refuse(data.length > 0 ? OptionReply.Invalid : OptionReply.Policy)
  }

  structuredReply(data: Uint8Array): void {
    if (data.length > 0 || this.structured) return this.refuse(OptionReply.Invalid)
    this.structured = true
    this.refuse(OptionReply.Ack)
  }

  info(data: Uint8Array): void {
    if (this.describe(data) !== undefined) this.refuse(OptionReply.Ack)
  }

  go(data: Uint8Array): void {
    const found = this.describe(data)
    if (found === undefined) return
    this.reply(OptionReply.Ack)
    this.choose(found)
  }

  /** Answers INFO and GO up to the ACK, or refuses them. */
  private describe(data: Uint8Array): NbdExport | undefined {
    const question = decodeQuestion(data)
    if (question === undefined) {
      this.refuse(OptionReply.Invalid)
      return undefined
    }
    const found = this.exports.find(question.name)
    if (found === undefined) {
      this.refuse(OptionReply.Unknown)
      return undefined
    }
    this.tell(InfoType.Export, this.exportInfo(found))
    if (question.types.has(InfoType.Name)) this.tell(InfoType.Name, encoder.encode(found.name))
    if (question.types.has(InfoType.Description) && found.description !== undefined) {
      this.tell(InfoType.Description, encoder.encode(found.description))
    }
    if (question.types.has(InfoType.BlockSize)) this.tell(InfoType.BlockSize, blockSizeInfo())
    return found
  }

  private tell(type: InfoType, body: Uint8Array): void {
    const bytes = new Uint8Array(2 + body.length)
    writeU16Be(bytes, 0, type)
    bytes.set(body, 2)
    this.reply(OptionReply.Info, bytes)
  }

  /** Size and abilities, and zeros behind them. */
  private exportInfo(found: NbdExport, padding = 0): Uint8Array {
    this.flags = transmissionFlags(found, this.structured)
    const bytes = new Uint8Array(10 + padding)
    writeU64Be(bytes, 0, found.target.sizeBytes)
    writeU16Be(bytes, 8, this.flags)
    return bytes
  }

  private choose(found: NbdExport): void {
    this.chosen = found
    this.enter(HandshakeState.Transmission)
  }
}

/** The options that are served. What is not here is unsupported. */
const ANSWERS: Readonly<Partial<Record<number, (talk: Handshake, data: Uint8Array) => void>>> = {
  [Option.ExportName]: (talk, data) => talk.exportName(data),
  [Option.Abort]: (talk) => talk.abort(),
  [Option.List]: (talk, data) => talk.list(data),
  [Option.StartTls]: (talk, data) => talk.startTls(data),
  [Option.Info]: (talk, data) => talk.info(data),
  [Option.Go]: (talk, data) => talk.go(data),
  [Option.StructuredReply]: (talk, data) => talk.structuredReply(data),
}

function blockSizeInfo(): Uint8Array {
  const bytes = new Uint8Array(12)
  writeU32Be(bytes, 0, MINIMUM_BLOCK_SIZE)
  writeU32Be(bytes, 4, PREFERRED_BLOCK_SIZE)
  writeU32Be(bytes, 8, MAXIMUM_PAYLOAD)
  return bytes
}

/** The data of INFO and GO: name length (4), name, count (2), types (2 each); nothing more and nothing less. */
function decodeQuestion(data: Uint8Array): ExportQuestion | undefined {
  if (data.length < 6) return undefined
  const nameLength = readU32Be(data, 0)
  if (nameLength > MAXIMUM_STRING || nameLength > data.length - 6) return undefined
  const name = decodeString(data.subarray(4, 4 + nameLength))
  const count = readU16Be(data, 4 + nameLength)
  const first = 6 + nameLength
  if (name === undefined || data.length !== first + 2 * count) return undefined
  const types = new Set<number>()
  for (let at = first; at < data.length; at += 2) types.add(readU16Be(data, at))
  return { name, types }
}

/** Text as the protocol wants it, or undefined: UTF-8, no NUL. */
function decodeString(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAXIMUM_STRING || bytes.includes(0)) return undefined
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
