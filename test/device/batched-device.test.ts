import { expect } from 'chai'
import { Status } from '../../src/base/status.js'
import { BatchedDevice } from '../../src/device/batched-device.js'
import { DeviceOp, type SynchronousDevice } from '../../src/device/block-device.js'

/** A store that only writes down what it is asked, and fails what it is told to. */
class Diary implements SynchronousDevice {
  readonly blockCount = 100
  readonly calls: string[] = []
  failing = ''

  read(block: number, count: number): Status {
    return this.note(`read ${block}+${count}`)
  }

  write(block: number, count: number): Status {
    return this.note(`write ${block}+${count}`)
  }

  writeJoined(block: number, ats: Float64Array, counts: Int32Array, first: number, end: number): Status {
    const pieces = [...counts.subarray(first, end)].map((count, i) => `${count}@${ats[first + i]}`)
    return this.note(`join ${block}: ${pieces.join(' ')}`)
  }

  sync(): Status {
    return this.note('sync')
  }

  private note(call: string): Status {
    this.calls.push(call)
    return call.startsWith(this.failing) && this.failing !== '' ? Status.IoError : Status.Success
  }
}

describe('a batched device', () => {
  let store: Diary
  let device: BatchedDevice
  let done: Map<number, Status>

  beforeEach(() => {
    store = new Diary()
    device = new BatchedDevice(store, 8)
    done = new Map()
    device.attach((tag, status) => {
      expect(done.has(tag)).to.equal(false)
      done.set(tag, status)
    })
  })

  it('joins the neighbours of a batch in the order of the store', () => {
    device.submit(DeviceOp.Write, 12, 1, 100, 1)
    device.submit(DeviceOp.Write, 40, 1, 200, 2)
    device.submit(DeviceOp.Write, 10, 2, 300, 3)
    device.submit(DeviceOp.Write, 14, 1, 400, 4)
    device.kick()
    expect(store.calls).to.deep.equal(['join 10: 2@300 1@100', 'write 14+1', 'write 40+1'])
  })

  it('syncs once for all flushes of a batch, after its writes, and tells nothing before', () => {
    device.submit(DeviceOp.Flush, 0, 0, 0, 1)
    device.submit(DeviceOp.Write, 5, 1, 0, 2)
    device.submit(DeviceOp.Flush, 0, 0, 0, 3)
    expect(done.size).to.equal(0)
    device.kick()
    expect(store.calls).to.deep.equal(['write 5+1', 'sync'])
    expect([...done.keys()]).to.deep.equal([1, 2, 3])
  })

  it('fails every flush that a failed sync covered', () => {
    store.failing = 'sync'
    device.submit(DeviceOp.Flush, 0, 0, 0, 1)
    device.submit(DeviceOp.Write, 5, 1, 0, 2)
    device.submit(DeviceOp.Flush, 0, 0, 0, 3)
    device.kick()
    expect([...done]).to.deep.equal([
      [1, Status.IoError],
      [2, Status.Success],
      [3, Status.IoError],
    ])
    expect(store.calls.filter((call) => call === 'sync').length).to.equal(1)
  })

  it('fails all pieces of a joined write, and none beside it', () => {
    store.failing = 'join'
    device.submit(DeviceOp.Write, 5, 1, 0, 1)
    device.submit(DeviceOp.Write, 6, 1, 0, 2)
    device.submit(DeviceOp.Write, 8, 1, 0, 3)
    device.kick()
    expect([...done]).to.deep.equal([
      [1, Status.IoError],
      [2, Status.IoError],
      [3, Status.Success],
    ])
  })

  it('refuses more than it was made for', () => {
    for (let tag = 0; tag < 8; tag++) device.submit(DeviceOp.Read, tag, 1, 0, tag)
    expect(() => device.submit(DeviceOp.Read, 8, 1, 0, 8)).to.throw('made for')
  })
})
