/**
 * The power fails again and again in one run of the engine on a file: the run is logged, write by write and sync by
 * sync, and for many moments of it the file is written out as it may have stood then. Each must come up with all that
 * was promised until that moment, and be sound once it is closed; some of them after a power failure in their
 * recovery.
 */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Prng } from '../../src/base/prng.js'
import { closeBackingFile, openBackingFile } from '../../src/host/backing-file.js'
import { openVolumeOn, type VdoVolume } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { copyImage } from '../kernel/images.js'
import { work } from './chaos.js'
import { CutDisk, type Moment, momentsOf } from './cut-disk.js'
import { Diary } from './diary.js'
import { drawThreads, recover } from './kills.js'
import { formatSparse } from './sparse-volume.js'
import { useVolume } from './use-volume.js'

/** A crowd, whose every sync serves many; then one who waits, so that what nobody syncs stays so for long. */
const SESSIONS = [
  { clients: 3, depth: 64, share: 1 },
  { clients: 1, depth: 2, share: 0.5 },
]
const RECOVERY_CHANCE = 0.3

export interface CutRun {
  readonly seed: number
  /** Of the first session; the second makes half as many. */
  readonly requests: number
  readonly cuts: number
  /** Looks at each volume that was recovered and closed. */
  readonly look?: (image: string) => Promise<void>
}

export interface Cuts {
  /** Blocks that were left otherwise than written last. */
  readonly spoiled: number
  /** Power failures in the recovery from another. */
  readonly recoveries: number
  /** Promises that were made until the last. */
  readonly promises: number
}

/** Throws for whatever is wrong with one of them. */
export async function cutAgainAndAgain(folder: string, how: CutRun): Promise<Cuts> {
  const prng = new Prng(how.seed)
  const log = join(folder, 'writes.log')
  const diary = new Diary(log)
  const disk = new CutDisk(await runLogged(folder, log, how.requests, prng.fork(), diary), log)
  const oracle = new Oracle()
  let recoveries = 0
  try {
    for (const point of drawPoints(prng.fork(), momentsOf(log), diary.promisedAt, how.cuts)) {
      disk.advance(point)
      diary.tell(oracle, disk.at)
      try {
        const image = await disk.cut('cut.img', prng.fork())
        const isCutAgain = prng.chance(RECOVERY_CHANCE)
        if (isCutAgain) recoveries++
        const left = isCutAgain ? await cutRecovery(folder, image, prng.fork()) : image
        await recover(left, drawThreads(prng, folder), oracle)
        await how.look?.(left)
        rmSync(left)
      } catch (error) {
        const where = `cut at byte ${disk.at} of the log of seed ${how.seed}`
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
      }
    }
    return { spoiled: disk.spoiled, recoveries, promises: oracle.promises }
  } finally {
    disk.close()
  }
}

/** The run itself, on its threads; gives a copy of the file as it was before. */
async function runLogged(
  folder: string,
  log: string,
  requests: number,
  prng: Prng,
  diary: Diary,
): Promise<string> {
  const image = join(folder, 'volume.img')
  await formatSparse(image)
  const before = await copyImage(image, 'synced.img')
  for (const { share, ...load } of SESSIONS) {
    const volume = await openLogged(image, log, 'default')
    await useVolume(volume, () => work(volume, prng.fork(), diary, { requests: requests * share, ...load }))
  }
  rmSync(image)
  return before
}

/**
 * Moments of the log, ascending: that with most to lose, some at which something had just been promised, some at
 * which a sync is under way, and any.
 */
function drawPoints(
  prng: Prng,
  moments: readonly Moment[],
  promisedAt: readonly number[],
  count: number,
): number[] {
  const worst = moments.reduce((most, moment) => (moment.unsynced > most.unsynced ? moment : most))
  const places = moments.map(({ at }) => at)
  const syncing = moments.filter(({ isSyncing }) => isSyncing).map(({ at }) => at)
  const draw = (): number => prng.pick(prng.pick([places, syncing, promisedAt]))
  return [worst.at, ...Array.from({ length: count - 1 }, draw)].sort((a, b) => a - b)
}

/** Lets the volume recover and close, and the power fail at some moment of that; gives the path of what it leaves. */
async function cutRecovery(folder: string, image: string, prng: Prng): Promise<string> {
  const before = await copyImage(image, 'before.img')
  const log = join(folder, 'recovery.log')
  const volume = await openLogged(image, log, drawThreads(prng, folder))
  await volume.close()
  const disk = new CutDisk(before, log)
  try {
    disk.advance(prng.pick(momentsOf(log)).at)
    return await disk.cut('cut.img', prng)
  } finally {
    disk.close()
    rmSync(log)
    rmSync(before)
  }
}

function openLogged(image: string, log: string, threads: string): Promise<VdoVolume> {
  const file = openBackingFile(image)
  const store = { kind: 'file', ...file, unsafe: false } as const
  return openVolumeOn({ kind: 'logged', store, log }, { threads, report: () => {} }, () =>
    closeBackingFile(file),
  )
}
