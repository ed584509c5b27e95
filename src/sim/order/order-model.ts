/** What the rules of writing may ask: the volume's sizes, the disk, the journals, and what a write holds. */
import type { Volume } from '../../vio/volume.js'
import type { VolumeShape } from '../../vio/volume-shape.js'
import type { JournalBlock, Page, SlabJournalBlock, SuperBlock } from './decode.js'
import type { JournalModel } from './journal-model.js'
import type { SlabModel } from './slab-model.js'
import type { StableDisk } from './stable-disk.js'

/** The numbers that the rules need of a volume and its shape. */
export interface OrderLayout
  extends Pick<
      Volume,
      | 'nonceLow'
      | 'nonceHigh'
      | 'superBlockPbn'
      | 'rootOrigin'
      | 'rootCount'
      | 'journalOrigin'
      | 'journalBlocks'
      | 'depotOrigin'
      | 'slabCount'
      | 'slabBlocks'
      | 'slabDataBlocks'
      | 'slabReferenceBlocks'
      | 'slabJournalBlocks'
      | 'summaryOrigin'
    >,
    Pick<
      VolumeShape,
      | 'journalEntriesPerBlock'
      | 'slabJournalEntriesPerBlock'
      | 'slabJournalMixedEntriesPerBlock'
      | 'maximumReferences'
    > {}

/** What a summary entry says of a slab: the newest slab journal block that it counts, 0 if none. */
export interface Counted {
  readonly tail: number
  readonly newest: number
  readonly load: boolean
  readonly dirty: boolean
}

export interface DataFact {
  readonly kind: 'data'
}
export interface PageFact {
  readonly kind: 'page'
  readonly page: Page
  /** For each slot with entries that no stable page showed: the newest of them that this one shows. */
  readonly shown: ReadonlyMap<number, number>
}
export interface JournalFact {
  readonly kind: 'journal'
  readonly block: JournalBlock
}
export interface SlabJournalFact {
  readonly kind: 'slab journal'
  readonly slab: SlabModel
  readonly block: SlabJournalBlock
}
export interface ReferenceFact {
  readonly kind: 'reference'
  readonly slab: SlabModel
  /** Among the reference blocks of the slab. */
  readonly index: number
  /** The number of the last change that it shows. */
  readonly change: number
}
export interface SummaryFact {
  readonly kind: 'summary'
  /** By slab, for those that exist and belong to the block. */
  readonly counted: ReadonlyMap<number, Counted>
}
export interface SuperFact {
  readonly kind: 'super block'
  readonly superBlock: SuperBlock
}

export type Fact =
  | DataFact
  | PageFact
  | JournalFact
  | SlabJournalFact
  | ReferenceFact
  | SummaryFact
  | SuperFact

/** What a write of one block is judged by, before the model takes it in. */
export interface Write {
  readonly pbn: number
  readonly bytes: Uint8Array
}

/** The oldest blocks of the recovery journal that the heads must not pass. */
export interface HeadLimits {
  /** An entry of it is shown by no stable page. */
  readonly map: number
  /** An entry of it is in no slab journal block that a stable summary counts. */
  readonly slabJournal: number
}

export interface OrderModel {
  readonly layout: OrderLayout
  readonly nonce: bigint
  readonly disk: StableDisk<Fact>
  readonly journal: JournalModel
  readonly slabs: readonly SlabModel[]
  /** Whether every write that the volume ever had was heard. */
  readonly hasHeardAll: boolean
  /** What summaries say of a slab that a crash may leave, in any copy that counts. */
  possiblyCounted(slab: number): readonly Counted[]
  /**
   * What the stable summary says of a slab, in the copy that counts, or would count after a run with so many zones;
   * null while there is none.
   */
  stablyCounted(slab: number, zones?: number): Counted | null
  /** How far the heads of the journal may be by what is stable now. */
  readonly headLimits: HeadLimits
  /** The same when the flush began that ended last. */
  readonly flushedHeadLimits: HeadLimits
  /** What the stable super block says; null before the first. */
  readonly stableSuperBlock: SuperBlock | null
}
