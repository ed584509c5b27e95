/** A library user's view of volumes that were not closed: what a load does with journals of all kinds. */

import { expect } from 'chai'
import { VolumeState } from '../../src/format/super-block.js'
import { auditMemory } from '../../src/host/audit-file.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import { refusalOf } from '../outcomes.js'
import { formatInMemory, stateOnDisk } from './memory-volume.js'

const BLOCK = 4096

/** A volume that was halted after some writes and a flush. */
async function halted() {
  const { segments, superBlockPbn, plan } = formatInMemory({ slabs: 2 })
  const volume = await openVolume({ device: segments, threads: 'tiny' })
  await volume.write(0, content())
  await volume.flush()
  await volume.halt()
  const { recoveryJournalSize, firstFree } = plan.superBlock
  return { segments, superBlockPbn, journal: firstFree, journalBlocks: recoveryJournalSize }
}

const content = (): Uint8Array => Uint8Array.from({ length: 40 * BLOCK }, (_, i) => (i * 7919) >>> 5)

const block = (segments: readonly SharedArrayBuffer[], pbn: number) =>
  new Uint8Array(segments[0], pbn * BLOCK, BLOCK)

describe('a volume that was not closed', function () {
  this.timeout(60_000)

  it('is recovered once, and is then a volume like any other', async () => {
    const { segments, superBlockPbn } = await halted()
    for (const threads of ['default', 'tiny']) {
      const volume = await openVolume({ device: segments, threads })
      expect(await volume.read(0, 40 * BLOCK)).to.deep.equal(content())
      expect(volume.statistics().completeRecoveries).to.equal(1)
      await volume.close()
      expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Clean)
      expect(auditMemory(segments).consistent).to.equal(true)
    }
  })

  it('is recovered as often as it is not closed', async () => {
    const { segments } = await halted()
    for (let time = 1; time <= 4; time++) {
      const volume = await openVolume({ device: segments, threads: time % 2 === 0 ? 'tiny' : 'default' })
      expect(volume.statistics().completeRecoveries).to.equal(time)
      expect(await volume.read(0, 40 * BLOCK)).to.deep.equal(content())
      await volume.write(time * 100 * BLOCK, content(), { fua: true })
      await volume.halt()
    }
    const volume = await openVolume({ device: segments, threads: 'tiny' })
    for (let time = 0; time <= 4; time++) {
      expect(await volume.read(time * 100 * BLOCK, 40 * BLOCK)).to.deep.equal(content())
    }
    await volume.close()
    expect(auditMemory(segments).consistent).to.equal(true)
  })

  it('is left untouched when its journal is of the version before', async () => {
    const { segments, journal, journalBlocks, superBlockPbn } = await halted()
    for (let i = 0; i < journalBlocks; i++) {
      const bytes = block(segments, journal + i)
      if (bytes[32] === 3) bytes[32] = 1
    }
    const before = Buffer.from(new Uint8Array(segments[0].slice(0)))
    const { code, message } = await refusalOf(openVolume({ device: segments, threads: 'tiny' }))
    expect(code).to.equal('VDO_UNSUPPORTED_VERSION')
    expect(message).to.match(/older version, which must recover the volume first/)
    expect(before.equals(new Uint8Array(segments[0]))).to.equal(true)
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.Dirty)
  })

  it('comes up read-only when its journal says what cannot be, at once and again, and tells why', async () => {
    const { segments, journal, superBlockPbn } = await halted()
    // The first entry of block 1 names a slot that no page has.
    block(segments, journal + 1)[512 + 3 + 1] |= 0x0f
    const heard: string[] = []
    const open = (threads: string) =>
      openVolume({ device: segments, threads, report: (sentence) => heard.push(sentence) })
    const volume = await open('default')
    await expectReadOnly(volume, segments, superBlockPbn)
    expect(volume.readOnlyReason).to.match(/the recovery journal is damaged/)
    expect((await refusalOf(volume.close())).message).to.match(
      /the recovery journal is damaged.*could not be brought up, and has taken no writes since$/,
    )
    expect(heard).to.deep.equal([
      'Cannot replay the recovery journal: entry 0 of block 1 is none that can be; the volume becomes read-only',
    ])
    const again = await open('tiny')
    await expectReadOnly(again, segments, superBlockPbn)
    await again.close()
    expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.ReadOnly)
    expect(heard.length).to.equal(1)
  })
})

async function expectReadOnly(
  volume: VdoVolume,
  segments: readonly SharedArrayBuffer[],
  superBlockPbn: number,
): Promise<void> {
  expect(stateOnDisk(segments, superBlockPbn)).to.equal(VolumeState.ReadOnly)
  expect(volume.statistics()).to.include({ mode: 'read-only', inRecoveryMode: false })
  await volume.read(0, 40 * BLOCK)
  const refusal = await refusalOf(volume.write(0, content()))
  expect(refusal.code).to.equal('VDO_READ_ONLY')
  await volume.flush()
}
