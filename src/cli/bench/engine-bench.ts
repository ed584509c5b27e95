/**
 * Rows of requests to volumes, on memory and on a file, for each profile and depth, each on a volume of its own; and
 * what the index costs them, where a map in memory is measured beside it.
 */
import { DEFAULT_INDEX_MEMORY } from '../../format/index-memory.js'
import { openVolume } from '../../host/open-volume.js'
import { geometryOfMemory } from '../../uds/geometry.js'
import { type Column, tableOf } from '../columns.js'
import { showProgress } from '../progress.js'
import { clockNonce } from '../volume-identity.js'
import { type BenchStore, makeStore } from './bench-store.js'
import { FullIndex } from './full-index.js'
import { measureYoung } from './index-bench.js'
import { type IndexCostRow, indexCost, type RequestCosts, requestCosts } from './index-cost.js'
import type { IndexRowResult } from './index-rows.js'
import { type Effort, type Measured, measureRow } from './measure.js'
import type { Row } from './rows.js'

/**
 * What remembers names: a new index, one that was filled before and turns over, or a map in memory, to see beside it
 * what an index costs.
 */
export type NameKeeper = 'index' | 'full' | 'map'

/** What is measured: all combinations. */
export interface EngineBenchOptions extends Effort {
  readonly store: readonly string[]
  readonly names: readonly NameKeeper[]
  readonly threads: readonly string[]
  readonly depth: readonly number[]
  readonly repeats: number
  /** Chapters' worth of requests of each row of the index part. */
  readonly indexChapters: number
  /** Of the volumes' index. Left out: VDO's default. */
  readonly indexMemory?: number
}

/** One row, once; and what the audit of the closed volume found wrong. */
interface Try extends Measured {
  readonly problems: number
}

/** The median of the tries, with the problems of all. */
interface Result extends Try {
  readonly store: string
  readonly profile: string
  readonly names: NameKeeper
}

/** Measures rows as the options want them. */
export class EngineBench {
  readonly results: Result[] = []
  /** What each index costs, where the map is measured too. */
  readonly costs: IndexCostRow[] = []
  /** What the index's own requests cost, measured for that and while an index was filled. */
  readonly index: IndexRowResult[] = []
  private readonly progress = showProgress('Measuring')
  /** What is measured side by side. A full index is there from then on, and a new one would be put over it. */
  private readonly groups: readonly (readonly NameKeeper[])[]
  private full: FullIndex | null = null
  private readonly requestCosts: Partial<Record<NameKeeper, RequestCosts>> = {}

  constructor(
    private readonly options: EngineBenchOptions,
    private readonly rows: readonly Row[],
    /** Hears of each row of the index part. */
    private readonly tellRow: (result: IndexRowResult) => void,
  ) {
    const { names } = options
    const withNew = names.filter((each) => each !== 'full')
    const withFull = names.filter((each) => each !== 'index')
    if (!names.includes('full')) this.groups = [withNew]
    else this.groups = names.includes('index') ? [withNew, withFull] : [withFull]
  }

  async run(): Promise<void> {
    const { store: kinds, names, indexChapters, indexMemory = DEFAULT_INDEX_MEMORY } = this.options
    if (names.includes('map') && names.includes('index')) {
      const geometry = geometryOfMemory(indexMemory, false)
      this.requestCosts.index = this.costsOf((tell) => measureYoung(indexChapters, tell, geometry))
    }
    for (const kind of kinds) {
      const store = makeStore(kind, indexMemory)
      try {
        for (const group of this.groups) await this.runGroup(store, kind, group)
      } finally {
        this.progress.stop()
        store.remove()
      }
    }
  }

  private async runGroup(store: BenchStore, kind: string, names: readonly NameKeeper[]): Promise<void> {
    const { threads, depth } = this.options
    if (names.includes('full')) await this.fillIndex(store)
    this.progress.update(this.results.length, this.all)
    for (const profile of threads) {
      for (const row of this.rows) {
        for (const each of depth) await this.measure(store, kind, profile, names, row, each)
      }
    }
  }

