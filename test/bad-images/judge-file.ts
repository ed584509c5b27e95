/**
 * The same as `judgeImage` for an image in a file, by what users call: the real engine on its threads, the audit, the
 * formatter, the marks. It is what the simulated runs stand for.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { VdoError } from '../../src/base/errors.js'
import { Prng } from '../../src/base/prng.js'
import { auditFile } from '../../src/host/audit-file.js'
import { formatFile } from '../../src/host/format-file.js'
import { markForRebuild, markReadOnly } from '../../src/host/mark-volume.js'
import { openVolume, type VdoVolume } from '../../src/host/open-volume.js'
import type { BaseImage } from './base-images.js'
import type { Image } from './image-store.js'
import { LOST_DATA, type Outcomes, refusal } from './outcome.js'

const BLOCK = 4096
/** Nothing takes so long, on however busy a machine. */
const TIMEOUT_MS = 90_000
/** How many of the images a formatter also overwrites, by force. */
const FORCE_CHANCE = 0.2

export async function judgeFile(
  image: Image,
  base: BaseImage,
  seed: number,
  folder: string,
): Promise<Outcomes> {
  const path = join(folder, 'image')
  const judge = new Judge(path, base, new Prng(seed))
  writeImage(path, image)
  const audit = await refusedOr(async () => (auditFile(path).consistent ? 'is consistent' : 'has problems'))
  const serve = await judge.serveTwice()
  writeImage(path, image)
  const readOnly = await refusedOr(() => judge.readOnly())
  const rebuild = await refusedOr(() => judge.rebuild())
  writeImage(path, image)
  const format = await judge.format(image)
  return { audit, format, serve, 'read-only': readOnly, 'force-rebuild': rebuild }
}

/** A sparse file that holds the image and nothing of what was there before. */
function writeImage(path: string, { blocks, blockCount }: Image): void {
  const descriptor = openSync(path, 'w')
  try {
    ftruncateSync(descriptor, blockCount * BLOCK)
    for (const [block, bytes] of blocks) {
      if (block < blockCount) writeSync(descriptor, bytes, 0, BLOCK, block * BLOCK)
    }
  } finally {
    closeSync(descriptor)
  }
}

class Judge {
  constructor(
    private readonly path: string,
    private readonly base: BaseImage,
    private readonly prng: Prng,
  ) {}

  async serveTwice(): Promise<string> {
    let outcome: string
    try {
      outcome = await this.serve()
    } catch (error) {
      return refusal(error)
    }
    await this.serve()
    return outcome
  }

  async readOnly(): Promise<string> {
    await markReadOnly(this.path)
    const outcome = await this.serve()
    if (outcome !== 'is read-only') throw new Error(`a volume that is marked read-only ${outcome}`)
    return outcome
  }

  async rebuild(): Promise<string> {
    await markForRebuild(this.path)
    const volume = await this.open()
    await closed(volume)
    const [left] = auditFile(this.path).problems.filter(({ code }) => !LOST_DATA.has(code))
    if (left !== undefined) throw new Error(`after a rebuild the audit finds: ${left.sentence}`)
    return this.serve()
  }

  /** Never over a volume without force; with it, over anything, and then it is a volume. */
  async format(image: Image): Promise<string> {
    const { path, prng, base } = this
    // As always when a volume is made, it is another one: nothing that is left there is of it.
    const request = { path, ...base.parameters, nonce: base.parameters.nonce + 1n }
    const isVdo = new TextDecoder().decode(image.blocks.get(0)?.subarray(0, 8)) === 'dmvdo001'
    const outcome = await refusedOr(async () => {
      await within('a format', formatFile({ ...request, dryRun: true }))
      return 'formats'
    })
    if (isVdo && outcome === 'formats') throw new Error('a formatter does not see the volume')
    if (!prng.chance(FORCE_CHANCE)) return outcome
    return refusedOr(async () => {
      await within('a format', formatFile({ ...request, force: true }))
      await this.close(await this.open())
      if (!auditFile(path).consistent) throw new Error('what a formatter has made is not consistent')
      return 'formats by force'
    })
  }

  private async serve(): Promise<string> {
    const volume = await this.open()
    await this.use(volume)
    return this.close(volume)
  }

  private open(): Promise<VdoVolume> {
    const { path: device, base } = this
    const opening = openVolume({ device, threads: 'tiny', shape: base.shape, report: () => {} })
    return within('an opening', opening)
  }

  /** Whatever is asked is answered. */
  private async use(volume: VdoVolume): Promise<void> {
    const { prng, base } = this
    const { logicalSize } = volume
    const places = [...base.lbns.map((lbn) => lbn * BLOCK), 0, logicalSize - BLOCK].filter(
      (at) => at < logicalSize,
    )
    const answered = (what: string, requests: Promise<unknown>[]) =>
      within(what, Promise.all(requests.map(tolerate)))
    await answered(
      'a read',
      places.map((at) => volume.read(at, BLOCK)),
    )
    const requests = Array.from({ length: 10 }, () => {
      const at = prng.pick(places)
      const bytes = new Uint8Array(BLOCK)
      new Prng(prng.below(20)).fill(bytes.subarray(0, prng.pick([BLOCK, 500])))
      return prng.chance(0.2) ? volume.discard(at, BLOCK) : volume.write(at, bytes)
    })
    await answered('a write', requests)
    await answered('a flush', [volume.flush()])
    await answered(
      'a read',
      places.slice(0, 8).map((at) => volume.read(at, BLOCK)),
    )
  }

  /** A volume that became read-only says so when it is closed; one that was read-only before refuses writes. */
  private async close(volume: VdoVolume): Promise<string> {
    const isReadOnly = await within(
      'a write',
      volume.write(0, new Uint8Array(BLOCK).fill(1)).then(() => false, isRefusedWrite),
    )
    return (await closed(volume)) || isReadOnly ? 'is read-only' : 'serves'
  }
}

/** Closes it. Whether it became read-only meanwhile. */
async function closed(volume: VdoVolume): Promise<boolean> {
  try {
    await within('a close', volume.close())
    return false
  } catch (error) {
    if (error instanceof VdoError && error.code === 'VDO_READ_ONLY') return true
    throw error
  }
}

/** A request may fail, with an error that says so. An engine that stopped is not that. */
async function tolerate(request: Promise<unknown>): Promise<void> {
  try {
    await request
  } catch (error) {
    refusal(error)
  }
}

function isRefusedWrite(error: unknown): boolean {
  refusal(error)
  return error instanceof VdoError && error.code === 'VDO_READ_ONLY'
}

async function refusedOr(act: () => Promise<string>): Promise<string> {
  try {
    return await act()
  } catch (error) {
    return refusal(error)
  }
}

async function within<T>(what: string, wanted: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} is not answered in ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  try {
    return await Promise.race([wanted, late])
  } finally {
    clearTimeout(timer)
  }
}
