import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import { BatchedDevice } from '../../src/device/batched-device.js'
import { DEVICE_BLOCK_BYTES as BLOCK, type BlockDevice, DeviceOp } from '../../src/device/block-device.js'
import { LoggingDevice } from '../../src/device/logging-device.js'
import { OffsetDevice } from '../../src/device/offset-device.js'
import { createRamSegments, RamDevice } from '../../src/device/ram-device.js'
import { ReadOnlyDevice } from '../../src/device/read-only-device.js'
import { closeBackingFile, openBackingFile } from '../../src/host/backing-file.js'
import { FileDevice } from '../../src/host/file-device.js'

const BLOCKS = 40
const CAPACITY = 32
/** Arena blocks: the first half holds what is written, the second what is read. */
const ARENA_BLOCKS = 64
const READ_AT = 32 * BLOCK

interface Store {
  /** A device object over the store, as a thread would make its own. */
  open(arena: Uint8Array): BlockDevice
  close(): void
}

const STORES: Record<string, () => Store> = {
  memory: () => {
    const segments = createRamSegments(BLOCKS)
    return { open: (arena) => new BatchedDevice(new RamDevice(segments, arena), CAPACITY), close: () => {} }
  },
  'memory in small segments': () => {
    const segments = createRamSegments(BLOCKS, 7)
    return { open: (arena) => new BatchedDevice(new RamDevice(segments, arena), CAPACITY), close: () => {} }
  },
  'a file': () => {
    const folder = mkdtempSync(join(tmpdir(), 'uvdo-device-'))
    const file = openBackingFile(join(folder, 'store'), { createBlocks: BLOCKS })
    return {
      open: (arena) => new BatchedDevice(new FileDevice(file, arena), CAPACITY),
      close: () => {
        closeBackingFile(file)
        rmSync(folder, { recursive: true })
      },
    }
  },
  'a device that is logged': () => {
    const segments = createRamSegments(BLOCKS)
    const log = { writeBegun: () => {}, flushBegun: () => {}, ended: () => {} }
    return {
      open: (arena) =>
        new LoggingDevice(new BatchedDevice(new RamDevice(segments, arena), CAPACITY), arena, log),
      close: () => {},
    }
  },
  'a part of a device': () => {
    const segments = createRamSegments(BLOCKS + 10)
    return {
      open: (arena) =>
        new OffsetDevice(new BatchedDevice(new RamDevice(segments, arena), CAPACITY), 5, BLOCKS),
      close: () => {},
    }
  },
}

