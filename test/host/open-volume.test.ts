import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { VolumeState } from '../../src/format/super-block.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { codeOf } from '../outcomes.js'
import { formatInMemory, noise, stateOnDisk } from './memory-volume.js'
import { useVolume } from './use-volume.js'

const BLOCK = 4096

async function withVolume(
  device: readonly SharedArrayBuffer[],
  threads: string,
  use: (volume: VdoVolume) => Promise<void>,
): Promise<void> {
  await useVolume(await openVolume({ device, threads }), use)
}

describe('openVolume', function () {
  this.timeout(60_000)

  for (const threads of ['default', 'tiny', 'wide']) {
    it(`keeps what was written over a restart (${threads})`, async () => {
      const { segments, superBlockPbn } = formatInMemory()
      const data = noise(1, 100 * BLOCK)
      await withVolume(segments, threads, async (volume) => {
        expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
        await volume.write(5 * BLOCK, data)
        await volume.write(1000 * BLOCK + 100, data.subarray(0, 5000), { fua: true })
        await volume.flush()
        expect(await volume.read(5 * BLOCK, data.length)).to.deep.equal(data)
      })
      expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Clean)
      await withVolume(segments, 'default', async (volume) => {
        expect(await volume.read(5 * BLOCK, data.length)).to.deep.equal(data)
        expect(await volume.read(1000 * BLOCK + 100, 5000)).to.deep.equal(data.subarray(0, 5000))
        expect(await volume.read(1000 * BLOCK, 100)).to.deep.equal(new Uint8Array(100))
      })
    })
  }

  it('stores equal blocks once and compressible blocks packed', async () => {
    const { segments } = formatInMemory()
    await withVolume(segments, 'default', async (volume) => {
      // What is written while the index opens is stored without a look at it.
      await volume.indexSettled()
      const same = noise(2)
      const before = volume.statistics().dataBlocksUsed
      for (let i = 0; i < 100; i++) await volume.write(i * BLOCK, same)
      await volume.flush()
      expect(volume.statistics().dataBlocksUsed - before).to.equal(1)
      // More than the pool holds: a flush sends on whatever it finds on its way to the packer, on a busy machine
      // all of a pool, so that some must have gone through before.
      const writes: Promise<void>[] = []
      for (let i = 0; i < 6000; i++) {
        const block = new Uint8Array(BLOCK)
        block.set(noise(1000 + i, 200))
        writes.push(volume.write((2000 + i) * BLOCK, block))
      }
      await Promise.all(writes)
      await volume.flush()
      const { packer } = volume.statistics()
      expect(packer.compressedFragmentsWritten).to.be.above(100)
      expect(packer.compressedBlocksWritten).to.be.below(packer.compressedFragmentsWritten / 5)
      const back = await volume.read(2070 * BLOCK, 200)
      expect(back).to.deep.equal(noise(1070, 200))
    })
  })

  it('gives space back on discard and reads zeros there', async () => {
    const { segments } = formatInMemory()
    await withVolume(segments, 'tiny', async (volume) => {
      const data = noise(3, 500 * BLOCK)
      await volume.write(0, data)
      await volume.flush()
      const full = volume.statistics()
      await volume.discard(10, 400 * BLOCK)
      await volume.flush()
      const after = volume.statistics()
      expect(full.dataBlocksUsed - after.dataBlocksUsed).to.equal(399)
      const back = await volume.read(0, 500 * BLOCK)
      expect(back.subarray(0, 10)).to.deep.equal(data.subarray(0, 10))
      expect(back.subarray(10, 400 * BLOCK + 10).every((byte) => byte === 0)).to.equal(true)
      expect(back.subarray(400 * BLOCK + 10)).to.deep.equal(data.subarray(400 * BLOCK + 10))
    })
  })

  it('says that space is out before acknowledging, and goes on', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    await withVolume(segments, 'default', async (volume) => {
      let failure: { code?: string } | undefined
      for (let i = 0; i < 100 && failure === undefined; i++) {
        failure = await volume.write(i * 100 * BLOCK, noise(5000 + i, 100 * BLOCK)).then(
          () => undefined,
          (error: { code?: string }) => error,
        )
      }
      expect(failure?.code).to.equal('VDO_NO_SPACE')
      expect(await volume.read(0, 100 * BLOCK)).to.deep.equal(noise(5000, 100 * BLOCK))
      await volume.discard(0, 100 * BLOCK)
      await volume.flush()
      await volume.write(0, noise(9, 50 * BLOCK))
      expect(await volume.read(0, 50 * BLOCK)).to.deep.equal(noise(9, 50 * BLOCK))
    })
  })

  it('refuses a torn super block untouched', async () => {
    const { segments, superBlockPbn } = formatInMemory()
    new DataView(segments[0]).setUint32(superBlockPbn * BLOCK + 40, VolumeState.Clean, true)
    const before = Buffer.from(new Uint8Array(segments[0], superBlockPbn * BLOCK, BLOCK))
    expect(await codeOf(openVolume({ device: segments }))).to.equal('VDO_BAD_CHECKSUM')
    expect(Buffer.from(new Uint8Array(segments[0], superBlockPbn * BLOCK, BLOCK)).equals(before)).to.equal(
      true,
    )
  })

  it('recovers a volume that was halted, with all that was flushed', async () => {
    const { segments, superBlockPbn } = formatInMemory()
    const halted = await openVolume({ device: segments, threads: 'default' })
    const flushed = noise(1, 300 * BLOCK)
    await halted.write(5 * BLOCK, flushed)
    await halted.discard(10 * BLOCK, 3 * BLOCK)
    flushed.fill(0, 5 * BLOCK, 8 * BLOCK)
    await halted.write(4000 * BLOCK, noise(2, 20 * BLOCK), { fua: true })
    await halted.flush()
    await halted.halt()
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
    await withVolume(segments, 'tiny', async (volume) => {
      expect(await volume.read(5 * BLOCK, flushed.length)).to.deep.equal(flushed)
      expect(await volume.read(4000 * BLOCK, 20 * BLOCK)).to.deep.equal(noise(2, 20 * BLOCK))
      const { completeRecoveries, logicalBlocksUsed, recoveryPercentage } = volume.statistics()
      expect({ completeRecoveries, logicalBlocksUsed }).to.deep.equal({
        completeRecoveries: 1,
        logicalBlocksUsed: 300 - 3 + 20,
      })
      expect(recoveryPercentage).to.be.within(0, 100)
      await volume.write(100 * BLOCK, noise(3))
    })
    await withVolume(segments, 'default', async (volume) => {
      expect(await volume.read(100 * BLOCK, BLOCK)).to.deep.equal(noise(3))
      expect(volume.statistics()).to.include({ completeRecoveries: 1, mode: 'normal', inRecoveryMode: false })
    })
  })

  it('refuses requests beyond the end and after close', async () => {
    const { segments } = formatInMemory()
    const volume = await openVolume({ device: segments, threads: 'tiny' })
    expect(await codeOf(volume.read(volume.logicalSize - 10, 20))).to.equal('VDO_OUT_OF_RANGE')
    await volume.close()
    expect(await codeOf(volume.read(0, 1))).to.equal('VDO_CLOSED')
  })

  it('names its threads, and they answer while they are parked', async () => {
    const { segments } = formatInMemory()
    await withVolume(segments, 'default', async (volume) => {
      const health = await volume.host.health()
      expect(health.map((h) => h.name)).to.include.members([
        'logQ0',
        'physQ0',
        'hashQ0',
        'journalQ',
        'packerQ',
      ])
      if (process.platform !== 'linux') return
      const comms = readdirSync('/proc/self/task').map((task) => {
        try {
          return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
        } catch {
          return ''
        }
      })
      expect(comms).to.include.members(['logQ0', 'physQ0', 'hashQ0', 'journalQ', 'packerQ', 'cpuQ0', 'bioQ0'])
    })
  })

  it('stops with an error that names the worker when one dies, and hangs nobody', async () => {
    const { segments, superBlockPbn } = formatInMemory()
    const volume = await openVolume({ device: segments, threads: 'default' })
    await volume.write(0, noise(1))
    const writes = Array.from({ length: 200 }, (_, i) => codeOf(volume.write(i * BLOCK, noise(i))))
    await volume.host.kill('physQ0')
    const error = await volume.halted
    expect(error.message).to.match(/physQ0/)
    expect(error.code).to.equal('VDO_ENGINE_HALTED')
    await Promise.all(writes)
    expect(await codeOf(volume.write(0, noise(1)))).to.equal('VDO_ENGINE_HALTED')
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
  })
})
