/** Where the volumes of the benchmark lie, one after another: in memory, or in a file of a folder that goes again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SynchronousDevice } from '../../device/block-device.js'
import { createRamSegments, RamDevice } from '../../device/ram-device.js'
import { auditFile, auditMemory } from '../../host/audit-file.js'
import { closeBackingFile, openBackingFile } from '../../host/backing-file.js'
import { formatMemory } from '../../host/carry-out-format.js'
import { FileDevice } from '../../host/file-device.js'
import { formatFile } from '../../host/format-file.js'
import type { AuditResult } from '../../repair/audit-report.js'
import { randomUuid } from '../volume-identity.js'
import { BLOCK, SPAN_BLOCKS } from './rows.js'

const GIB_BLOCKS = 262_144
/** What the index of 0.25 GB takes, in whole pieces of the store in memory. */
const INDEX_BLOCKS = 3 * GIB_BLOCKS
/** Room for the span twice over, because a scattered rewrite frees late. */
const PHYSICAL_BLOCKS = INDEX_BLOCKS + SPAN_BLOCKS * 2 + GIB_BLOCKS
const SLAB_BITS = 17

export interface BenchStore {
  readonly device: string | SharedArrayBuffer[]
  /** Of the volumes' index, which is dense. */
  readonly indexMemory: number
  /** Makes a volume; what the index of the one before has left stays, but for its first block. */
  format(nonce: bigint): Promise<void>
  /** Hands the store's blocks out, while there is no volume open. `arena` is what they are moved from and to. */
  withDevice<T>(arena: Uint8Array, act: (device: SynchronousDevice) => T): T
  /** How much the audit finds wrong with the volume, which is closed. */
  problems(): number
  remove(): void
}

export function makeStore(kind: string, indexMemory: number): BenchStore {
  return kind === 'memory' ? memoryStore(indexMemory) : fileStore(indexMemory)
}

function memoryStore(indexMemory: number): BenchStore {
  const device = createRamSegments(PHYSICAL_BLOCKS)
  // The machine hands pages out at their first touch; a store that holds data was touched before. The index in
  // front of the data is written at leisure.
  for (const segment of device.slice(INDEX_BLOCKS / GIB_BLOCKS)) new Uint8Array(segment).fill(1)
  return {
    device,
    indexMemory,
    format: async (nonce) => {
      formatMemory(device, {
        ...parametersOf(nonce, indexMemory),
        physicalBlocks: PHYSICAL_BLOCKS,
        logicalBlocks: SPAN_BLOCKS,
      })
    },
    withDevice: (arena, act) => act(new RamDevice(device, arena)),
    problems: () => problemsOf(auditMemory(device)),
    remove: () => {},
  }
}

function fileStore(indexMemory: number): BenchStore {
  const folder = mkdtempSync(join(tmpdir(), 'uvdo-bench-'))
  const device = join(folder, 'bench.img')
  return {
    device,
    indexMemory,
    format: async (nonce) => {
      await formatFile({
        ...parametersOf(nonce, indexMemory),
        path: device,
        sizeBytes: PHYSICAL_BLOCKS * BLOCK,
        logicalBytes: SPAN_BLOCKS * BLOCK,
        force: true,
      })
    },
    withDevice: (arena, act) => {
      const file = openBackingFile(device)
      try {
        return act(new FileDevice(file, arena))
      } finally {
        closeBackingFile(file)
      }
    },
    problems: () => problemsOf(auditFile(device)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function parametersOf(nonce: bigint, indexMemory: number) {
  return { nonce, uuid: randomUuid(), slabBits: SLAB_BITS, indexMemory, indexSparse: false }
}

function problemsOf({ kindCounts }: AuditResult): number {
  return Object.values(kindCounts).reduce((sum, count) => sum + count, 0)
}
