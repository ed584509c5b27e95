/** The rules of writing, proven over the calls that the engine's own threads make on a file under load. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Prng } from '../../src/base/prng.js'
import { describeVolume } from '../../src/engine/describe-volume.js'
import { closeBackingFile, openBackingFile } from '../../src/host/backing-file.js'
import { replayLog } from '../../src/host/io-log-file.js'
import { openVolumeOn } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { OrderChecker } from '../../src/sim/order/order-checker.js'
import { RULES } from '../../src/sim/order/rules.js'
import { VDO_SHAPE, type VolumeShape } from '../../src/vio/volume-shape.js'
import { withTempDir } from '../tools.js'
import { auditClosed, drawProfile, readAllBack, work } from './chaos.js'
import { formatSparse } from './sparse-volume.js'
import { useVolume } from './use-volume.js'

/** Blocks that fill soon, so that journals are reaped and pages written all the time. */
const SMALL: VolumeShape = {
  ...VDO_SHAPE,
  dataVios: 40,
  discardVios: 30,
  packerBins: 4,
  packerSlots: 8,
  journalEntriesPerBlock: 8,
  slabJournalEntriesPerBlock: 8,
  slabJournalMixedEntriesPerBlock: 8,
  blockMapAge: 20,
}

/** Loads the volume and works on it, once for each profile; gives the checker that has heard all of it. */
async function checked(
  folder: string,
  device: string,
  profiles: readonly string[],
  shape: VolumeShape,
  requests: number,
): Promise<OrderChecker> {
  const { geometry, superBlock } = await formatSparse(device)
  const volume = describeVolume(geometry, superBlock, geometry.dataRegionStart)
  const log = join(folder, 'writes.log')
  const prng = new Prng(requests)
  const oracle = new Oracle()
  for (const threads of profiles) {
    const file = openBackingFile(device)
    const store = { kind: 'file', ...file, unsafe: false } as const
    const open = await openVolumeOn({ kind: 'logged', store, log }, { threads, shape }, () =>
      closeBackingFile(file),
    )
    await useVolume(open, async () => {
      await readAllBack(open, oracle)
      await work(open, prng.fork(), oracle, { requests, depth: 64, clients: 4 })
    })
    auditClosed(device, open.statistics())
  }
  const checker = new OrderChecker({ ...volume, ...shape })
  expect(replayLog(log, checker)).to.be.above(requests)
  expect(statSync(log).size).to.be.above(0)
  return checker
}

describe('the order of writing on a file', function () {
  this.timeout(60_000)

  it('keeps every rule with blocks that fill soon, on threads', () =>
    withTempDir(async (folder) => {
      const profiles = ['default', drawProfile(new Prng(3), folder)]
      const { asked, slabs } = await checked(folder, join(folder, 'volume.img'), profiles, SMALL, 500)
      for (const rule of Object.values(RULES).flat()) expect(asked.get(rule.name), rule.name).to.be.above(0)
      expect(Math.max(...slabs.map(({ head }) => head)), 'heads of slab journals').to.be.above(1)
    }))

  it("keeps every rule at VDO's own sizes", () =>
    withTempDir(async (folder) => {
      const { asked } = await checked(folder, join(folder, 'volume.img'), ['tiny'], VDO_SHAPE, 400)
      expect(asked.get('data before entry')).to.be.above(10)
    }))
})
