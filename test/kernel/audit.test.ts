import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { BLOCK_SIZE } from '../../src/format/constants.js'
import { auditFile } from '../../src/host/audit-file.js'
import { unpackFixture } from '../fixtures.js'
import { run } from '../tools.js'
import { realTool, requireRealTools } from './real-tools.js'

// Places in the volume (test/fixtures/README.md), and what a random byte there belongs to.
const COUNTERS = 687155 * BLOCK_SIZE
const LEAF = 679192 * BLOCK_SIZE
const SUMMARY = 895936 * BLOCK_SIZE
const ENTRIES_AT = 36

/** A byte to change, drawn so that every bit of it matters to both programs. */
function drawPlace(prng: Prng): number {
  switch (prng.below(3)) {
    case 0:
      return COUNTERS + prng.below(8) * 512 + 8 + prng.below(504)
    case 1:
      return LEAF + ENTRIES_AT + prng.below(812 * 5)
    default:
      // The hint of a slab.
      return SUMMARY + 2 * prng.below(22) + 1
  }
}

describe('our audit beside the real one', function () {
  this.timeout(120_000)
  let folder: string
  let path: string

  before(async function () {
    requireRealTools(this)
    folder = mkdtempSync(join(tmpdir(), 'audit-'))
    path = await unpackFixture(this, 'clean', folder)
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true })
  })

  it('finds a volume consistent, or not, when the real one does', async () => {
    const prng = new Prng(11)
    const bytes = new Uint8Array(1)
    const descriptor = openSync(path, 'r+')
    let damaged = 0
    try {
      expect(auditFile(path).consistent).to.equal(true)
      for (let round = 0; round < 40; round++) {
        const place = drawPlace(prng)
        readSync(descriptor, bytes, 0, 1, place)
        const before = bytes[0]!
        // Bits 0 to 5, so that flags of the summary stay.
        writeSync(descriptor, Uint8Array.of(before ^ (1 << prng.below(6))), 0, 1, place)
        const { problemCounts } = auditFile(path)
        // The real one does not look into compressed blocks.
        const ours = Object.keys(problemCounts).every((code) => code === 'BAD_FRAGMENT')
        const { status } = await run(realTool('vdoaudit'), ['--summary', path], 60_000)
        expect(ours, `byte ${place}`).to.equal(status === 0)
        if (!ours) damaged++
        writeSync(descriptor, Uint8Array.of(before), 0, 1, place)
      }
    } finally {
      closeSync(descriptor)
    }
    expect(damaged).to.be.above(30)
  })
})
