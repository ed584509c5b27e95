/** What a volume does when its store begins to fail, or one of its threads: nobody waits for ever. */

import { expect } from 'chai'
import { DeviceOp } from '../../src/device/block-device.js'
import { Faults } from '../../src/device/faulty-device.js'
import { VolumeState } from '../../src/format/super-block.js'
import { openVolume, openVolumeOn, type VdoVolume } from '../../src/host/open-volume.js'
import { hop, LogicalOp, PhysicalOp } from '../../src/vio/opcodes.js'
import { codeOf } from '../outcomes.js'
import { BLOCK } from './chaos.js'
import { formatInMemory, noise, stateOnDisk } from './memory-volume.js'

async function openFaulty(threads: string) {
  const { segments, superBlockPbn } = formatInMemory()
  const faults = Faults.none()
  const store = { kind: 'faulty', store: { kind: 'memory', segments }, faults: faults.memory } as const
  const volume = await openVolumeOn(store, { threads }, () => {})
  return { volume, faults, state: () => stateOnDisk(segments, superBlockPbn) }
}

/** Writes and flushes until the volume refuses; gives the codes that came. */
async function writeUntilRefused(volume: VdoVolume): Promise<Set<string | undefined>> {
  const codes = new Set<string | undefined>()
  for (let round = 0; !codes.has('VDO_READ_ONLY'); round++) {
    const burst = Array.from({ length: 64 }, (_, i) =>
      codeOf(volume.write((1000 + round * 64 + i) * BLOCK, noise(round * 64 + i))),
    )
    for (const code of await Promise.all([...burst, codeOf(volume.flush())])) codes.add(code)
    if (round > 200) throw new Error('the volume takes writes for ever')
  }
  return codes
}

describe('a volume on a store that fails', function () {
  this.timeout(30_000)

  for (const threads of ['default', 'tiny', 'wide']) {
    for (const [what, op] of [
      ['writes', DeviceOp.Write],
      ['syncs', DeviceOp.Flush],
    ] as const) {
      it(`goes read-only when ${what} fail, and reads on (${threads})`, async () => {
        const { volume, faults, state } = await openFaulty(threads)
        const kept = noise(1, 100 * BLOCK)
        await volume.write(0, kept)
        await volume.flush()
        faults.failAfter(op, 5)
        await writeUntilRefused(volume)
        expect(await volume.read(0, kept.length)).to.deep.equal(kept)
        for (const request of [
          volume.write(0, noise(2)),
          volume.write(100, noise(2, 10)),
          volume.write(0, new Uint8Array(BLOCK)),
          volume.discard(0, BLOCK),
        ]) {
          expect(await codeOf(request)).to.equal('VDO_READ_ONLY')
        }
        expect(volume.statistics().mode).to.equal('read-only')
        expect(volume.readOnlyReason).to.be.a('string')
        // Where the store takes writes again, the state of the volume reaches it at the latest now.
        expect(await codeOf(volume.close())).to.equal('VDO_READ_ONLY')
        expect(state()).to.equal(op === DeviceOp.Write ? VolumeState.Dirty : VolumeState.ReadOnly)
      })
    }
  }

  it('says READ_ONLY on the store when writes fail for a moment', async () => {
    const { volume, faults, state } = await openFaulty('default')
    await volume.write(0, noise(1, 50 * BLOCK))
    await volume.flush()
    faults.failAfter(DeviceOp.Write, 0)
    const refused = codeOf(volume.write(0, noise(2), { fua: true }))
    expect(await refused).to.be.oneOf(['VDO_READ_ONLY', 'VDO_IO_ERROR'])
    faults.heal(DeviceOp.Write)
    const closed = await codeOf(volume.close())
    expect(state()).to.equal(closed === undefined ? VolumeState.Clean : VolumeState.ReadOnly)
    expect(closed).to.be.oneOf([undefined, 'VDO_READ_ONLY'])
  })

  it('tells every flush that an acknowledged write was lost', async () => {
    const { volume, faults } = await openFaulty('default')
    await volume.write(0, noise(1))
    await volume.flush()
    faults.failAfter(DeviceOp.Write, 0)
    await volume.write(0, noise(2))
    const flushes = [await codeOf(volume.flush()), await codeOf(volume.flush())]
    expect(flushes).to.deep.equal(['VDO_READ_ONLY', 'VDO_READ_ONLY'])
    expect(await volume.read(0, BLOCK)).to.deep.equal(noise(1))
    expect(await codeOf(volume.close())).to.equal('VDO_READ_ONLY')
  })

  it('does not say that it is saved when the save itself failed', async () => {
    const { volume, faults, state } = await openFaulty('tiny')
    await volume.write(0, noise(1, 50 * BLOCK))
    faults.failAfter(DeviceOp.Write, 0)
    expect(await codeOf(volume.close())).to.equal('VDO_READ_ONLY')
    expect(state()).to.equal(VolumeState.Dirty)
  })

  it('answers a read that fails, and stays writable when it read data', async () => {
    const { volume, faults } = await openFaulty('default')
    await volume.write(0, noise(1, 10 * BLOCK))
    await volume.flush()
    faults.failAfter(DeviceOp.Read, 0)
    expect(await codeOf(volume.read(0, BLOCK))).to.equal('VDO_IO_ERROR')
    faults.heal(DeviceOp.Read)
    expect(await volume.read(0, BLOCK)).to.deep.equal(noise(1))
    await volume.write(0, noise(2))
    await volume.close()
  })

  it('refuses to open, and ends its threads, when the store fails at once', async () => {
    for (const op of [DeviceOp.Read, DeviceOp.Write, DeviceOp.Flush]) {
      const { segments } = formatInMemory()
      const faults = Faults.none()
      faults.failAfter(op, 0)
      const store = { kind: 'faulty', store: { kind: 'memory', segments }, faults: faults.memory } as const
      const opened = await openVolumeOn(store, { threads: 'default' }, () => {}).then(
        (volume) => volume.close().then(() => 'opened'),
        (error: { code: string }) => error.code,
      )
      expect(opened, DeviceOp[op]).to.be.oneOf(
        op === DeviceOp.Read ? ['opened', 'VDO_IO_ERROR'] : ['VDO_IO_ERROR'],
      )
    }
  })
})

