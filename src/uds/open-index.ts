/**
 * Opening an index: it is made, loaded from its latest save, or rebuilt from its chapters.
 *
 * | what is asked for | what is there                                           | result                         |
 * |-------------------|---------------------------------------------------------|--------------------------------|
 * | `Create`          | does not matter                                         | a new one, empty               |
 * | `Load`            | a save that can be loaded                               | loaded                         |
 * | `Load`            | no save, or one that is damaged                         | rebuilt                        |
 * | `LoadSaved`       | no save, or one that is damaged                         | `VDO_INDEX_UNCLEAN`            |
 * | either            | no index, or one of another volume or configuration     | `VDO_INDEX_MISSING`            |
 * | either            | damaged blocks, or chapters that make no sense          | `VDO_INDEX_CORRUPT`            |
 * | either            | a version of the format that is not known               | `VDO_INDEX_UNSUPPORTED`        |
 *
 * VDO makes a new index after the first two errors (`canBeReplaced`), and serves without one after the others.
 */
import { IndexError } from './index-error.js'
import {
  createLayout,
  type IndexBirth,
  type IndexLayout,
  type IndexPlace,
  openLayout,
} from './index-layout.js'
import {
  type ChapterRange,
  clearPageMap,
  clearVolumeIndex,
  type IndexContent,
  loadIndex,
} from './index-save.js'
import { rebuildIndex } from './rebuild.js'
import type { Steps } from './storage-steps.js'

export enum IndexOpening {
  Create = 0,
  Load = 1,
  /** Load, but do not rebuild. */
  LoadSaved = 2,
}

export interface OpenedIndex extends ChapterRange {
  readonly layout: IndexLayout
  readonly content: IndexContent
  /** Why it had to be rebuilt, if it had to. */
  readonly rebuiltFor: IndexError | undefined
}

/** Opens an index on one thread. `contentOf` gives memory for it that is empty. */
export function* openIndex(
  opening: IndexOpening,
  place: IndexPlace,
  birth: IndexBirth,
  contentOf: (layout: IndexLayout) => IndexContent,
): Steps<OpenedIndex> {
  if (opening === IndexOpening.Create) {
    const layout = yield* createLayout(place, birth)
    const content = contentOf(layout)
    const range = { newest: 0, oldest: 0 }
    content.begin(range)
    return { layout, content, ...range, rebuiltFor: undefined }
  }
  const layout = yield* openLayout(place)
  const content = contentOf(layout)
  try {
    const range = yield* loadIndex(layout, content)
    return { layout, content, ...range, rebuiltFor: undefined }
  } catch (error) {
    if (!(error instanceof IndexError)) throw error
    if (opening === IndexOpening.LoadSaved) throw unclean(error)
    const range = yield* rebuildContent(layout, content)
    return { layout, content, ...range, rebuiltFor: error }
  }
}

function* rebuildContent(layout: IndexLayout, content: IndexContent): Steps<ChapterRange> {
  const { zones, pageMap } = content
  const volumeIndexes = zones.map(({ volumeIndex }) => volumeIndex)
  for (const volumeIndex of volumeIndexes) clearVolumeIndex(volumeIndex)
  clearPageMap(pageMap)
  const range = yield* rebuildIndex(layout, volumeIndexes, pageMap)
  content.begin(range)
  for (const { openChapter } of zones) openChapter.reset()
  return range
}

/** Whether an error says that there is no index that could be used, so that a new one may be made. */
export function canBeReplaced(error: unknown): boolean {
  return (
    error instanceof IndexError && (error.code === 'VDO_INDEX_MISSING' || error.code === 'VDO_INDEX_CORRUPT')
  )
}

function unclean(cause: IndexError): IndexError {
  if (cause.code === 'VDO_INDEX_UNCLEAN') return cause
  return new IndexError('VDO_INDEX_UNCLEAN', `Cannot load the index without a rebuild: ${cause.message}`, {
    cause,
  })
}
