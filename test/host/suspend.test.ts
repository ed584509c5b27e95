import { expect } from 'chai'
import { VolumeState } from '../../src/format/super-block.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { codeOf } from '../outcomes.js'
import { formatInMemory, noise, stateOnDisk } from './memory-volume.js'

const BLOCK = 4096

/** Another store with the same bytes. */
function copyOf(segments: readonly SharedArrayBuffer[]): SharedArrayBuffer[] {
  return segments.map((segment) => {
    const copy = new SharedArrayBuffer(segment.byteLength)
    new Uint8Array(copy).set(new Uint8Array(segment))
    return copy
  })
}

function isSame(some: readonly SharedArrayBuffer[], others: readonly SharedArrayBuffer[]): boolean {
  return some.every((segment, i) => Buffer.compare(Buffer.from(segment), Buffer.from(others[i])) === 0)
}

/** Lets every thread turn over a few times: what could happen by itself has happened. */
async function settle(volume: VdoVolume): Promise<void> {
  for (let i = 0; i < 3; i++) await volume.host.health()
}

describe('a suspended volume', function () {
  this.timeout(30_000)

  for (const save of [false, true]) {
    for (const threads of ['default', 'tiny']) {
      it(`writes nothing and lets requests wait (${threads}${save ? ', saved' : ''})`, async () => {
        const { segments, superBlockPbn } = formatInMemory({ slabs: 1 })
        const volume = await openVolume({ device: segments, threads })
        try {
          const before = noise(1, 200 * BLOCK + 77)
          const during = noise(2, 300 * BLOCK)
          await volume.write(33, before)
          await volume.suspend({ save })
          expect(stateOnDisk(segments, superBlockPbn)).to.equal(save ? VolumeState.Clean : VolumeState.Dirty)

          const atRest = copyOf(segments)
          let answered = 0
          const requests = [
            volume.read(33, before.length),
            volume.write(10_000 * BLOCK, during),
            volume.discard(50 * BLOCK, 10 * BLOCK),
            volume.flush(),
          ].map((request) => request.then((value) => (answered++, value)))
          await settle(volume)
          expect(answered).to.equal(0)
          expect(isSame(segments, atRest)).to.equal(true)

          await volume.resume()
          const [back] = await Promise.all(requests)
          expect(back?.subarray(60 * BLOCK)).to.deep.equal(before.subarray(60 * BLOCK))
          expect(await volume.read(10_000 * BLOCK, during.length)).to.deep.equal(during)
          expect(await volume.read(50 * BLOCK, BLOCK)).to.deep.equal(new Uint8Array(BLOCK))
          expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
        } finally {
          await volume.close()
        }
        expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Clean)
      })
    }
  }

  it('can be copied, when saved, into a volume of its own', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    const volume = await openVolume({ device: segments, threads: 'tiny' })
    const data = noise(3, 100 * BLOCK)
    await volume.write(0, data)
    await volume.suspend({ save: true })
    const copy = copyOf(segments)
    await volume.resume()
    await volume.write(0, noise(4, 100 * BLOCK))
    await volume.close()
    const other = await openVolume({ device: copy, threads: 'tiny' })
    expect(await other.read(0, data.length)).to.deep.equal(data)
    await other.close()
  })

  it('ends what is in flight first, a large request in its middle', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    const volume = await openVolume({ device: segments, threads: 'default' })
    const data = noise(5, 4000 * BLOCK)
    let answered = false
    const write = volume.write(0, data).then(() => {
      answered = true
    })
    await volume.suspend()
    const atRest = copyOf(segments)
    await settle(volume)
    expect(answered).to.equal(false)
    expect(isSame(segments, atRest)).to.equal(true)
    await volume.resume()
    await write
    expect(await volume.read(0, data.length)).to.deep.equal(data)
    await volume.close()
  })

  it('is suspended and resumed over and over, and twice in a row', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    const volume = await openVolume({ device: segments, threads: 'tiny' })
    const writes: Promise<void>[] = []
    for (let i = 0; i < 10; i++) {
      writes.push(volume.write(i * BLOCK * 7, noise(100 + i, 3 * BLOCK)))
      await Promise.all([
        volume.suspend({ save: i % 3 === 0 }),
        volume.suspend(),
        volume.resume(),
        volume.resume(),
      ])
    }
    await Promise.all(writes)
    for (let i = 0; i < 10; i++) {
      expect(await volume.read(i * BLOCK * 7, 3 * BLOCK)).to.deep.equal(noise(100 + i, 3 * BLOCK))
    }
    await volume.close()
  })

  it('is resumed to be closed, and answers what waited', async () => {
    const { segments, superBlockPbn } = formatInMemory({ slabs: 1 })
    const volume = await openVolume({ device: segments, threads: 'default' })
    await volume.suspend()
    const write = volume.write(0, noise(6, BLOCK))
    await volume.close()
    await write
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Clean)
    expect(await codeOf(volume.suspend())).to.equal('VDO_CLOSED')
    expect(await codeOf(volume.resume())).to.equal('VDO_CLOSED')
  })

  it('refuses what waits when the engine halts', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    const volume = await openVolume({ device: segments, threads: 'default' })
    await volume.suspend()
    const write = codeOf(volume.write(0, noise(7, BLOCK)))
    await volume.host.kill('logQ0')
    expect(await write).to.equal('VDO_ENGINE_HALTED')
    expect(await codeOf(volume.resume())).to.equal('VDO_ENGINE_HALTED')
    expect(await codeOf(volume.close())).to.equal('VDO_ENGINE_HALTED')
  })
})
