/**
 * The header of the geometry block, of the super block, and of the components in it.
 *
 * | offset | size | field                                                                    |
 * |--------|------|--------------------------------------------------------------------------|
 * | 0      | 4    | component id                                                             |
 * | 4      | 4    | major version                                                            |
 * | 8      | 4    | minor version                                                            |
 * | 12     | 8    | size: of what follows, except in the geometry, where it is of everything |
 */

import { readU32, readU64, writeU32, writeU64 } from '../base/bytes.js'
import { FormatError } from './format-error.js'

export const COMPONENT_HEADER_SIZE = 20

export enum ComponentId {
  SuperBlock = 0,
  Layout = 1,
  RecoveryJournal = 2,
  SlabDepot = 3,
  BlockMap = 4,
  Geometry = 5,
}

export interface ComponentHeader {
  readonly id: ComponentId
  readonly major: number
  readonly minor: number
  readonly size: number
}

export function writeComponentHeader(bytes: Uint8Array, at: number, header: ComponentHeader): void {
  writeU32(bytes, at, header.id)
  writeU32(bytes, at + 4, header.major)
  writeU32(bytes, at + 8, header.minor)
  writeU64(bytes, at + 12, header.size)
}

export function readComponentHeader(bytes: Uint8Array, at: number): ComponentHeader {
  return {
    id: readU32(bytes, at),
    major: readU32(bytes, at + 4),
    minor: readU32(bytes, at + 8),
    size: readU64(bytes, at + 12),
  }
}

/** Throws unless the header at `at` has the wanted id and version; the size is the caller's to judge. */
export function expectComponent(
  what: string,
  bytes: Uint8Array,
  at: number,
  wanted: ComponentHeader,
): ComponentHeader {
  const found = readComponentHeader(bytes, at)
  if (found.id !== wanted.id) {
    throw new FormatError(
      'VDO_BAD_SUPER_BLOCK',
      `Cannot decode ${what}: component id is ${found.id}, wanted ${wanted.id}`,
    )
  }
  expectVersion(what, found.major, found.minor, wanted.major, wanted.minor)
  return found
}

export function expectVersion(
  what: string,
  major: number,
  minor: number,
  wantedMajor: number,
  wantedMinor: number,
): void {
  if (major === wantedMajor && minor === wantedMinor) return
  throw new FormatError(
    'VDO_UNSUPPORTED_VERSION',
    `Cannot decode ${what}: version is ${major}.${minor}, wanted ${wantedMajor}.${wantedMinor}`,
  )
}

/** A 64-bit field that is a size, a place or a count. One that a number cannot hold is no such thing. */
export function readField(what: string, bytes: Uint8Array, at: number): number {
  const value = readU64(bytes, at)
  if (value <= Number.MAX_SAFE_INTEGER) return value
  throw new FormatError(
    'VDO_BAD_CONFIGURATION',
    `Cannot decode ${what}: the field at ${at} is ${value}, wanted less than 2^53`,
  )
}

/** Throws unless the size is exactly what the component has. */
export function expectSize(what: string, found: number, wanted: number): void {
  if (found === wanted) return
  throw new FormatError('VDO_BAD_SUPER_BLOCK', `Cannot decode ${what}: size is ${found}, wanted ${wanted}`)
}
