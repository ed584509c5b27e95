/** Volumes that the real kernel left behind, unpacked on demand (`test/fixtures/dm-vdo-6.12/how` made them). */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, requireTool, runOk } from './tools.js'

const FOLDER = join(ROOT, 'test/fixtures/dm-vdo-6.12')

export type FixtureName = 'clean' | 'crash' | 'formatted'

/** What the kernel said about the volume before it was packed. */
export interface Manifest {
  readonly physicalBytes: number
  readonly logicalBytes: number
  readonly slabBits: number
  /** Of each MiB from the volume's start. */
  readonly sha256PerMiB: readonly string[]
  readonly sha256OfBlocks: readonly {
    readonly firstBlock: number
    readonly blocks: number
    readonly sha256: string
  }[]
  /** The answer to the `stats` message, in the kernel's own notation. */
  readonly kernelStats: string
}

/** Unpacks a volume into a folder, as a sparse raw image, and gives its path. */
export async function unpackFixture(
  context: Mocha.Context,
  name: FixtureName,
  folder: string,
): Promise<string> {
  requireTool(context, 'tar', 'zstd')
  await runOk('tar', ['-x', '-S', '--zstd', '-C', folder, '-f', join(FOLDER, `${name}.raw.tar.zst`)])
  return join(folder, `${name}.raw`)
}

/** The `formatted` volume was never started, so it has no manifest. */
export function readManifest(name: 'clean' | 'crash'): Manifest {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Manifest
}

/** One number out of the kernel's statistics, by its path: `statistic(text, 'journal.blocks.written')`. */
export function statistic(kernelStats: string, path: string): number {
  let text = kernelStats
  for (const group of path.split('.').slice(0, -1)) {
    const start = text.indexOf(`${group} : {`)
    if (start < 0) throw new Error(`Cannot find group ${group} of ${path} in the kernel's statistics`)
    text = text.slice(start + group.length + 4)
  }
  const name = path.split('.').at(-1) ?? ''
  const found = new RegExp(`(?:^|[ ,{])${name} : (\\d+)`).exec(text)
  if (found === null) throw new Error(`Cannot find ${path} in the kernel's statistics`)
  return Number(found[1])
}
