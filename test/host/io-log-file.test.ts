import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { BatchedDevice } from '../../src/device/batched-device.js'
import { DEVICE_BLOCK_BYTES as BLOCK, DeviceOp } from '../../src/device/block-device.js'
import { Faults, FaultyDevice } from '../../src/device/faulty-device.js'
import { type IoLog, LoggingDevice } from '../../src/device/logging-device.js'
import { createRamSegments, RamDevice } from '../../src/device/ram-device.js'
import { IoLogFile, replayLog } from '../../src/host/io-log-file.js'
import { withTempDir } from '../tools.js'

/** A log as lines: `w1 5+2 aa`, `f2`, `+1`, `-2`. */
class Lines implements IoLog {
  readonly lines: string[] = []

  writeBegun(request: number, block: number, bytes: Uint8Array): void {
    this.lines.push(`w${request} ${block}+${bytes.length / BLOCK} ${bytes[0].toString(16)}`)
  }

  flushBegun(request: number): void {
    this.lines.push(`f${request}`)
  }

  ended(request: number, isDone: boolean): void {
    this.lines.push(`${isDone ? '+' : '-'}${request}`)
  }
}

describe('a log of writes and flushes', () => {
  const EXPECTED = ['w1 5+2 aa', 'w2 9+1 bb', '+1', '+2', 'f3', '-3', 'w4 9+1 bb', '+4']

  /** Two writes and a read, a flush that fails, a write. */
  function work(log: IoLog): void {
    const arena = new Uint8Array(8 * BLOCK)
    arena.fill(0xaa, 0, 2 * BLOCK).fill(0xbb, 2 * BLOCK, 3 * BLOCK)
    const faults = Faults.none()
    faults.failAfter(DeviceOp.Flush, 0)
    const ram = new RamDevice(createRamSegments(20), arena)
    const device = new LoggingDevice(new BatchedDevice(new FaultyDevice(ram, faults), 8), arena, log)
    const tags: number[] = []
    device.attach((tag) => tags.push(tag))
    device.submit(DeviceOp.Write, 5, 2, 0, 70)
    device.submit(DeviceOp.Read, 1, 1, 7 * BLOCK, 71)
    device.submit(DeviceOp.Write, 9, 1, 2 * BLOCK, 72)
    device.kick()
    device.submit(DeviceOp.Flush, 0, 0, 0, -1)
    device.kick()
    device.submit(DeviceOp.Write, 9, 1, 2 * BLOCK, 70)
    device.kick()
    expect(tags).to.deep.equal([70, 71, 72, -1, 70])
  }

  it('has each write and flush, where it begins and where it ends, and no read', () => {
    const log = new Lines()
    work(log)
    expect(log.lines).to.deep.equal(EXPECTED)
  })

  it('is the same when it went through a file', () =>
    withTempDir((folder) => {
      const path = join(folder, 'log')
      const file = new IoLogFile(path)
      expect(existsSync(path)).to.equal(false)
      work(file)
      const log = new Lines()
      expect(replayLog(path, log)).to.equal(EXPECTED.length)
      expect(log.lines).to.deep.equal(EXPECTED)
      return Promise.resolve()
    }))

  it('ends before an event that was cut off', () =>
    withTempDir((folder) => {
      const path = join(folder, 'log')
      work(new IoLogFile(path))
      const header = new Uint8Array(24)
      const view = new DataView(header.buffer)
      view.setUint32(0, 1, true)
      view.setUint32(4, 1, true)
      appendFileSync(path, header.subarray(0, 10))
      expect(replayLog(path, new Lines())).to.equal(EXPECTED.length)
      appendFileSync(path, header.subarray(10))
      appendFileSync(path, new Uint8Array(BLOCK - 1))
      expect(replayLog(path, new Lines())).to.equal(EXPECTED.length)
      appendFileSync(path, new Uint8Array(1))
      expect(replayLog(path, new Lines())).to.equal(EXPECTED.length + 1)
      return Promise.resolve()
    }))
})
