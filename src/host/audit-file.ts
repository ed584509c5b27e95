/** Audits the volume in a file or on a block device, which is opened for reading only. */

import { readSync } from 'node:fs'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { type AuditProgress, audit } from '../repair/audit.js'
import type { AuditDisk } from '../repair/audit-disk.js'
import type { AuditResult, Problem } from '../repair/audit-report.js'
import type { Expand } from '../repair/audit-slabs.js'
import { type BackingFile, closeBackingFile, fileReader, openBackingFile } from './backing-file.js'
import { Lz4 } from './lz4.js'
import { readVolumeHead } from './read-volume.js'

interface AuditFileOptions {
  /** Hears every problem as it is found. */
  readonly hear?: (problem: Problem) => void
  readonly progress?: AuditProgress
}

/** Throws if there is no volume whose geometry and super block can be read. */
export function auditFile(path: string, options: AuditFileOptions = {}): AuditResult {
  const file = openBackingFile(path, { readOnly: true })
  try {
    const disk = new FileDisk(file)
    const { geometry, superBlock, superBlockPbn } = readVolumeHead('Cannot audit', {
      name: path,
      sizeBytes: file.blockCount * BLOCK_SIZE,
      read: fileReader(path, file.descriptor),
    })
    const volume = describeVolume(geometry, superBlock, superBlockPbn)
    return audit({ disk, volume, state: superBlock.state, expand: expander(), ...options })
  } finally {
    closeBackingFile(file)
  }
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

/** LZ4 needs its input and output in one memory: a block of each. */
function expander(): Expand {
  const memory = new Uint8Array(2 * BLOCK_SIZE)
  const lz4 = new Lz4(memory)
  return (bytes, at, size) => {
    memory.set(bytes.subarray(at, at + size), 0)
    return lz4.decompress(0, size, BLOCK_SIZE, BLOCK_SIZE)
  }
}