for (const [kind, create] of Object.entries(STORES)) {
  describe(`a device over ${kind}`, () => {
    let store: Store
    let device: BlockDevice
    let arena: Uint8Array
    let done: { tag: number; status: Status }[]

    beforeEach(() => {
      store = create()
      arena = new Uint8Array(new SharedArrayBuffer(ARENA_BLOCKS * BLOCK))
      device = store.open(arena)
      done = []
      device.attach((tag, status) => done.push({ tag, status }))
    })

    afterEach(() => store.close())

    /** Submits one request and gives its status. */
    const run = (op: DeviceOp, block = 0, count = 1, at = 0): Status => {
      done.length = 0
      device.submit(op, block, count, at, 99)
      device.kick()
      expect(done.map(({ tag }) => tag)).to.deep.equal([99])
      return done[0]!.status
    }

    const arenaBlock = (index: number) => arena.subarray(index * BLOCK, (index + 1) * BLOCK)
    const readBack = (block: number): Uint8Array => {
      expect(run(DeviceOp.Read, block, 1, READ_AT)).to.equal(Status.Success)
      return arena.subarray(READ_AT, READ_AT + BLOCK)
    }

    it('has the blocks that it was made with, all zero', () => {
      expect(device.blockCount).to.equal(BLOCKS)
      arena.fill(1)
      for (const block of [0, BLOCKS - 1]) expect(readBack(block).every((byte) => byte === 0)).to.equal(true)
    })

    it('gives back what was written, over any number of blocks', () => {
      new Prng(1).fill(arena.subarray(0, 20 * BLOCK))
      expect(run(DeviceOp.Write, 3, 20, 0)).to.equal(Status.Success)
      expect(run(DeviceOp.Flush)).to.equal(Status.Success)
      expect(run(DeviceOp.Read, 3, 20, READ_AT)).to.equal(Status.Success)
      expect(
        Buffer.compare(arena.subarray(0, 20 * BLOCK), arena.subarray(READ_AT, READ_AT + 20 * BLOCK)),
      ).to.equal(0)
      expect(readBack(2).every((byte) => byte === 0)).to.equal(true)
      expect(readBack(23).every((byte) => byte === 0)).to.equal(true)
    })

    it('puts every write of a batch in its place, whatever their order', () => {
      fc.assert(
        fc.property(
          fc.shuffledSubarray(
            Array.from({ length: BLOCKS }, (_, block) => block),
            { minLength: 12, maxLength: CAPACITY },
          ),
          fc.nat(),
          (blocks, seed) => {
            new Prng(seed).fill(arena.subarray(0, CAPACITY * BLOCK))
            done.length = 0
            blocks.forEach((block, row) => device.submit(DeviceOp.Write, block, 1, row * BLOCK, row))
            device.kick()
            expect(done.map(({ tag }) => tag).sort((a, b) => a - b)).to.deep.equal([...blocks.keys()])
            blocks.forEach((block, row) =>
              expect(Buffer.compare(readBack(block), arenaBlock(row))).to.equal(0),
            )
          },
        ),
        { seed: 9, numRuns: 30 },
      )
    })

    it('joins neighbours of several blocks that lie apart in the arena', () => {
      new Prng(2).fill(arena.subarray(0, 12 * BLOCK))
      device.submit(DeviceOp.Write, 14, 1, 0 * BLOCK, 1)
      device.submit(DeviceOp.Write, 10, 3, 4 * BLOCK, 2)
      device.submit(DeviceOp.Write, 13, 1, 7 * BLOCK, 3)
      device.kick()
      expect(done.every(({ status }) => status === Status.Success)).to.equal(true)
      for (const [block, from] of [
        [10, 4],
        [11, 5],
        [12, 6],
        [13, 7],
        [14, 0],
      ] as const) {
        expect(Buffer.compare(readBack(block), arenaBlock(from)), `${block}`).to.equal(0)
      }
    })

    it('fails a request that does not lie on it, and no other', () => {
      for (const [block, count] of [
        [BLOCKS, 1],
        [BLOCKS - 1, 2],
        [-1, 1],
        [2 ** 36, 1],
      ] as const) {
        expect(run(DeviceOp.Read, block, count, READ_AT)).to.equal(Status.IoError)
        expect(run(DeviceOp.Write, block, count, 0)).to.equal(Status.IoError)
      }
      done.length = 0
      device.submit(DeviceOp.Write, BLOCKS + 3, 1, 0, 1)
      device.submit(DeviceOp.Write, 4, 1, 0, 2)
      device.kick()
      done.sort((a, b) => a.tag - b.tag)
      expect(done).to.deep.equal([
        { tag: 1, status: Status.IoError },
        { tag: 2, status: Status.Success },
      ])
    })

    it('does what a completion submits', () => {
      const other = store.open(arena)
      const tags: number[] = []
      other.attach((tag) => {
        tags.push(tag)
        if (tag < 3) {
          other.submit(DeviceOp.Write, tag, 1, 0, tag + 1)
          other.kick()
        }
      })
      other.submit(DeviceOp.Flush, 0, 0, 0, 0)
      other.kick()
      expect(tags).to.deep.equal([0, 1, 2, 3])
    })

    it('shows one thread what another wrote', () => {
      const other = store.open(arena)
      other.attach(() => {})
      new Prng(3).fill(arenaBlock(0))
      other.submit(DeviceOp.Write, 8, 1, 0, 1)
      other.kick()
      expect(Buffer.compare(readBack(8), arenaBlock(0))).to.equal(0)
    })
  })
}

describe('a read-only device', () => {
  it('reads, refuses to write, and takes a flush for done', () => {
    const arena = new Uint8Array(BLOCK * 2).fill(7)
    const device = new ReadOnlyDevice(new BatchedDevice(new RamDevice(createRamSegments(4), arena), 8))
    const done: [number, Status][] = []
    device.attach((tag, status) => done.push([tag, status]))
    device.submit(DeviceOp.Write, 1, 1, 0, 1)
    device.submit(DeviceOp.Flush, 0, 0, 0, 2)
    device.submit(DeviceOp.Read, 1, 1, BLOCK, 3)
    device.kick()
    expect(done).to.deep.equal([
      [1, Status.IoError],
      [2, Status.Success],
      [3, Status.Success],
    ])
    expect(arena[BLOCK]).to.equal(0)
  })
})
