/** A volume of one slab that is filled to its last physical block: what still goes, what does not, and what survives. */

import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import type { ExportTarget } from '../../src/engine/export-target.js'
import type { VdoStatistics } from '../../src/engine/statistics.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { Oracle, Outcome } from '../../src/sim/oracle.js'
import { codeOf } from '../outcomes.js'
import { NbdTarget } from '../server/nbd/nbd-target.js'
import { CMD, E, RawClient } from '../server/nbd/raw-client.js'
import { spawnServer, withTempDir } from '../tools.js'
import { auditClosed, BLOCK, judgeCrashed, readAllBack, workOn } from './chaos.js'
import { noise } from './memory-volume.js'
import { formatSparse, LOGICAL_BYTES } from './sparse-volume.js'

const DEPTH = 64
/** Blocks of the first leaf of the map that are left out: what comes there needs no page, but a block. */
const HOLES = 60
/** Up to here nothing can be packed; then seven blocks take one. */
const PLAIN_BLOCKS = 7500
/** More than there is space for, packed or not. */
const MOST_BLOCKS = 20_000

/** Seven of them fit into a block. */
function compressible(seed: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  block.set(noise(seed, 540))
  return block
}

/** A client that writes block by block, and keeps what must be there. */
class Tenant {
  constructor(
    readonly target: ExportTarget,
    readonly oracle = new Oracle(),
  ) {}

  /** False if there was no space; nothing else may go wrong. */
  async put(block: number, bytes: Uint8Array, fua = false): Promise<boolean> {
    const handle = this.oracle.beginWrite(block * BLOCK, bytes)
    const status = await answerOf((done) => this.target.write(block * BLOCK, bytes, fua, done))
    const isStored = status === Status.Success
    if (!isStored) expect(Status[status]).to.equal('NoSpace')
    expect(this.oracle.endWrite(handle, isStored ? Outcome.Succeeded : Outcome.Refused, fua)).to.equal(null)
    return isStored
  }

  async discard(block: number, count: number): Promise<void> {
    const handle = this.oracle.beginZero(block * BLOCK, count * BLOCK)
    const status = await answerOf((done) => this.target.zero(block * BLOCK, count * BLOCK, false, done))
    expect(status).to.equal(Status.Success)
    this.oracle.endWrite(handle, Outcome.Succeeded)
  }

  async flush(): Promise<void> {
    const handle = this.oracle.beginFlush()
    expect(await answerOf((done) => this.target.flush(done))).to.equal(Status.Success)
    this.oracle.endFlush(handle)
  }

  /** Writes blocks from `first` up to `end`, or until one finds no space; gives the first that was not written. */
  async fill(first: number, end: number, content: (block: number) => Uint8Array): Promise<number> {
    let next = first
    let lowest = end
    const one = async (): Promise<void> => {
      while (next < end && lowest === end) {
        const block = next++
        if (!(await this.put(block, content(block)))) lowest = Math.min(lowest, block)
      }
    }
    await Promise.all(Array.from({ length: DEPTH }, one))
    return lowest
  }

  /** Fills all but the holes, until there is no space for one block more that comes alone. */
  async fillUp(): Promise<void> {
    await this.fill(HOLES, PLAIN_BLOCKS, noise)
    // Fragments take a block each until they are packed: then there is space again.
    for (let end = PLAIN_BLOCKS; ; ) {
      end = await this.fill(end, MOST_BLOCKS, compressible)
      await this.flush()
      if (!(await this.put(end, compressible(end)))) return
    }
  }
}

function answerOf(ask: (done: (status: Status) => void) => void): Promise<Status> {
  return new Promise(ask)
}

const freeBlocks = ({ physicalBlocks, dataBlocksUsed, overheadBlocksUsed }: VdoStatistics): number =>
  physicalBlocks - dataBlocksUsed - overheadBlocksUsed

