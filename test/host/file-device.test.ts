import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { closeBackingFile, openBackingFile } from '../../src/host/backing-file.js'
import { type FileCalls, FileDevice } from '../../src/host/file-device.js'

const BLOCK = 4096
const BLOCKS = 16

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: it went wrong`), { code })
}

/** A file in memory that moves at most `limit` bytes a call, and first throws what stands in `failures`. */
class ShyFile implements FileCalls {
  readonly bytes = new Uint8Array(BLOCKS * BLOCK)
  readonly failures: string[] = []
  limit = Number.POSITIVE_INFINITY
  syncs = 0

  read(_descriptor: number, bytes: Uint8Array, position: number): number {
    this.mayFail()
    const moved = Math.min(bytes.length, this.limit, this.bytes.length - position)
    bytes.set(this.bytes.subarray(position, position + moved))
    return moved
  }

  write(_descriptor: number, bytes: Uint8Array, position: number): number {
    return this.writev(0, [bytes], position)
  }

  writev(_descriptor: number, pieces: Uint8Array[], position: number): number {
    this.mayFail()
    const all = Buffer.concat(pieces).subarray(0, Math.min(this.limit, 2 ** 30))
    this.bytes.set(all, position)
    return all.length
  }

  sync(): void {
    this.syncs++
    this.mayFail()
  }

  private mayFail(): void {
    const code = this.failures.shift()
    if (code !== undefined) throw failure(code)
  }
}

describe('a file device', () => {
  const arena = new Uint8Array(new SharedArrayBuffer(32 * BLOCK))
  let calls: ShyFile
  let told: string[]
  let device: FileDevice

  beforeEach(() => {
    new Prng(1).fill(arena)
    calls = new ShyFile()
    told = []
    device = new FileDevice({ path: 'store.img', descriptor: -1, blockCount: BLOCKS }, arena, {
      calls,
      report: (sentence) => told.push(sentence),
    })
  })

  it('goes on after short reads and writes', () => {
    calls.limit = 1000
    expect(device.write(2, 3, 5 * BLOCK)).to.equal(Status.Success)
    expect(device.read(2, 3, 20 * BLOCK)).to.equal(Status.Success)
    expect(
      Buffer.compare(arena.subarray(5 * BLOCK, 8 * BLOCK), arena.subarray(20 * BLOCK, 23 * BLOCK)),
    ).to.equal(0)
  })

  it('goes on within and between the pieces of a joined write', () => {
    for (const limit of [1, 1000, BLOCK, BLOCK + 1, 3 * BLOCK]) {
      calls.limit = limit
      calls.bytes.fill(0)
      const ats = Float64Array.of(0, 9 * BLOCK, 4 * BLOCK, 6 * BLOCK)
      const counts = Int32Array.of(1, 1, 2, 1)
      expect(device.writeJoined(3, ats, counts, 0, 4)).to.equal(Status.Success)
      const wanted = [0, 9, 4, 5, 6].map((index) => arena.subarray(index * BLOCK, (index + 1) * BLOCK))
      expect(
        Buffer.compare(calls.bytes.subarray(3 * BLOCK, 8 * BLOCK), Buffer.concat(wanted)),
        `${limit}`,
      ).to.equal(0)
    }
  })

  it('repeats what was interrupted', () => {
    calls.failures.push('EINTR', 'EAGAIN')
    expect(device.write(0, 1, 0)).to.equal(Status.Success)
    calls.failures.push('EINTR')
    expect(device.read(0, 1, BLOCK)).to.equal(Status.Success)
    calls.failures.push('EINTR')
    expect(device.writeJoined(0, Float64Array.of(0, 3 * BLOCK), Int32Array.of(1, 1), 0, 2)).to.equal(
      Status.Success,
    )
    calls.failures.push('EINTR')
    expect(device.sync()).to.equal(Status.Success)
    expect(told).to.deep.equal([])
  })

  it('says when the file system under it is full', () => {
    calls.failures.push('ENOSPC')
    expect(device.write(7, 1, 0)).to.equal(Status.IoError)
    expect(told).to.deep.equal([
      'Cannot write 1 block(s) from block 7 of store.img: the file system that holds the backing file is full',
    ])
  })

  it('says which blocks the machine could not read or write', () => {
    calls.failures.push('EIO')
    expect(device.read(3, 2, 0)).to.equal(Status.IoError)
    calls.failures.push('EIO')
    expect(device.writeJoined(3, Float64Array.of(0, 3 * BLOCK), Int32Array.of(1, 1), 0, 2)).to.equal(
      Status.IoError,
    )
    expect(device.write(BLOCKS, 1, 0)).to.equal(Status.IoError)
    expect(told[0]).to.match(/read 2 block.*block 3 of store.img: EIO/)
    expect(told[1]).to.match(/write 2 block.*block 3 of store.img: EIO/)
    expect(told[2]).to.match(/the device has 16 blocks/)
  })

  it('takes the end of the file for an error', () => {
    device = new FileDevice({ path: 'store.img', descriptor: -1, blockCount: BLOCKS + 1 }, arena, { calls })
    expect(device.read(BLOCKS, 1, 0)).to.equal(Status.IoError)
  })

  it('never repeats a sync that failed', () => {
    calls.failures.push('EIO')
    expect(device.sync()).to.equal(Status.IoError)
    expect(calls.syncs).to.equal(1)
    expect(told).to.deep.equal(['Cannot sync store.img: EIO: it went wrong'])
  })

  it('does not sync when unsafe', () => {
    const careless = new FileDevice({ path: 'store.img', descriptor: -1, blockCount: BLOCKS }, arena, {
      calls,
      unsafe: true,
    })
    expect(careless.sync()).to.equal(Status.Success)
    expect(calls.syncs).to.equal(0)
  })
})

describe('a backing file', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'uvdo-file-'))
  })

  afterEach(() => rmSync(folder, { recursive: true }))

  it('is created sparse', () => {
    const path = join(folder, 'new.img')
    const file = openBackingFile(path, { createBlocks: 2 ** 20 })
    expect(file.blockCount).to.equal(2 ** 20)
    expect(statSync(path).blocks).to.be.lessThan(100)
    closeBackingFile(file)
  })

  it('keeps what a file holds, and is never made shorter', () => {
    const path = join(folder, 'old.img')
    writeFileSync(path, 'a'.repeat(3 * BLOCK))
    const file = openBackingFile(path, { createBlocks: 2 })
    expect(file.blockCount).to.equal(3)
    closeBackingFile(file)
    expect(readFileSync(path, 'latin1')).to.equal('a'.repeat(3 * BLOCK))
  })

  it('fails to write when opened for reading', () => {
    const path = join(folder, 'fixed.img')
    writeFileSync(path, 'a'.repeat(BLOCK))
    const file = openBackingFile(path, { readOnly: true })
    const arena = new Uint8Array(BLOCK)
    const device = new FileDevice(file, arena)
    expect(device.write(0, 1, 0)).to.equal(Status.IoError)
    expect(device.read(0, 1, 0)).to.equal(Status.Success)
    expect(arena[0]).to.equal(0x61)
    closeBackingFile(file)
  })

  it('is refused by name when missing, or when no store at all', () => {
    expect(() => openBackingFile(join(folder, 'none.img'))).to.throw(/Cannot open backing store .*none\.img/)
    expect(() => openBackingFile(folder)).to.throw(/Cannot open backing store/)
    expect(() => openBackingFile('/dev/null')).to.throw('neither a file nor a block device')
  })
})
