/** A drawn engine in words, for whoever reads a trace. */
import type { EngineConfig } from '../engine/assemble.js'
import { Room } from '../vio/opcodes.js'
import { LoadKind } from '../vio/volume.js'

const LOADS: Readonly<Record<LoadKind, string>> = {
  [LoadKind.Normal]: 'closed, or new',
  [LoadKind.Recovery]: 'not closed: it is recovered',
  [LoadKind.ReadOnly]: 'read-only',
  [LoadKind.Rebuild]: 'to be rebuilt',
  [LoadKind.Upgrade]: 'to be rebuilt, from an older version',
}

/** A line for each thing that differs from seed to seed. */
export function describeShape({ volume, shape, plan, indexRegion }: EngineConfig): string[] {
  const { index } = shape
  return [
    `the volume: ${LOADS[volume.load]}; ${volume.physicalBlocks} blocks for ${volume.logicalBlocks} logical ones`,
    `${volume.slabCount} slabs from block ${volume.depotOrigin} on, each of ${volume.slabDataBlocks} data blocks, ` +
      `${volume.slabReferenceBlocks} of counts, ${volume.slabJournalBlocks} of its journal ` +
      `(flushing from ${volume.slabJournalFlushing} on, blocking from ${volume.slabJournalBlocking} on)`,
    `slab journal blocks of ${shape.slabJournalEntriesPerBlock} entries, ` +
      `${shape.slabJournalMixedEntriesPerBlock} with tree pages; at most ${shape.maximumReferences} references to a block`,
    `roots from block ${volume.rootOrigin} on, super block at ${volume.superBlockPbn}, summary at ${volume.summaryOrigin}`,
    `a recovery journal of ${volume.journalBlocks} blocks from block ${volume.journalOrigin} on, ` +
      `of ${shape.journalEntriesPerBlock} entries each, ${shape.journalTailBlocks} of them in memory`,
    `${shape.dataVios} vios for data, ${shape.discardVios} of them for discards; ` +
      `${shape.cachePages} map pages in memory, written after ${shape.blockMapAge} eras`,
    `${shape.packerBins} bins of ${shape.packerSlots} fragments; ${shape.dedupeContexts} questions at a time`,
    index === null
      ? `an index in memory of ${shape.indexNames} names`
      : `an index${index.sparse ? ', sparse,' : ''} of ${index.baseChapters} chapters of ` +
        `${index.recordPagesPerChapter} record pages, in blocks ${indexRegion.block} to ` +
        `${indexRegion.block + indexRegion.blocks - 1}; chapters close after ${shape.indexChapterRecords} records`,
    ...plan.threads.map(
      ({ zones }, thread) =>
        `thread ${thread} hosts ${zones.map(({ room, zone }) => `${Room[room]}${zone}`).join(' ')}`,
    ),
  ]
}
