/**
 * A process that damages images and opens them: `node fuzz.js '{"part": …}'`. It is apart from the tests so that what
 * it takes of memory can be measured, and so that one that hangs can be ended. Before each image it notes in a file
 * which one is next; at its end it prints what it met, as JSON, or the counterexample that fast-check has shrunk.
 */
import { openSync, writeSync } from 'node:fs'
import fc from 'fast-check'
import { ARENA_BYTES, type BaseImage, makeBaseImages } from './base-images.js'
import { type Case, cases, damaged, describeDamage } from './damage.js'
import { readFixture } from './fixture-images.js'
import { judgeFile } from './judge-file.js'
import { judgeImage } from './judge-image.js'
import type { Outcomes } from './outcome.js'
import { lendOneMemory } from './simulated-volume.js'
import { type ImageMap, mapImage } from './structures.js'

export interface FuzzOrder {
  /** In one thread over memory, or by the engine on its threads over a file. */
  readonly part: 'simulated' | 'real'
  readonly seed: number
  readonly runs: number
  /** An empty folder. */
  readonly folder: string
  /** Unpacked volumes of the kernel, by name, that join the images of part `real`. */
  readonly fixtures?: Readonly<Record<string, string>>
  /** Only this one, from an earlier failure. */
  readonly only?: Case
}

export interface FuzzReport {
  readonly images: number
  /** By command and outcome, how often. */
  readonly tally: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** What failed, for a person; undefined if nothing did. */
  readonly failure?: string
  readonly maxRssMiB: number
}

async function fuzz(order: FuzzOrder): Promise<FuzzReport> {
  const { part, seed, runs, folder } = order
  const lend = await lendOneMemory(ARENA_BYTES)
  const bases: BaseImage[] = makeBaseImages(lend)
  for (const [name, path] of Object.entries(order.fixtures ?? {})) bases.push(readFixture(name, path))
  const maps: ImageMap[] = bases.map(mapImage)
  const tally: Record<string, Record<string, number>> = {}
  let images = 0
  const progress = openSync(`${folder}/progress`, 'w')
  const describe = (one: Case) => describeDamage(bases[one.base]!, maps[one.base]!, one.damage)

  const judge = async (one: Case): Promise<void> => {
    writeSync(progress, `${images}: ${describe(one)}\n${JSON.stringify(one)}\n`.padEnd(PROGRESS_BYTES), 0)
    const base = bases[one.base]!
    const image = damaged(base, maps[one.base]!, one.damage)
    const outcomes: Outcomes =
      part === 'simulated'
        ? judgeImage(image, base, one.seed, lend)
        : await judgeFile(image, base, one.seed, folder)
    images++
    for (const [command, outcome] of Object.entries(outcomes)) {
      const ofCommand = (tally[command] ??= {})
      ofCommand[outcome] = (ofCommand[outcome] ?? 0) + 1
    }
  }
  const wanted = order.only === undefined ? cases(bases.length) : fc.constant(order.only)
  const result = await fc.check(fc.asyncProperty(wanted, judge), {
    seed,
    numRuns: order.only === undefined ? runs : 1,
    // Engines on threads take their time: what failed is found again in the simulator, and shrunk there.
    endOnFailure: part === 'real',
  })
  const maxRssMiB = Math.round(process.resourceUsage().maxRSS / 1024)
  if (!result.failed) return { images, tally, maxRssMiB }
  const [counterexample] = result.counterexample ?? []
  const error = result.errorInstance
  const failure =
    `seed ${result.seed}, path ${result.counterexamplePath}\n` +
    (counterexample === undefined ? '' : `${describe(counterexample)}\n${JSON.stringify(counterexample)}\n`) +
    (error instanceof Error ? (error.stack ?? error.message) : String(error))
  return { images, tally, failure, maxRssMiB }
}

const PROGRESS_BYTES = 4000

const [, , order] = process.argv
if (order !== undefined) process.stdout.write(JSON.stringify(await fuzz(JSON.parse(order) as FuzzOrder)))
