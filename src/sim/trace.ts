/** What happens as text, for a person who replays a seed. */
import {
  AdminOp,
  BioOp,
  CpuOp,
  FlushOp,
  FrontOp,
  HashOp,
  hopOfWord,
  IndexOp,
  JournalOp,
  LogicalOp,
  operandOfWord,
  opOfHop,
  PackerOp,
  PhysicalOp,
  RepairOp,
  Room,
  roomOfHop,
  zoneOfHop,
} from '../vio/opcodes.js'

/** What a line of a trace tells of. */
export enum TraceKind {
  /** The engine that a session has. */
  Shape = 0,
  /** What a client asks, and how that ends. */
  Request,
  /** A message between zones. */
  Message,
  /** Anything else: the power fails, an index is told of. */
  Note,
}

/** Hears what happens, a line each. */
export type Trace = (line: string, kind: TraceKind) => void

const NAMES: Readonly<Record<Room, Readonly<Record<number, string>>>> = {
  [Room.Front]: FrontOp,
  [Room.Logical]: LogicalOp,
  [Room.Physical]: PhysicalOp,
  [Room.Hash]: HashOp,
  [Room.Journal]: JournalOp,
  [Room.Packer]: PackerOp,
  [Room.Flush]: FlushOp,
  [Room.Cpu]: CpuOp,
  [Room.Bio]: BioOp,
  [Room.Index]: IndexOp,
  [Room.Admin]: AdminOp,
  [Room.Repair]: RepairOp,
}

/** `1234 t2 Logical0.Launch 17`: event, thread, room with zone, opcode, operand. */
export function describeMessage(step: number, thread: number, word: number): string {
  const hop = hopOfWord(word)
  const room = roomOfHop(hop)
  const op = NAMES[room][opOfHop(hop)] ?? String(opOfHop(hop))
  return `${step} t${thread} ${Room[room]}${zoneOfHop(hop)}.${op} ${operandOfWord(word)}`
}
