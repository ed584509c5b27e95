/**
 * Opening the index that is there: it is loaded from its latest save, or rebuilt from its chapters. By whom is told by
 * its parts: the zones on their threads (index-keeping.ts), or one thread for all of them (index-content.ts).
 *
 * | what is there                                           | result                  |
 * |---------------------------------------------------------|-------------------------|
 * | a save that can be loaded                               | loaded                  |
 * | no save, or one that is damaged or cannot be read       | rebuilt                 |
 * | no index, or one of another volume or configuration     | `VDO_INDEX_MISSING`     |
 * | damaged blocks, or chapters that make no sense          | `VDO_INDEX_CORRUPT`     |
 * | a version of the format that is not known               | `VDO_INDEX_UNSUPPORTED` |
 * | less room than the index takes                          | `VDO_INDEX_NO_SPACE`    |
 * | a disk that fails                                       | `VDO_INDEX_IO`          |
 *
 * VDO makes a new index after the first two errors (`canBeReplaced`), and serves without one after the others.
 */
import { IndexError } from './index-error.js'
import { type IndexLayout, type IndexPlace, openLayout } from './index-layout.js'
import { type ChapterRange, type LoadableSave, latestSave } from './index-save.js'
import type { Steps } from './storage-steps.js'

/** What an index is opened into. What is loaded in part is not used: a rebuild begins with nothing. */
export interface IndexParts {
  load(layout: IndexLayout, save: LoadableSave): Steps<void>
  /** `why` it cannot be loaded. */
  rebuild(layout: IndexLayout, why: IndexError): Steps<ChapterRange>
}

export interface OpenedIndex extends ChapterRange {
  readonly layout: IndexLayout
  /** Why it had to be rebuilt, if it had to. */
  readonly rebuiltFor: IndexError | undefined
}

/** Opens an index. Nothing of it is written. */
export function* openIndex(place: IndexPlace, parts: IndexParts): Steps<OpenedIndex> {
  const layout = yield* openLayout(place)
  try {
    const save = latestSave(layout)
    yield* parts.load(layout, save)
    return { layout, newest: save.newest, oldest: save.oldest, rebuiltFor: undefined }
  } catch (error) {
    if (!mayBeRebuilt(error)) throw error
    const range = yield* parts.rebuild(layout, error)
    return { layout, ...range, rebuiltFor: error }
  }
}

/** Whether an error says that there is no index that could be used, so that a new one may be made. */
export function canBeReplaced(error: unknown): error is IndexError {
  return (
    error instanceof IndexError && (error.code === 'VDO_INDEX_MISSING' || error.code === 'VDO_INDEX_CORRUPT')
  )
}

/** Whether a save that cannot be loaded leaves the chapters to try. They take no less memory. */
function mayBeRebuilt(error: unknown): error is IndexError {
  return error instanceof IndexError && error.code !== 'VDO_INDEX_NO_MEMORY'
}
