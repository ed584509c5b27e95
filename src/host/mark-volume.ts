/** Changes the state of a closed volume, and nothing else of it: for an operator who knows what that means. */
import { fsyncSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { VdoError } from '../base/errors.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { encodeSuperBlock, reversedPartitions, stateName, VolumeState } from '../format/super-block.js'
import { closeBackingFile, openBackingFile } from './backing-file.js'
import { readableStore, readVolumeHead } from './read-volume.js'
import { lockStore } from './volume-lock.js'

/** From now on the volume is only read, until it is rebuilt. Rejects with a VdoError. */
export function markReadOnly(path: string): Promise<void> {
  return mark(path, VolumeState.ReadOnly, () => {})
}

/** The next load makes the counts of a read-only volume anew. Rejects for a volume in any other state. */
export function markForRebuild(path: string): Promise<void> {
  return mark(path, VolumeState.ForceRebuild, (state) => {
    if (state === VolumeState.ReadOnly) return
    throw new VdoError(
      'VDO_NOT_READ_ONLY',
      `Cannot mark ${path} for a rebuild: its state is ${stateName(state)}, wanted READ_ONLY`,
    )
  })
}

async function mark(path: string, state: VolumeState, judge: (before: VolumeState) => void): Promise<void> {
  const unlock = await lockStore(path, 'Cannot mark')
  try {
    const file = openBackingFile(path)
    try {
      const head = readVolumeHead('Cannot mark', readableStore({ kind: 'file', ...file, unsafe: false }))
      const { geometry, superBlock } = head
      const block = head.superBlockPbn - geometry.bioOffset
      judge(superBlock.state)
      // The list of partitions turns around whenever a program writes it back.
      const bytes = encodeSuperBlock(
        { ...superBlock, state, partitions: reversedPartitions(superBlock) },
        crc32,
      )
      writeSync(file.descriptor, bytes, 0, BLOCK_SIZE, block * BLOCK_SIZE)
      fsyncSync(file.descriptor)
    } finally {
      closeBackingFile(file)
    }
  } finally {
    unlock()
  }
}
