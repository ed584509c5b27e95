/** Audits the volume in a file, on a block device (opened for reading only) or in memory. */

import { VdoError } from '../base/errors.js'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { type AuditProgress, audit } from '../repair/audit.js'
import type { AuditDisk } from '../repair/audit-disk.js'
import type { AuditResult, Problem } from '../repair/audit-report.js'
import type { Expand } from '../repair/audit-slabs.js'
import { closeBackingFile, openBackingFile } from './backing-file.js'
import { Lz4 } from './lz4.js'
import { type ReadableStore, readableStore, readVolumeHead } from './read-volume.js'
import type { SoundStore } from './store.js'

interface AuditFileOptions {
  /** Hears every problem as it is found. */
  readonly hear?: (problem: Problem) => void
  readonly progress?: AuditProgress
}

/** Throws if there is no volume whose geometry and super block can be read. */
export function auditFile(path: string, options: AuditFileOptions = {}): AuditResult {
  const file = openBackingFile(path, { readOnly: true })
  try {
    return auditStore({ kind: 'file', unsafe: false, ...file }, options)
  } finally {
    closeBackingFile(file)
  }
}

/** As `auditFile`, for a volume in segments of memory (`createRamSegments`) that no engine has open. */
export function auditMemory(
  segments: readonly SharedArrayBuffer[],
  options: AuditFileOptions = {},
): AuditResult {
  return auditStore({ kind: 'memory', segments }, options)
}

function auditStore(sound: SoundStore, options: AuditFileOptions): AuditResult {
  const store = readableStore(sound)
  const { geometry, superBlock, superBlockPbn } = readVolumeHead('Cannot audit', store)
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  return audit({ disk: diskOf(store), volume, state: superBlock.state, expand: expander(), ...options })
}

/** The store block by block; one that cannot be read is for the audit to tell of. */
function diskOf({ sizeBytes, read }: ReadableStore): AuditDisk {
  return {
    read(block, count, into) {
      if (block < 0 || (block + count) * BLOCK_SIZE > sizeBytes) return false
      try {
        into.set(read(block * BLOCK_SIZE, count * BLOCK_SIZE))
      } catch (error) {
        if (error instanceof VdoError) return false
        throw error
      }
      return true
    },
  }
}

/** LZ4 needs its input and output in one memory: a block of each. */
function expander(): Expand {
  const memory = new Uint8Array(2 * BLOCK_SIZE)
  const lz4 = new Lz4(memory)
  return (bytes, at, size) => {
    memory.set(bytes.subarray(at, at + size), 0)
    return lz4.decompress(0, size, BLOCK_SIZE, BLOCK_SIZE)
  }
}