describe('an engine with a thread that fails', function () {
  this.timeout(30_000)

  for (const [thread, word] of [
    ['logQ0', hop(LogicalOp.TreeCounted, 0)],
    ['physQ0', hop(PhysicalOp.Increment, 0)],
  ] as const) {
    it(`names ${thread} and the broken invariant, and answers everybody`, async () => {
      const { segments, superBlockPbn } = formatInMemory()
      const volume = await openVolume({ device: segments, threads: 'default' })
      const writes = Array.from({ length: 3000 }, (_, i) => codeOf(volume.write(i * BLOCK, noise(i))))
      const flushes = Array.from({ length: 10 }, () => codeOf(volume.flush()))
      // A message that nobody sends: of a vio that has nothing to do with it.
      volume.host['reactor'].send(word, 2047)
      const error = await volume.halted
      expect(error.code).to.equal('VDO_ENGINE_HALTED')
      expect(error.message).to.match(new RegExp(`^Thread ${thread} died: Assertion failed: `))
      const codes = new Set(await Promise.all([...writes, ...flushes]))
      codes.delete(undefined)
      expect([...codes]).to.deep.equal(['VDO_ENGINE_HALTED'])
      expect(await codeOf(volume.read(0, BLOCK))).to.equal('VDO_ENGINE_HALTED')
      const closing = await volume.close().then(
        () => '',
        (failure: Error) => failure.message,
      )
      expect(closing).to.equal(error.message)
      expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
    })
  }

  it('can be closed in the middle of work, and closed twice', async () => {
    const { segments, superBlockPbn } = formatInMemory()
    const volume = await openVolume({ device: segments, threads: 'default' })
    const writes = Array.from({ length: 3000 }, (_, i) => codeOf(volume.write(i * BLOCK, noise(i))))
    const flush = codeOf(volume.flush())
    await Promise.all([volume.close(), volume.close()])
    expect([...new Set(await Promise.all([...writes, flush]))]).to.deep.equal([undefined])
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Clean)
    await volume.halt()
  })
})
