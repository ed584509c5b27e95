/** Audits the volume in a file, on a block device (opened for reading only) or in memory. */

import { readSync } from 'node:fs'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { type AuditProgress, audit } from '../repair/audit.js'
import type { AuditDisk } from '../repair/audit-disk.js'
import type { AuditResult, Problem } from '../repair/audit-report.js'
import type { Expand } from '../repair/audit-slabs.js'
import { type BackingFile, closeBackingFile, openBackingFile } from './backing-file.js'
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
    return auditDisk(new FileDisk(file), { kind: 'file', unsafe: false, ...file }, options)
  } finally {
    closeBackingFile(file)
  }
}

/** As `auditFile`, for a volume in segments of memory (`createRamSegments`) that no engine has open. */
export function auditMemory(segments: SharedArrayBuffer[], options: AuditFileOptions = {}): AuditResult {
  const store: SoundStore = { kind: 'memory', segments }
  return auditDisk(new MemoryDisk(readableStore(store)), store, options)
}

function auditDisk(disk: AuditDisk, store: SoundStore, options: AuditFileOptions): AuditResult {
  const { geometry, superBlock, superBlockPbn } = readVolumeHead('Cannot audit', readableStore(store))
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  return audit({ disk, volume, state: superBlock.state, expand: expander(), ...options })
}

class FileDisk implements AuditDisk {
  constructor(private readonly file: BackingFile) {}

  read(block: number, count: number, into: Uint8Array): boolean {
    const end = count * BLOCK_SIZE
    if (block < 0 || block + count > this.file.blockCount) return false
    for (let at = 0; at < end; ) {
      try {
        const moved = readSync(this.file.descriptor, into, at, end - at, block * BLOCK_SIZE + at)
        if (moved === 0) return false
        at += moved
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EINTR') return false
      }
    }
    return true
  }
}

class MemoryDisk implements AuditDisk {
  constructor(private readonly store: ReadableStore) {}

  read(block: number, count: number, into: Uint8Array): boolean {
    if (block < 0 || (block + count) * BLOCK_SIZE > this.store.sizeBytes) return false
    into.set(this.store.read(block * BLOCK_SIZE, count * BLOCK_SIZE))
    return true
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
