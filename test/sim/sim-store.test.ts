import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { DeviceOp } from '../../src/device/block-device.js'
import { FailureKind, spare, spoilWork } from '../../src/sim/disk-faults.js'
import { drawConfig } from '../../src/sim/draw-config.js'
import { SimDevice, SimStore } from '../../src/sim/sim-store.js'

const BLOCK = 4096
const SECTOR = 512
const BLOCKS = 10
const TRIES = 200

describe('the simulated disk', () => {
  let prng: Prng
  let store: SimStore
  let arena: Uint8Array
  let device: SimDevice
  let answers: Status[]

  beforeEach(() => {
    prng = new Prng(1)
    store = new SimStore(BLOCKS)
    arena = new Uint8Array(BLOCK)
    device = new SimDevice(store, arena, prng)
    answers = []
    device.attach((_, status) => void answers.push(status))
  })

  /** Does one request; gives how it ended. */
  function ask(op: DeviceOp, block = 0): Status {
    device.submit(op, block, op === DeviceOp.Flush ? 0 : 1, 0, 0)
    device.step()
    return answers.at(-1)!
  }

  function write(block: number, byte: number): Status {
    arena.fill(byte)
    return ask(DeviceOp.Write, block)
  }

  function failNext(op: DeviceOp): void {
    store.mayFail = (asked) => asked === op
    store.failureChance = 1
    store.failuresLeft = 1
  }

  /** What a block holds: a byte, or `torn` for several, which share no sector. */
  function held(disk: SimStore, block: number): number | 'torn' {
    const bytes = disk.blockAt(block)
    for (let at = 0; at < BLOCK; at += SECTOR) {
      expect(new Set(bytes.subarray(at, at + SECTOR)).size, 'values in a sector').to.equal(1)
    }
    return new Set(bytes).size === 1 ? bytes[0]! : 'torn'
  }

  /** All that is found in a block after many power failures. */
  function foundAfterCrashes(block: number): (number | 'torn')[] {
    return [...new Set(Array.from({ length: TRIES }, () => held(store.crash(prng), block)))]
  }

  it('has after a power failure what was flushed, or anything written since, in any sectors', () => {
    write(0, 1)
    ask(DeviceOp.Flush)
    write(0, 2)
    write(1, 3)
    write(0, 4)
    expect(foundAfterCrashes(0)).to.have.members([1, 2, 4, 'torn'])
    expect(foundAfterCrashes(1)).to.have.members([0, 3, 'torn'])
    const last = Array.from({ length: TRIES }, () => store.crash(prng)).filter(
      (disk) => held(disk, 0) === 4 && held(disk, 1) === 0,
    )
    expect(last, 'the last write without the one before').to.not.deep.equal([])
    ask(DeviceOp.Flush)
    expect(foundAfterCrashes(0)).to.have.members([4])
  })

  it('has of a write that failed nothing, some sectors, or all', () => {
    const found = new Set<number | 'torn'>()
    for (let i = 0; i < TRIES; i++) {
      expect(write(0, 1)).to.equal(Status.Success)
      failNext(DeviceOp.Write)
      expect(write(0, 2)).to.equal(Status.IoError)
      found.add(held(store, 0))
    }
    expect([...found]).to.have.members([1, 2, 'torn'])
  })

  it('may have dropped what a flush that failed should have kept, though it is read until the power fails', () => {
    const found = new Set<number | 'torn'>()
    for (let i = 0; i < TRIES; i++) {
      write(0, 1)
      ask(DeviceOp.Flush)
      write(0, 2)
      failNext(DeviceOp.Flush)
      expect(ask(DeviceOp.Flush)).to.equal(Status.IoError)
      expect(ask(DeviceOp.Flush), 'the next one').to.equal(Status.Success)
      expect(held(store, 0)).to.equal(2)
      found.add(held(store.crash(prng), 0))
    }
    expect([...found]).to.have.members([1, 2])
  })

  it('leaves noise where a read that failed should have put a block', () => {
    write(0, 7)
    arena.fill(0)
    failNext(DeviceOp.Read)
    expect(ask(DeviceOp.Read)).to.equal(Status.IoError)
    expect(new Set(arena)).to.have.property('size', 1)
    expect([0, 7]).to.not.include(arena[0])
  })

  it('takes no block that it never had once it is full, and all others', () => {
    write(0, 1)
    spoilWork(store, prng, FailureKind.Full, drawConfig(prng).volume)
    store.failureChance = 1
    expect(write(0, 2)).to.equal(Status.Success)
    expect(write(1, 2)).to.equal(Status.IoError)
    expect(write(2, 2)).to.equal(Status.IoError)
    expect(write(0, 3)).to.equal(Status.Success)
    expect(ask(DeviceOp.Flush)).to.equal(Status.Success)
    expect(ask(DeviceOp.Read, 5)).to.equal(Status.Success)
    spare(store)
    expect(write(3, 2)).to.equal(Status.Success)
  })
})
