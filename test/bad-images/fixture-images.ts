/** The volumes that the real kernel left behind, as base images: of VDO's own sizes. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { DEFAULT_INDEX_MEMORY } from '../../src/format/index-memory.js'
import type { BaseImage, FormatParameters } from './base-images.js'

const BLOCK = 4096
const RUN_BLOCKS = 1024
/** Where all of them have their super block. */
const SUPER_BLOCK = 679_128

const PARAMETERS: FormatParameters = {
  slabBits: 13,
  indexMemory: DEFAULT_INDEX_MEMORY,
  indexSparse: false,
  nonce: 0x1122_3344_5566n,
  uuid: new Uint8Array(16).fill(3),
}

/** Logical blocks that the kernel was asked to write: the first ones of the first leaves. */
const LBNS = [0, 1, 2, 100, 811, 812, 813, 1624, 2000, 2001, 2002, 5000]

export function readFixture(name: string, path: string): BaseImage {
  const blocks = new Map<number, Uint8Array>()
  const descriptor = openSync(path, 'r')
  const run = new Uint8Array(RUN_BLOCKS * BLOCK)
  try {
    const blockCount = Math.floor(fstatSync(descriptor).size / BLOCK)
    for (let first = 0; first < blockCount; first += RUN_BLOCKS) {
      const bytes = run.subarray(0, readSync(descriptor, run, 0, run.length, first * BLOCK))
      if (isBlank(bytes)) continue
      for (let at = 0; at < bytes.length; at += BLOCK) {
        const block = bytes.slice(at, at + BLOCK)
        if (!isBlank(block)) blocks.set(first + at / BLOCK, block)
      }
    }
    return {
      name: `the kernel's ${name} volume`,
      blocks,
      blockCount,
      shape: {},
      lbns: LBNS,
      superBlock: SUPER_BLOCK,
      parameters: PARAMETERS,
    }
  } finally {
    closeSync(descriptor)
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0
}

const zeros = new Uint8Array(RUN_BLOCKS * BLOCK)
