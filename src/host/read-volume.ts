/** Finds the volume on a store by its geometry and super block; whatever is wrong with them names the store. */

import { crc32 } from 'node:zlib'
import { VdoError } from '../base/errors.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { decodeGeometry, type Geometry, validateGeometry } from '../format/geometry-block.js'
import { decodeSuperBlock, type SuperBlock, type VolumeState } from '../format/super-block.js'
import { validateSuperBlock } from '../format/validate-super-block.js'
import { closeBackingFile, fileReader, openBackingFile } from './backing-file.js'
import { findSignatures, type ReadDevice } from './signatures.js'
import type { SoundStore } from './store.js'

export interface VolumeHead {
  readonly geometry: Geometry
  readonly superBlock: SuperBlock
  /** Where the geometry says the super block is; the store may begin later (`bioOffset`). */
  readonly superBlockPbn: number
}

/** What is read from: `sizeBytes` and bytes anywhere in it. */
export interface ReadableStore {
  readonly name: string
  readonly sizeBytes: number
  readonly read: ReadDevice
}

/** `action` is what the volume is wanted for, as in `Cannot open`. Throws a VdoError unless all of it is there. */
export function readVolumeHead(action: string, store: ReadableStore): VolumeHead {
  const block = (pbn: number): Uint8Array => {
    requireBlocks(action, store, pbn + 1)
    return store.read(pbn * BLOCK_SIZE, BLOCK_SIZE)
  }
  const named = <T>(decode: () => T): T => {
    try {
      return decode()
    } catch (error) {
      if (!(error instanceof VdoError)) throw error
      throw new VdoError(error.code, `${action} ${store.name}: ${explain(error, store)}`, { cause: error })
    }
  }
  const first = block(0)
  const geometry = named(() => {
    const decoded = decodeGeometry(first, crc32)
    validateGeometry(decoded)
    return decoded
  })
  const superBlockPbn = geometry.dataRegionStart
  const second = block(superBlockPbn - geometry.bioOffset)
  const superBlock = named(() => {
    const decoded = decodeSuperBlock(second, crc32)
    validateSuperBlock(decoded, geometry)
    return decoded
  })
  requireBlocks(action, store, superBlock.physicalBlocks - geometry.bioOffset)
  return { geometry, superBlock, superBlockPbn }
}

/** How the volume in a file or on a block device stands, by its super block. */
export function stateOfVolume(action: string, path: string): VolumeState {
  const file = openBackingFile(path, { readOnly: true })
  try {
    return readVolumeHead(action, readableStore({ kind: 'file', unsafe: false, ...file })).superBlock.state
  } finally {
    closeBackingFile(file)
  }
}

function explain(error: VdoError, store: ReadableStore): string {
  const detail = error.message.charAt(0).toLowerCase() + error.message.slice(1)
  if (error.code !== 'VDO_BAD_MAGIC' || !detail.includes('geometry')) return detail
  const [other] = findSignatures(store.read, store.sizeBytes)
  const held = other === undefined ? 'it holds no VDO volume' : `it holds ${other}, no VDO volume`
  return `${held}: ${detail.replace(/^.*?: /, '')}`
}

function requireBlocks(action: string, { name, sizeBytes }: ReadableStore, wanted: number): void {
  if (sizeBytes >= wanted * BLOCK_SIZE) return
  const found = Math.floor(sizeBytes / BLOCK_SIZE)
  throw new VdoError(
    'VDO_STORE_TOO_SMALL',
    `${action} ${name}: it has ${found} blocks of ${BLOCK_SIZE} bytes, the volume needs ${wanted}`,
  )
}

/** A store of this machine as what is read from. */
export function readableStore(store: SoundStore): ReadableStore {
  if (store.kind === 'file') {
    const { path, descriptor, blockCount } = store
    return { name: path, sizeBytes: blockCount * BLOCK_SIZE, read: fileReader(path, descriptor) }
  }
  const { segments } = store
  const segmentBytes = segments[0].byteLength
  return {
    name: 'the memory',
    sizeBytes: segments.length * segmentBytes,
    read: (at, size) => {
      const bytes = new Uint8Array(size)
      for (let done = 0; done < size && at + done < segments.length * segmentBytes; ) {
        const from = (at + done) % segmentBytes
        const part = new Uint8Array(segments[Math.floor((at + done) / segmentBytes)], from)
        bytes.set(part.subarray(0, size - done), done)
        done += part.length
      }
      return bytes
    },
  }
}
