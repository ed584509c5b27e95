/** A volume in a file with damage laid over it: the file itself is never written. */

import { closeSync, openSync, readSync } from 'node:fs'
import { describeVolume } from '../../src/engine/describe-volume.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { decodeGeometry } from '../../src/format/geometry-block.js'
import { decodeSuperBlock, VolumeState } from '../../src/format/super-block.js'
import { audit } from '../../src/repair/audit.js'
import type { AuditDisk } from '../../src/repair/audit-disk.js'
import type { AuditResult } from '../../src/repair/audit-report.js'
import type { Volume } from '../../src/vio/volume.js'
import { crc32 } from '../format/golden.js'

export class PlantedVolume implements AuditDisk {
  readonly volume: Volume
  state: VolumeState
  private readonly descriptor: number
  private readonly planted = new Map<number, Uint8Array>()
  private readonly unreadable = new Set<number>()

  constructor(path: string) {
    this.descriptor = openSync(path, 'r')
    const geometry = decodeGeometry(this.copy(0), crc32)
    const superBlock = decodeSuperBlock(this.copy(geometry.dataRegionStart), crc32)
    this.volume = describeVolume(geometry, superBlock, geometry.dataRegionStart)
    this.state = superBlock.state
  }

  close(): void {
    closeSync(this.descriptor)
  }

  /** Takes all damage away. */
  reset(): void {
    this.planted.clear()
    this.unreadable.clear()
    this.state = VolumeState.Clean
  }

  /** A block's bytes, to be changed. */
  block(pbn: number): Uint8Array {
    const found = this.planted.get(pbn) ?? this.copy(pbn)
    this.planted.set(pbn, found)
    return found
  }

  makeUnreadable(pbn: number): void {
    this.unreadable.add(pbn)
  }

  audit(changes: Partial<Volume> = {}): AuditResult {
    return audit({ disk: this, volume: { ...this.volume, ...changes }, state: this.state })
  }

  read(block: number, count: number, into: Uint8Array): boolean {
    readSync(this.descriptor, into, 0, count * BLOCK_SIZE, block * BLOCK_SIZE)
    for (let i = 0; i < count; i++) {
      if (this.unreadable.has(block + i)) return false
      const planted = this.planted.get(block + i)
      if (planted !== undefined) into.set(planted, i * BLOCK_SIZE)
    }
    return true
  }

  private copy(pbn: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK_SIZE)
    readSync(this.descriptor, bytes, 0, BLOCK_SIZE, pbn * BLOCK_SIZE)
    return bytes
  }
}
