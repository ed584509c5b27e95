/**
 * Advice: what VDO keeps in the index with the name of a block, which is where such a block was last known to be.
 *
 * | offset | size | field                                                           |
 * |--------|------|-----------------------------------------------------------------|
 * | 0      | 1    | version: 2                                                      |
 * | 1      | 1    | mapping state: 1 is a whole block, 2 to 15 a fragment of one    |
 * | 2      | 8    | PBN                                                             |
 * | 10     | 6    | written 0, ignored                                              |
 *
 * It is kept by who may forget it and survives what it speaks of, so nothing in it is to be believed.
 */
import { readU64, writeU64 } from '../base/bytes.js'

const ADVICE_SIZE = 16
const VERSION = 2
const STATE_AT = 1
const PBN_AT = 2

export function encodeAdvice(bytes: Uint8Array, at: number, pbn: number, state: number): void {
  bytes[at] = VERSION
  bytes[at + STATE_AT] = state
  writeU64(bytes, at + PBN_AT, pbn)
  bytes.fill(0, at + PBN_AT + 8, at + ADVICE_SIZE)
}

/** Whether it is advice at all: of a version that is known. */
export function isAdvice(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === VERSION
}

export function adviceState(bytes: Uint8Array, at: number): number {
  return bytes[at + STATE_AT]
}

/** Exact below 2^53; nothing above is the number of a block. */
export function advicePbn(bytes: Uint8Array, at: number): number {
  return readU64(bytes, at + PBN_AT)
}
