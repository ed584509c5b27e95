/** Audits the volume in a file, on a block device (opened for reading only) or in memory. */

import { readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { VdoError } from '../base/errors.js'
import { describeVolume } from '../engine/describe-volume.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { decodeGeometry } from '../format/geometry-block.js'
import { decodeSuperBlock, validateSuperBlock } from '../format/super-block.js'
import { audit } from '../repair/audit.js'
import type { AuditDisk } from '../repair/audit-disk.js'
import type { AuditResult, Problem } from '../repair/audit-report.js'
import type { Expand } from '../repair/audit-slabs.js'
import { type BackingFile, closeBackingFile, openBackingFile } from './backing-file.js'
import { Lz4 } from './lz4.js'

interface AuditFileOptions {
  /** Hears every problem as it is found. */
  readonly hear?: (problem: Problem) => void
}

/** Throws if there is no volume whose geometry and super block can be read. */
export function auditFile(path: string, { hear }: AuditFileOptions = {}): AuditResult {
  const file = openBackingFile(path, { readOnly: true })
  try {
    return auditDisk(new FileDisk(file), path, hear)
  } finally {
    closeBackingFile(file)
  }
}

/** As `auditFile`, for a volume in segments of memory (`createRamSegments`) that no engine has open. */
export function auditMemory(segments: readonly SharedArrayBuffer[]): AuditResult {
  return auditDisk(new MemoryDisk(segments), 'memory')
}

function auditDisk(disk: AuditDisk, name: string, hear?: (problem: Problem) => void): AuditResult {
  const geometry = decodeGeometry(readBlock(disk, 0, `the geometry block of ${name}`), crc32)
  const superBlockPbn = geometry.dataRegionStart
  const place = superBlockPbn - geometry.bioOffset
  const superBlock = decodeSuperBlock(readBlock(disk, place, `the super block of ${name}`), crc32)
  validateSuperBlock(superBlock, geometry)
  const volume = describeVolume(geometry, superBlock, superBlockPbn)
  return audit({ disk, volume, state: superBlock.state, expand: expander(), ...(hear && { hear }) })
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

/** All segments but the last are of the same size. */
class MemoryDisk implements AuditDisk {
  private readonly segmentBlocks: number

  constructor(private readonly segments: readonly SharedArrayBuffer[]) {
    this.segmentBlocks = segments[0].byteLength / BLOCK_SIZE
  }

  read(block: number, count: number, into: Uint8Array): boolean {
    for (let i = 0; i < count; i++) {
      const segment = this.segments[Math.floor((block + i) / this.segmentBlocks)]
      const at = ((block + i) % this.segmentBlocks) * BLOCK_SIZE
      if (segment === undefined || at + BLOCK_SIZE > segment.byteLength) return false
      into.set(new Uint8Array(segment, at, BLOCK_SIZE), i * BLOCK_SIZE)
    }
    return true
  }
}

function readBlock(disk: AuditDisk, block: number, what: string): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE)
  if (!disk.read(block, 1, bytes)) throw new VdoError('VDO_IO_ERROR', `Cannot read ${what}`)
  return bytes
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
