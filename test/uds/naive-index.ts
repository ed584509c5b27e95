/**
 * What an index should answer, by the plainest means: a map from names to data and the chapter in which they were
 * last used, and a count of the records in each zone's share of the open chapter. It shares no code with the index.
 */
export interface NaiveEntry {
  data: number
  chapter: number
}

export type NaiveKind = 'post' | 'update' | 'delete' | 'query' | 'look'

export class NaiveIndex {
  readonly entries = new Map<number, NaiveEntry>()
  newest = 0
  private readonly sizes: number[]

  /** `zoneOf` tells the zone of a name's number. */
  constructor(
    private readonly chapters: number,
    private readonly capacity: number,
    zones: number,
    private readonly zoneOf: (name: number) => number,
  ) {
    this.sizes = Array.from({ length: zones }, () => 0)
  }

  get oldest(): number {
    return Math.max(0, this.newest - this.chapters + 1)
  }

  /** What is known of a name now. */
  known(name: number): NaiveEntry | undefined {
    const entry = this.entries.get(name)
    return entry !== undefined && entry.chapter >= this.oldest ? entry : undefined
  }

  /** Does what is asked and gives what was known before. */
  ask(kind: NaiveKind, name: number, data: number): number | undefined {
    const entry = this.known(name)
    const before = entry?.data
    if (kind === 'delete') this.entries.delete(name)
    if (kind === 'delete' || kind === 'look' || (kind === 'query' && entry === undefined)) return before
    const isOpen = entry?.chapter === this.newest
    const kept = entry === undefined || kind === 'update' ? data : entry.data
    this.entries.set(name, { data: kept, chapter: this.newest })
    if (!isOpen) this.grow(this.zoneOf(name))
    return before
  }

  private grow(zone: number): void {
    if (++this.sizes[zone]! < this.capacity) return
    this.newest++
    this.sizes.fill(0)
  }
}
