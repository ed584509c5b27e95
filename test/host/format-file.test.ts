import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { VdoError } from '../../src/base/errors.js'
import { decodeGeometry } from '../../src/format/geometry-block.js'
import { decodeSuperBlock } from '../../src/format/super-block.js'
import { validateSuperBlock } from '../../src/format/validate-super-block.js'
import { type FormatRequest, formatFile } from '../../src/host/format-file.js'
import { withTempDir } from '../tools.js'

const BLOCK = 4096
const SIZE_BYTES = 720300 * BLOCK

function request(path: string, rest: Partial<FormatRequest> = {}): FormatRequest {
  return {
    path,
    slabBits: 13,
    indexMemory: -256,
    indexSparse: false,
    nonce: 77n,
    uuid: new Uint8Array(16).fill(9),
    ...rest,
  }
}

async function refusal(attempt: FormatRequest): Promise<VdoError> {
  try {
    await formatFile(attempt)
  } catch (error) {
    if (error instanceof VdoError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

function blockAt(path: string, pbn: number): Uint8Array {
  const descriptor = openSync(path, 'r')
  const bytes = new Uint8Array(BLOCK)
  readSync(descriptor, bytes, 0, BLOCK, pbn * BLOCK)
  closeSync(descriptor)
  return bytes
}

function put(path: string, pbn: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, pbn * BLOCK)
  closeSync(descriptor)
}

/** A sparse file of a size. */
function makeFile(path: string, size: number): void {
  writeFileSync(path, '')
  truncateSync(path, size)
}

describe('formatting a file', () => {
  it('creates it sparse, with a volume that can be loaded', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      const outcome = await formatFile(request(path, { sizeBytes: SIZE_BYTES, logicalBytes: 2 ** 40 }))
      expect(outcome.created).to.equal(true)
      expect(statSync(path).size).to.equal(SIZE_BYTES)
      expect(statSync(path).blocks * 512).to.be.below(2 ** 20)
      const geometry = decodeGeometry(blockAt(path, 0), crc32)
      const superBlock = decodeSuperBlock(blockAt(path, geometry.dataRegionStart), crc32)
      validateSuperBlock(superBlock, geometry)
      expect(superBlock).to.deep.equal(outcome.plan.superBlock)
      expect(superBlock.logicalBlocks).to.equal(2 ** 28)
    })
  })

  it('erases what an old volume left in the regions that must be empty, and nothing else', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      makeFile(path, SIZE_BYTES)
      const { plan } = await formatFile(request(path, { dryRun: true }))
      const { superBlock, geometry } = plan
      const zeroed = [
        1,
        superBlock.rootOrigin,
        superBlock.rootOrigin + 59,
        superBlock.firstFree,
        superBlock.firstFree + 300,
        superBlock.firstFree + 32767,
      ]
      const kept = [
        2,
        geometry.dataRegionStart - 1,
        superBlock.firstBlock,
        superBlock.lastBlock - 1,
        superBlock.firstFree - 1,
        superBlock.firstFree + 32768,
        superBlock.physicalBlocks - 1,
      ]
      const old = new Uint8Array(BLOCK).fill(0x5a)
      for (const pbn of [0, geometry.dataRegionStart, ...zeroed, ...kept]) put(path, pbn, old)
      await formatFile(request(path))
      for (const pbn of zeroed)
        expect(
          blockAt(path, pbn).every((byte) => byte === 0),
          `block ${pbn}`,
        ).to.equal(true)
      for (const pbn of kept) expect(blockAt(path, pbn), `block ${pbn}`).to.deep.equal(old)
      validateSuperBlock(
        decodeSuperBlock(blockAt(path, geometry.dataRegionStart), crc32),
        decodeGeometry(blockAt(path, 0), crc32),
      )
    })
  })

  it('refuses to overwrite a volume unless forced', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      await formatFile(request(path, { sizeBytes: SIZE_BYTES }))
      const error = await refusal(request(path, { nonce: 78n }))
      expect(error.code).to.equal('VDO_IN_THE_WAY')
      expect(error.message).to.contain('a VDO volume')
      expect(decodeGeometry(blockAt(path, 0), crc32).nonce).to.equal(77n)
      const { overwritten, created } = await formatFile(request(path, { nonce: 78n, force: true }))
      expect(overwritten).to.deep.equal(['a VDO volume'])
      expect(created).to.equal(false)
      expect(decodeGeometry(blockAt(path, 0), crc32).nonce).to.equal(78n)
    })
  })

  it('leaves the old volume alone when a forced format cannot work', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      await formatFile(request(path, { sizeBytes: SIZE_BYTES }))
      const before = blockAt(path, 0)
      const error = await refusal(request(path, { force: true, indexMemory: 1 }))
      expect(error.code).to.equal('VDO_TOO_SMALL')
      expect(blockAt(path, 0)).to.deep.equal(before)
    })
  })

  it('creates nothing when it refuses, and writes nothing in a dry run', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      expect((await refusal(request(path))).code).to.equal('VDO_NOT_FOUND')
      expect((await refusal(request(path, { sizeBytes: BLOCK }))).code).to.equal('VDO_TOO_SMALL')
      const odd = await refusal(request(path, { sizeBytes: SIZE_BYTES + 1 }))
      expect(odd.message).to.contain('wanted a multiple of 4096')
      const oddLogical = await refusal(request(path, { sizeBytes: SIZE_BYTES, logicalBytes: 5000 }))
      expect(oddLogical.message).to.contain('the logical size is 5000 bytes')
      const { created } = await formatFile(request(path, { sizeBytes: SIZE_BYTES, dryRun: true }))
      expect(created).to.equal(true)
      expect(existsSync(path)).to.equal(false)
      makeFile(path, SIZE_BYTES)
      await formatFile(request(path, { dryRun: true }))
      expect(blockAt(path, 0).every((byte) => byte === 0)).to.equal(true)
    })
  })

  it('grows a file to the size asked for, and never cuts one', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      makeFile(path, 5000)
      await formatFile(request(path, { sizeBytes: SIZE_BYTES }))
      expect(statSync(path).size).to.equal(SIZE_BYTES)
      const error = await refusal(request(path, { sizeBytes: SIZE_BYTES - BLOCK, force: true }))
      expect(error.code).to.equal('VDO_BAD_CONFIGURATION')
      expect(error.message).to.contain(`the file has ${SIZE_BYTES} bytes`)
    })
  })

  it('uses the whole blocks of a file of any length', async () => {
    await withTempDir(async (folder) => {
      const path = join(folder, 'vdo0.img')
      makeFile(path, SIZE_BYTES + 1000)
      const { plan } = await formatFile(request(path))
      expect(plan.superBlock.physicalBlocks).to.equal(SIZE_BYTES / BLOCK)
      expect(statSync(path).size).to.equal(SIZE_BYTES + 1000)
    })
  })

  it('refuses folders and devices that hold no blocks', async () => {
    await withTempDir(async (folder) => {
      expect((await refusal(request(folder))).message).to.contain('neither a file nor a block device')
      expect((await refusal(request('/dev/null'))).code).to.equal('VDO_CANNOT_OPEN')
      const empty = join(folder, 'empty')
      writeFileSync(empty, '')
      expect((await refusal(request(empty))).code).to.equal('VDO_TOO_SMALL')
      expect(readFileSync(empty).length).to.equal(0)
    })
  })
})