describe('a volume filled to the last physical block', function () {
  this.timeout(60_000)

  const opened: VdoVolume[] = []

  /** With its index, which knows all that is written then. */
  async function open(device: string, threads: string): Promise<VdoVolume> {
    const volume = await openVolume({ device, threads, report: () => {} })
    opened.push(volume)
    await volume.indexSettled()
    return volume
  }

  afterEach(() => Promise.all(opened.splice(0).map((volume) => volume.halt())))

  it('refuses what needs space, does all else, and has at once what is freed', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'volume.img')
      await formatSparse(device, { slabs: 1 })
      const volume = await open(device, 'default')
      const tenant = new Tenant(volume.target)
      await tenant.fillUp()
      let hole = 0
      const expectFull = async (): Promise<void> => {
        expect(await tenant.put(hole, noise(1e6))).to.equal(false)
        expect(freeBlocks(volume.statistics())).to.equal(0)
      }
      await expectFull()
      expect(volume.statistics().mode).to.equal('normal')
      for (const [offset, bytes] of [
        [0, noise(1e6, 512)],
        [5000 * BLOCK + 512, noise(1e6, 512)],
        [5000 * BLOCK, noise(1e6, 30 * BLOCK)],
      ] as const) {
        expect(await codeOf(volume.write(offset, bytes))).to.equal('VDO_NO_SPACE')
      }

      for (let block = 1000; hole < HOLES; block++) {
        for (const free of [
          () => tenant.put(block, noise(5000)),
          () => tenant.put(block + 1000, new Uint8Array(BLOCK)),
          () => tenant.discard(block + 2000, 1),
        ]) {
          await free()
          expect(await tenant.put(hole, noise(2e6 + hole)), `hole ${hole}`).to.equal(true)
          hole++
          await expectFull()
        }
      }
      await tenant.discard(4000, 500)
      expect(await tenant.fill(4000, 4500, (block) => noise(3e6 + block))).to.equal(4500)
      await expectFull()
      await volume.close()
      expect(auditClosed(device, volume.statistics()).totals.compressedMappings).to.be.above(1000)

      const again = await open(device, 'tiny')
      await readAllBack(again, tenant.oracle)
      const later = new Tenant(again.target, tenant.oracle)
      expect(await later.put(0, noise(1e6))).to.equal(false)
      const first = PLAIN_BLOCKS
      await later.discard(first, 1000)
      await later.flush()
      // Whole blocks of fragments: some are still in use at the edges.
      const freed = freeBlocks(again.statistics())
      expect(freed).to.be.within(120, 200)
      expect(await later.fill(first, first + freed, noise)).to.equal(first + freed)
      expect(await later.put(0, noise(1e6))).to.equal(false)
      await readAllBack(again, later.oracle)
      await again.close()
      auditClosed(device, again.statistics())
    }))

  it('tells clients over the wire, and loses nothing when the server is killed', () =>
    withTempDir(async (folder) => {
      const device = join(folder, 'volume.img')
      await formatSparse(device, { slabs: 1 })
      const uri = `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`
      const server = await spawnServer(device, uri)
      const targets = await Promise.all([1, 2, 3].map(() => NbdTarget.attach(uri, LOGICAL_BYTES)))
      const tenant = new Tenant(targets[0])
      await tenant.fillUp()
      const raw = await RawClient.attach(uri)
      const data = noise(1e6, 20 * BLOCK)
      expect((await raw.ask(CMD.write, 7000 * BLOCK, data.length, 0, data)).error).to.equal(E.noSpace)
      raw.destroy()
      const { oracle } = tenant
      await workOn(targets, new Prng(7), oracle, {
        requests: Number.POSITIVE_INFINITY,
        depth: 50,
        strike: { after: 1000, act: () => void server.kill() },
      })
      await server.kill()
      oracle.powerFailed()

      const volume = await open(device, 'tiny')
      await judgeCrashed(volume, oracle, true)
      const later = new Tenant(volume.target, oracle)
      const end = await later.fill(MOST_BLOCKS, 2 * MOST_BLOCKS, (block) => noise(4e6 + block))
      expect(end).to.be.below(2 * MOST_BLOCKS)
      await later.discard(3000, 10)
      expect(await later.fill(3000, 3010, (block) => noise(5e6 + block))).to.equal(3010)
      await volume.close()
      auditClosed(device, volume.statistics())
    }))
})
