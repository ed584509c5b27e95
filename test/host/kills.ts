/**
 * A volume in a file whose end comes again and again in the middle of work: its server is killed, or one of its
 * threads. What was answered is known to this process, which lives on: by way of a socket, or as a user of the
 * library. Every time the volume must come up with all that was promised, serve, and be sound once it is closed.
 */

import { join } from 'node:path'
import { Prng } from '../../src/base/prng.js'
import { Status } from '../../src/base/status.js'
import type { ExportTarget } from '../../src/engine/export-target.js'
import { openVolume } from '../../src/host/open-volume.js'
import { Oracle } from '../../src/sim/oracle.js'
import { copyImage, runUntilKilled } from '../kernel/images.js'
import { NbdTarget } from '../server/nbd/nbd-target.js'
import { spawnServer } from '../tools.js'
import { auditClosed, drawCounts, drawProfile, judgeCrashed, type Readable, workOn } from './chaos.js'
import { formatSparse, LOGICAL_BYTES } from './sparse-volume.js'
import { useVolume } from './use-volume.js'

/** One way of serving the volume, and of ending that. */
interface Session extends Readable {
  readonly targets: readonly ExportTarget[]
  /** Nothing is saved. Whoever waits for an answer hears that the engine has halted. Once more does no harm. */
  kill(): void
  /** Settles when nothing is left that could touch the file. */
  readonly gone: Promise<unknown>
}

/** How often what was killed. */
export interface Kills {
  servers: number
  threads: number
  /** Recoveries that were cut short, before the volume was open. */
  recoveries: number
}

/** That an index was not saved is no news here. */
const ignore = (): void => {}

const MOST_ANSWERS = 1000
const SERVER_CHANCE = 0.5
const RECOVERY_CHANCE = 0.4
/** Changes of the file that a recovery is let make. */
const CHANGES = [1, 1, 2, 3, 5, 8, 13]
/** Each thread takes a tenth of a second to start. */
const MOST_THREADS = 4

/** Kills so often, by the seed; throws for whatever is wrong. */
export async function killAgainAndAgain(folder: string, seed: number, kills: number): Promise<Kills> {
  const image = join(folder, 'volume.img')
  await formatSparse(image)
  const prng = new Prng(seed)
  const oracle = new Oracle()
  const done: Kills = { servers: 0, threads: 0, recoveries: 0 }
  for (let kill = 1; kill <= kills; kill++) {
    try {
      await once(image, folder, prng.fork(), oracle, done)
    } catch (error) {
      throw new Error(`kill ${kill} of seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
  return done
}

async function once(image: string, folder: string, prng: Prng, oracle: Oracle, done: Kills): Promise<void> {
  const threads = drawThreads(prng, folder)
  const clients = prng.between(1, 4)
  const isServer = prng.chance(SERVER_CHANCE)
  const session = isServer
    ? await serve(image, folder, threads, clients)
    : await openHere(image, threads, clients, prng.fork())
  try {
    await judgeCrashed(session, oracle, true)
    await workOn(session.targets, prng.fork(), oracle, {
      requests: Number.POSITIVE_INFINITY,
      depth: prng.pick([1, 16, 100]),
      strike: { after: prng.between(1, MOST_ANSWERS), act: () => session.kill() },
    })
  } finally {
    session.kill()
    await session.gone
  }
  oracle.powerFailed()
  done[isServer ? 'servers' : 'threads']++

  while (prng.chance(RECOVERY_CHANCE)) {
    const said = await runUntilKilled('cut-short', image, drawThreads(prng, folder), prng.pick(CHANGES))
    if (said !== 'open') done.recoveries++
  }
  // A copy is closed, for the audit. The volume itself goes on with what all its crashes have left.
  const copy = await copyImage(image, 'copy.img')
  await recover(copy, 'tiny', oracle)
}

/** The volume comes up with what was promised, and is sound when it has recovered and is closed. */
export async function recover(image: string, threads: string, oracle: Oracle): Promise<void> {
  const volume = await openVolume({ device: image, threads, report: ignore })
  await useVolume(volume, async () => {
    await judgeCrashed(volume, oracle)
    while (volume.statistics().inRecoveryMode) await new Promise((resolve) => setImmediate(resolve))
  })
  auditClosed(image, volume.statistics())
}

/** One of the package's profiles, or a drawn one. */
export function drawThreads(prng: Prng, folder: string): string {
  return prng.pick([
    () => 'default',
    () => 'tiny',
    () => 'tiny',
    () => drawProfile(prng, folder, drawCounts(prng), MOST_THREADS),
  ])()
}

/** A process of its own, with a connection for each client. */
async function serve(image: string, folder: string, threads: string, clients: number): Promise<Session> {
  const uri = `nbd+unix:///?socket=${join(folder, 'nbd.sock')}`
  const server = await spawnServer(image, uri, ['--threads', threads])
  const targets = await Promise.all(
    Array.from({ length: clients }, () => NbdTarget.attach(uri, LOGICAL_BYTES)),
  )
  let gone: Promise<unknown> = Promise.resolve()
  return {
    targets,
    read: (offset, length) => readFrom(targets[0], offset, length),
    kill() {
      gone = server.kill()
    },
    get gone() {
      return gone
    },
  }
}

/** On threads of this process; one of them is ended by force. */
async function openHere(image: string, threads: string, clients: number, prng: Prng): Promise<Session> {
  const volume = await openVolume({ device: image, threads, report: ignore })
  const [, ...workers] = volume.host.config.plan.threads
  const { name } = prng.pick(workers)
  return {
    targets: Array.from({ length: clients }, () => volume.target.forClient()),
    read: (offset, length) => volume.read(offset, length),
    kill: () => void volume.host.kill(name),
    gone: volume.halted.then(() => volume.halt()),
  }
}

function readFrom(target: ExportTarget, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  return new Promise((resolve, reject) =>
    target.read(offset, bytes, (status) => {
      if (status === Status.Success) resolve(bytes)
      else reject(new Error(`a read at ${offset} fails with ${Status[status]}`))
    }),
  )
}
