/** Volumes for as long as something uses them: threads that are left behind keep a test run from ending. */
import { type OpenOptions, openVolume, type VdoVolume } from '../../src/host/open-volume.js'

/** Ends the volume when the body is done, and halts it when the body fails. */
export async function useVolume(
  volume: VdoVolume,
  body: (volume: VdoVolume) => Promise<void>,
  end: 'close' | 'halt' = 'close',
): Promise<void> {
  try {
    await body(volume)
  } catch (error) {
    await volume.halt()
    throw error
  }
  await volume[end]()
}

/** Opens the volume with its index, hands it to the body, ends it. Gives what was said. */
export async function withIndex(
  options: OpenOptions,
  body: (volume: VdoVolume) => Promise<void>,
  end: 'close' | 'halt' = 'close',
): Promise<readonly string[]> {
  const reports: string[] = []
  const opened = await openVolume({ ...options, report: (sentence) => reports.push(sentence) })
  const use = async (volume: VdoVolume): Promise<void> => {
    await volume.indexSettled()
    await body(volume)
  }
  await useVolume(opened, use, end)
  return reports
}
