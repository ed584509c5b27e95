/** Read-only mode and the rebuild, judged by the real tools. */

import { open } from 'node:fs/promises'
import { expect } from 'chai'
import { readManifest, unpackFixture } from '../fixtures.js'
import { codeOf } from '../outcomes.js'
import { requireTool, run, runOk, vdo, withTempDir } from '../tools.js'
import { sha256 } from './content.js'
import { copyImage, cutShort } from './images.js'
import { type JudgedVolume, withVolume } from './judged-volume.js'
import { auditOk, realTool, requireRealTools } from './real-tools.js'

const BLOCK = 4096
const MIB = 2 ** 20

/** Of both fixtures: the leaf of LBN 0, the first slab's reference blocks, and the blocks of its journal. */
const FIRST_LEAF = 679192
const REFERENCES = [687155, 687156]
const SLAB_JOURNAL = [687157, 687158, 687159]

async function vdoOk(...args: string[]): Promise<void> {
  const { status, stdout, stderr } = await vdo(args)
  expect(status, stdout + stderr).to.equal(0)
}

async function isSame(a: string, b: string): Promise<boolean> {
  return (await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', a, b])).status === 0
}

/** MiB that read as the kernel read them, from `first` on. */
async function expectManifest(volume: JudgedVolume, name: 'clean' | 'crash', first = 0): Promise<void> {
  const { sha256PerMiB } = readManifest(name)
  for (let at = first; at < sha256PerMiB.length; at++) {
    expect(sha256(await volume.read(at * MIB, MIB)), `MiB ${at}`).to.equal(sha256PerMiB[at])
  }
}

async function writeBytes(image: string, at: number, bytes: readonly number[] | Uint8Array): Promise<void> {
  const file = await open(image, 'r+')
  await file.write(Uint8Array.from(bytes), 0, bytes.length, at)
  await file.close()
}

describe('read-only mode', function () {
  this.timeout(120_000)

  it('is entered, and left for a rebuild, as the real tools do it: not a byte differs', async function () {
    requireRealTools(this)
    requireTool(this, 'qemu-img')
    await withTempDir(async (folder) => {
      const ours = await unpackFixture(this, 'clean', folder)
      const theirs = await copyImage(ours, 'theirs.raw')
      await vdoOk('read-only', ours)
      await runOk(realTool('vdoreadonly'), [theirs])
      expect(await isSame(ours, theirs)).to.equal(true)
      await vdoOk('force-rebuild', ours)
      await runOk(realTool('vdoforcerebuild'), [theirs])
      expect(await isSame(ours, theirs)).to.equal(true)
    })
  })

  it('lets everything be read and nothing be written', async function () {
    requireTool(this, 'qemu-img')
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      await vdoOk('read-only', image)
      const untouched = await copyImage(image, 'untouched.raw')
      await withVolume(image, 'default', async (volume) => {
        await expectManifest(volume, 'clean')
        expect(await codeOf(volume.write(0, new Uint8Array(BLOCK)))).to.equal('VDO_READ_ONLY')
        await expectManifest(volume, 'clean')
      })
      expect(await isSame(image, untouched)).to.equal(true)
    })
  })
})

describe('a rebuild', function () {
  this.timeout(180_000)

  for (const threads of ['tiny', 'default']) {
    it(`counts a volume anew that was writing when the machine was reset (${threads})`, async function () {
      requireRealTools(this)
      await withTempDir(async (folder) => {
        const image = await unpackFixture(this, 'crash', folder)
        await vdoOk('read-only', image)
        await vdoOk('force-rebuild', image)
        await withVolume(image, threads, async (volume) => {
          // What the journal has is not lost.
          await expectManifest(volume, 'crash')
          const { completeRecoveries, readOnlyRecoveries, logicalBlocksUsed } = await volume.statistics()
          expect({ completeRecoveries, readOnlyRecoveries, logicalBlocksUsed }).to.deep.equal({
            completeRecoveries: 1,
            readOnlyRecoveries: 1,
            logicalBlocksUsed: 2064,
          })
          await volume.write(100 * MIB, await volume.read(0, MIB))
        })
        await auditOk(image)
      })
    })
  }

  it('drops what cannot be from the map, and needs nothing of counts and slab journals', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      for (const block of [...REFERENCES, ...SLAB_JOURNAL]) {
        await writeBytes(image, block * BLOCK, new Uint8Array(BLOCK).fill(0x5a))
      }
      // LBN 0: a page of the tree; 1: no data block; 2: a fragment of nothing; 3: beyond the disk.
      const [low, middle, high] = [FIRST_LEAF & 0xff, (FIRST_LEAF >> 8) & 0xff, FIRST_LEAF >> 16]
      const entries = [1, low, middle, high, 0, 1, 5, 0, 0, 0, 5, 0, 0, 0, 0, 0xf1, 0xff, 0xff, 0xff, 0xff]
      await writeBytes(image, FIRST_LEAF * BLOCK + 36, entries)
      await vdoOk('read-only', image)
      await vdoOk('force-rebuild', image)
      await withVolume(image, 'default', async (volume) => {
        await expectManifest(volume, 'clean', 1)
        expect(await volume.read(0, 4 * BLOCK)).to.deep.equal(new Uint8Array(4 * BLOCK))
      })
      await auditOk(image)
      await withVolume(image, 'tiny', (volume) => expectManifest(volume, 'clean', 1))
    })
  })

  it('makes a page empty that is another’s, and goes on', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'clean', folder)
      // The page says that it lies elsewhere.
      await writeBytes(image, FIRST_LEAF * BLOCK + 16, [1, 2, 3])
      await vdoOk('read-only', image)
      await vdoOk('force-rebuild', image)
      await withVolume(image, 'tiny', async (volume) => {
        expect(await volume.read(0, 812 * BLOCK)).to.deep.equal(new Uint8Array(812 * BLOCK))
        await volume.write(0, new Uint8Array(BLOCK).fill(1))
      })
      await auditOk(image)
    })
  })

  it('is begun again when it was cut short', async function () {
    requireRealTools(this)
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'crash', folder)
      await vdoOk('read-only', image)
      await vdoOk('force-rebuild', image)
      expect(await cutShort(image, 'tiny', 5), 'attempts that were cut short').to.be.above(0)
      await withVolume(image, 'default', (volume) => expectManifest(volume, 'crash'))
      await auditOk(image)
    })
  })

  it('is not for a volume that is not read-only', async function () {
    requireTool(this, 'qemu-img')
    await withTempDir(async (folder) => {
      const image = await unpackFixture(this, 'formatted', folder)
      const before = await copyImage(image, 'before.raw')
      const { status, stderr } = await vdo(['force-rebuild', image])
      expect(status).to.equal(5)
      expect(stderr).to.match(/its state is NEW, wanted READ_ONLY/)
      expect(await isSame(image, before)).to.equal(true)
    })
  })
})
