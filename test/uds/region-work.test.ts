import { expect } from 'chai'
import { VdoError } from '../../src/base/errors.js'
import type { VioIndex } from '../../src/base/ids.js'
import { Status } from '../../src/base/status.js'
import { BOUNCE_BLOCKS, RegionWork, WAIT } from '../../src/uds/region-work.js'
import { type Steps, type StorageCommand, StorageOp } from '../../src/uds/storage-steps.js'
import { BioOp, hop, IndexOp, Room } from '../../src/vio/opcodes.js'
import { IoKind } from '../../src/vio/vio-table.js'
import type { ZoneContext } from '../../src/vio/zone-context.js'
import { Bench, SMALL_SHAPE, SMALL_VOLUME } from '../zones/bench.js'

const BLOCK = 4096
const OFFSET = 5
/** The region, in blocks of the device. */
const REGION = { block: 10, blocks: 200 }

describe('work on the region of an index', () => {
  let bench: Bench
  let context: ZoneContext
  let work: RegionWork
  let vio: VioIndex
  let ended: (VdoError | null)[]
  let bufferAt: number

  beforeEach(async () => {
    bench = await Bench.make(SMALL_SHAPE, { ...SMALL_VOLUME, bioOffset: OFFSET })
    context = bench.context(Room.Index)
    const { vios, pools } = bench.arena
    // Any memory of the arena does for a buffer.
    bufferAt = vios.dataAt(0 as VioIndex)
    vio = pools.admin.first
    work = new RegionWork(context, REGION, vio, bufferAt, hop(IndexOp.Worked, 0))
    ended = []
  })

  const start = (steps: Steps<void>) => work.start(steps, (error) => ended.push(error))

  function command(op: StorageOp, block: number, count: number, bytes: Uint8Array, at = 0): StorageCommand {
    return { op, block, count, bytes, at }
  }

  /** What bio was asked, as `read 15+16`: a device block counted from the volume's start, and a count. */
  function asked(): string {
    const [sent] = bench.takeAll()
    const { vios } = bench.arena
    expect(sent!.operand).to.equal(vio)
    expect(vios.ioKind[vio]).to.equal(IoKind.Index)
    if (sent!.op === BioOp.Flush) return 'flush'
    return `${sent!.op === BioOp.Read ? 'read' : 'write'} ${vios.ioPbn[vio]}+${vios.ioBlocks[vio]}`
  }

  it('reads what lies elsewhere through its buffer, in pieces', () => {
    const bytes = new Uint8Array((BOUNCE_BLOCKS + 2) * BLOCK)
    start(
      (function* () {
        yield command(StorageOp.Read, 20, BOUNCE_BLOCKS + 1, bytes, BLOCK)
      })(),
    )
    expect(asked()).to.equal(`read ${20 + OFFSET}+${BOUNCE_BLOCKS}`)
    context.arena.fill(7, bufferAt, bufferAt + BOUNCE_BLOCKS * BLOCK)
    work.returned()
    expect(asked()).to.equal(`read ${20 + OFFSET + BOUNCE_BLOCKS}+1`)
    context.arena.fill(9, bufferAt, bufferAt + BLOCK)
    work.returned()
    expect(ended).to.deep.equal([null])
    const values = [0, BLOCK, (BOUNCE_BLOCKS + 1) * BLOCK - 1, (BOUNCE_BLOCKS + 1) * BLOCK, bytes.length - 1]
    expect(values.map((at) => bytes[at])).to.deep.equal([0, 7, 7, 9, 9])
  })

  it('writes from its buffer, and waits for a flush', () => {
    const bytes = new Uint8Array(2 * BLOCK).fill(3)
    start(
      (function* () {
        yield command(StorageOp.Write, 10, 2, bytes)
        yield command(StorageOp.Flush, 0, 0, bytes)
      })(),
    )
    expect(asked()).to.equal(`write ${10 + OFFSET}+2`)
    expect(context.arena[bufferAt + 2 * BLOCK - 1]).to.equal(3)
    work.returned()
    expect(asked()).to.equal('flush')
    expect(work.isBusy).to.equal(true)
    work.returned()
    expect(ended).to.deep.equal([null])
  })

  it('moves what lies in the arena in one piece, without a copy', () => {
    const at = bufferAt + BOUNCE_BLOCKS * BLOCK
    const lent = context.arena.subarray(at, at + 20 * BLOCK)
    start(
      (function* () {
        yield command(StorageOp.Write, 30, 18, lent, 2 * BLOCK)
      })(),
    )
    expect(asked()).to.equal(`write ${30 + OFFSET}+18`)
    expect(bench.arena.vios.ioAt[vio]).to.equal(at + 2 * BLOCK)
  })

  it('throws what the disk says into the work, which may go on', () => {
    const caught: string[] = []
    start(
      (function* () {
        try {
          yield command(StorageOp.Read, 50, 1, new Uint8Array(BLOCK))
        } catch (error) {
          caught.push((error as VdoError).code)
        }
        yield command(StorageOp.Read, 51, 1, new Uint8Array(BLOCK))
      })(),
    )
    expect(asked()).to.equal(`read ${50 + OFFSET}+1`)
    bench.arena.vios.status[vio] = Status.IoError
    work.returned()
    expect(caught).to.deep.equal(['VDO_INDEX_IO'])
    expect(asked()).to.equal(`read ${51 + OFFSET}+1`)
    bench.arena.vios.status[vio] = Status.IoError
    work.returned()
    expect(ended.map((error) => error?.message)).to.deep.equal([
      'Cannot read blocks 51 to 51 of the index: the backing store failed',
    ])
  })

  for (const [block, count] of [
    [9, 1],
    [0, 300],
    [209, 2],
  ] as const) {
    it(`does not leave the region (blocks ${block}+${count})`, () => {
      start(
        (function* () {
          yield command(StorageOp.Write, block, count, new Uint8Array(count * BLOCK))
        })(),
      )
      expect(bench.takeAll()).to.deep.equal([])
      expect(ended[0]?.code).to.equal('VDO_INDEX_CORRUPT')
    })
  }

  it('waits until it is woken, and rests while it is held', () => {
    let ready = false
    start(
      (function* () {
        while (!ready) yield WAIT
        yield command(StorageOp.Read, 20, 1, new Uint8Array(BLOCK))
        yield command(StorageOp.Read, 21, 1, new Uint8Array(BLOCK))
      })(),
    )
    work.wake()
    expect(bench.takeAll()).to.deep.equal([])
    ready = true
    work.wake()
    expect(asked()).to.equal(`read ${20 + OFFSET}+1`)
    work.hold()
    expect(work.isWithBio).to.equal(true)
    work.returned()
    expect([work.isWithBio, work.isBusy, bench.takeAll().length]).to.deep.equal([false, true, 0])
    work.wake()
    expect(bench.takeAll()).to.deep.equal([])
    work.release()
    expect(asked()).to.equal(`read ${21 + OFFSET}+1`)
    work.returned()
    expect(ended).to.deep.equal([null])
  })

  it('lets a broken invariant through', () => {
    const broken = (function* (): Steps<void> {
      yield WAIT
      throw new RangeError('broken')
    })()
    start(broken)
    expect(() => work.wake()).to.throw(RangeError)
  })
})
