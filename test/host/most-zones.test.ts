/** As many zones as VDO allows, dealt to two threads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { openVolume } from '../../src/host/open-volume.js'
import { formatInMemory } from './memory-volume.js'

const BLOCK = 4096
const LEAF_BYTES = 812 * BLOCK
const COUNTS = { logical: 60, physical: 16, hash: 100, cpu: 3, bio: 3, index: 16 }

describe('60 logical, 16 physical and 100 hash zones', function () {
  this.timeout(30_000)
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'uvdo-zones-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function profile(): string {
    const zones = ['admin', 'journal', 'flush', 'packer']
    for (const [room, count] of Object.entries(COUNTS)) {
      for (let zone = 0; zone < count; zone++) zones.push(`${room}.${zone}`)
    }
    const threads = {
      even: zones.filter((_, i) => i % 2 === 0),
      odd: zones.filter((_, i) => i % 2 === 1),
    }
    const path = join(folder, 'most.yaml')
    writeFileSync(path, JSON.stringify({ zones: COUNTS, threads }))
    return path
  }

  it('keep what was written, and one of each finds it', async () => {
    const { segments } = formatInMemory({ slabs: 16 })
    const data = new Uint8Array(60 * BLOCK)
    new Prng(1).fill(data)
    const volume = await openVolume({ device: segments, threads: profile() })
    // A block of its own in each tree, and its twin in the next.
    for (let tree = 0; tree < 60; tree++) {
      const block = data.subarray(tree * BLOCK, (tree + 1) * BLOCK)
      await volume.write(tree * LEAF_BYTES, block)
      await volume.write(((tree + 1) % 60) * LEAF_BYTES + BLOCK, block)
    }
    await volume.flush()
    expect(volume.statistics().hashLock.dedupeAdviceValid).to.be.greaterThan(0)
    await volume.close()

    const again = await openVolume({ device: segments, threads: 'tiny' })
    for (let tree = 0; tree < 60; tree++) {
      const block = data.subarray(tree * BLOCK, (tree + 1) * BLOCK)
      expect(await again.read(tree * LEAF_BYTES, BLOCK)).to.deep.equal(block)
      expect(await again.read(((tree + 1) % 60) * LEAF_BYTES + BLOCK, BLOCK)).to.deep.equal(block)
    }
    await again.close()
  })
})