  private get all(): number {
    const { store, threads, depth } = this.options
    return store.length * threads.length * this.rows.length * depth.length * this.groups.flat().length
  }

  private async fillIndex(store: BenchStore): Promise<void> {
    // The store has its size from the volume that is made in it.
    await store.format(clockNonce())
    this.requestCosts.full = this.costsOf((tell) => {
      this.full = FullIndex.fill(store, this.options.indexChapters, tell)
    })
  }

  /** Notes and tells what is measured of an index by itself. */
  private costsOf(measureIt: (tell: (result: IndexRowResult) => void) => void): RequestCosts {
    const measured: IndexRowResult[] = []
    measureIt((result) => {
      this.tellRow(result)
      measured.push(result)
    })
    this.index.push(...measured)
    return requestCosts(measured)
  }

  /** One row, with each that remembers names in turn. */
  private async measure(
    store: BenchStore,
    kind: string,
    profile: string,
    keepers: readonly NameKeeper[],
    row: Row,
    depth: number,
  ): Promise<void> {
    const tries = new Map(keepers.map((names) => [names, [] as Try[]]))
    for (let i = 0; i < this.options.repeats; i++) {
      for (const [names, made] of tries) made.push(await this.measureOnce(store, profile, names, row, depth))
    }
    const maps = tries.get('map')
    for (const [names, made] of tries) {
      const sorted = made.toSorted((a, b) => a.blocksPerSecond - b.blocksPerSecond)
      const problems = made.reduce((sum, each) => sum + each.problems, 0)
      this.tell({ store: kind, profile, names, ...sorted[Math.floor(sorted.length / 2)]!, problems })
      const costs = this.requestCosts[names]
      if (costs === undefined || maps === undefined) continue
      const pairs = made.map((index, i) => ({ index, map: maps[i]! }))
      this.costs.push({ store: kind, profile, names, row: row.name, depth, ...indexCost(pairs, costs) })
    }
  }

  /** One volume. */
  private async measureOnce(
    store: BenchStore,
    profile: string,
    names: NameKeeper,
    row: Row,
    depth: number,
  ): Promise<Try> {
    const full = names === 'full' ? this.full : null
    await (full === null ? store.format(clockNonce()) : full.format())
    const shape = names === 'map' ? { index: null } : {}
    const volume = await openVolume({ device: store.device, threads: profile, shape })
    let measured: Measured
    try {
      await volume.indexSettled()
      full?.check(volume.statistics().index.entriesIndexed)
      measured = await measureRow(volume, row, depth, this.options)
      full?.leaveWith(volume.statistics().index.entriesIndexed)
    } finally {
      await volume.close()
    }
    return { ...measured, problems: store.problems() }
  }

  private tell(result: Result): void {
    this.results.push(result)
    const what = `${result.store} ${result.profile} ${result.names} ${result.row}, depth ${result.depth}`
    this.progress.update(this.results.length, this.all, what)
    if (!process.stderr.isTTY) {
      process.stderr.write(`${what}: ${Math.round(result.blocksPerSecond)} blocks/s\n`)
    }
  }
}

const COLUMNS: readonly Column<Result>[] = [
  ['store', (r) => r.store],
  ['profile', (r) => r.profile],
  ['names', (r) => r.names],
  ['row', (r) => r.row],
  ['depth', (r) => r.depth],
  ['blocks/s', (r) => Math.round(r.blocksPerSecond)],
  ['CPU µs', (r) => r.cpuPerBlock.toFixed(1)],
  ['gen µs', (r) => r.generatorPerBlock.toFixed(2)],
  ['p50 µs', (r) => Math.round(r.latency.p50)],
  ['p99 µs', (r) => Math.round(r.latency.p99)],
  ['p99.9 µs', (r) => Math.round(r.latency.p999)],
  ['proven', (r) => `${(r.proven * 100).toFixed(1)} %${r.isProven ? '' : ' !'}`],
  ['audit', (r) => (r.problems === 0 ? 'clean' : `${r.problems} !`)],
]

export function engineTable(results: readonly Result[]): string {
  return tableOf(results, COLUMNS)
}
