/** What tells a new volume from every other one. */

import { randomBytes } from 'node:crypto'

/** A random UUID, as bytes. */
export function randomUuid(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes
}

/** Microseconds since 1970, so that no two volumes of one machine share a nonce. */
export function clockNonce(): bigint {
  return BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000))
}
