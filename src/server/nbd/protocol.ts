/**
 * The words of the NBD protocol: every number that travels, with its name. All integers on the wire are
 * big-endian. Sizes are bytes.
 */

/** "NBDMAGIC", the first eight bytes of a server. */
export const HELLO_MAGIC_HIGH = 0x4e42444d
export const HELLO_MAGIC_LOW = 0x41474943
/** "IHAVEOPT", before the server's flags and before every option of a client. */
export const OPTION_MAGIC_HIGH = 0x49484156
export const OPTION_MAGIC_LOW = 0x454f5054
/** Before every answer to an option. */
export const OPTION_REPLY_MAGIC_HIGH = 0x0003e889
export const OPTION_REPLY_MAGIC_LOW = 0x045565a9
export const REQUEST_MAGIC = 0x25609513
export const SIMPLE_REPLY_MAGIC = 0x67446698
export const CHUNK_MAGIC = 0x668e33ef

export const HELLO_SIZE = 18
export const CLIENT_FLAGS_SIZE = 4
export const OPTION_HEADER_SIZE = 16
export const OPTION_REPLY_HEADER_SIZE = 20
/** Padding after the answer to EXPORT_NAME, for a client that did not ask to go without. */
export const EXPORT_PADDING_SIZE = 124
export const REQUEST_SIZE = 28
export const SIMPLE_REPLY_SIZE = 16
export const CHUNK_HEADER_SIZE = 20
/** What an OFFSET_DATA chunk carries before its data. */
export const CHUNK_OFFSET_SIZE = 8

/** A name or a message is at most this long. */
export const MAXIMUM_STRING = 4096
/** The largest payload of one READ or WRITE. */
export const MAXIMUM_PAYLOAD = 32 * 1024 * 1024
export const PREFERRED_BLOCK_SIZE = 4096
export const MINIMUM_BLOCK_SIZE = 1
export const DEFAULT_PORT = 10809

/** Bits of the server's and of the client's first word. */
export const FLAG_FIXED_NEWSTYLE = 1
export const FLAG_NO_ZEROES = 2

/** What a client asks for before transmission. */
export enum Option {
  ExportName = 1,
  Abort = 2,
  List = 3,
  StartTls = 5,
  Info = 6,
  Go = 7,
  StructuredReply = 8,
  ListMetaContext = 9,
  SetMetaContext = 10,
  ExtendedHeaders = 11,
}

/** How an option is answered. Errors have bit 31. */
export enum OptionReply {
  Ack = 1,
  Server = 2,
  Info = 3,
  MetaContext = 4,
  Unsupported = 0x8000_0001,
  Policy = 0x8000_0002,
  Invalid = 0x8000_0003,
  Platform = 0x8000_0004,
  TlsRequired = 0x8000_0005,
  Unknown = 0x8000_0006,
  Shutdown = 0x8000_0007,
  BlockSizeRequired = 0x8000_0008,
  TooBig = 0x8000_0009,
  ExtendedHeadersRequired = 0x8000_000a,
}

/** What INFO and GO can be asked to tell about an export. */
export enum InfoType {
  Export = 0,
  Name = 1,
  Description = 2,
  BlockSize = 3,
}

/** Bits that tell a client what an export can do. */
export enum TransmissionFlag {
  HasFlags = 1 << 0,
  ReadOnly = 1 << 1,
  SendFlush = 1 << 2,
  SendFua = 1 << 3,
  Rotational = 1 << 4,
  SendTrim = 1 << 5,
  SendWriteZeroes = 1 << 6,
  SendDf = 1 << 7,
  CanMultiConn = 1 << 8,
  SendResize = 1 << 9,
  SendCache = 1 << 10,
  SendFastZero = 1 << 11,
}

/** What a request asks for. */
export enum Command {
  Read = 0,
  Write = 1,
  Disconnect = 2,
  Flush = 3,
  Trim = 4,
  Cache = 5,
  WriteZeroes = 6,
  BlockStatus = 7,
  Resize = 8,
}

/** Bits of a request. */
export enum CommandFlag {
  /** Durable before the reply. */
  Fua = 1 << 0,
  /** Zeros may not become a hole. */
  NoHole = 1 << 1,
  /** The data of a read come in one chunk. */
  Df = 1 << 2,
  /** One extent only. */
  ReqOne = 1 << 3,
  /** Zero only if that is quick. */
  FastZero = 1 << 4,
}

/** Pieces of a structured reply. Errors have bit 15. */
export enum ChunkType {
  None = 0,
  OffsetData = 1,
  OffsetHole = 2,
  BlockStatus = 5,
  Error = 0x8001,
  ErrorOffset = 0x8002,
}

/** The bit of the last chunk of a reply. */
export const CHUNK_DONE = 1

/** The errors that may travel, and no others. */
export enum NbdError {
  None = 0,
  NotPermitted = 1,
  Io = 5,
  NoMemory = 12,
  Invalid = 22,
  NoSpace = 28,
  Overflow = 75,
  NotSupported = 95,
  Shutdown = 108,
}
