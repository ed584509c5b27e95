/** Our engine as the judges use it: the published library, found where an installed package has it. */

import { join } from 'node:path'
import { ROOT } from '../tools.js'
import type { Mirror, Region, Target } from './content.js'

export interface JudgedVolume extends Target {
  readonly physicalSize: number
  readonly logicalSize: number
  read(offset: number, length: number): Promise<Uint8Array>
  statistics(): JudgedStatistics | Promise<JudgedStatistics>
  close(): Promise<void>
}

export interface JudgedStatistics {
  readonly dataBlocksUsed: number
  readonly completeRecoveries: number
  readonly readOnlyRecoveries: number
  readonly logicalBlocksUsed: number
}

interface Library {
  openVolume(options: { device: string; threads?: string }): Promise<JudgedVolume>
}

/** Opens a volume, hands it to the body, closes it; the body's failure leaves it closed as well. */
export async function withVolume<T>(
  device: string,
  threads: string,
  body: (volume: JudgedVolume) => Promise<T>,
): Promise<T> {
  const library = (await import(join(ROOT, 'dist/src/host/open-volume.js'))) as Library
  const volume = await library.openVolume({ device, threads })
  let result: T
  try {
    result = await body(volume)
  } catch (error) {
    // What went wrong first is what the test must report.
    await volume.close().catch(() => {})
    throw error
  }
  await volume.close()
  return result
}

/** What the statistics say of a volume that was closed and is opened once more. */
export function statisticsOf(device: string): Promise<JudgedStatistics> {
  return withVolume(device, 'tiny', async (volume) => volume.statistics())
}

const STEP = 2 ** 20

/** Throws where the volume holds something else than the mirror. */
export async function compare(
  volume: JudgedVolume,
  mirror: Mirror,
  regions: readonly Region[],
): Promise<void> {
  for (const region of regions) {
    const end = region.offset + region.length
    for (let offset = region.offset; offset < end; offset += STEP) {
      const length = Math.min(STEP, end - offset)
      const found = await volume.read(offset, length)
      const wanted = mirror.read(offset, length)
      if (Buffer.compare(found, wanted) === 0) continue
      const at = wanted.findIndex((byte, index) => byte !== found[index])
      throw new Error(`Comparing with the mirror: byte ${offset + at} is ${found[at]}, wanted ${wanted[at]}`)
    }
  }
}
