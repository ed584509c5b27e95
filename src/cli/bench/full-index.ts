/**
 * An index that is full and turns over, for volumes of the benchmark: filled once, by the index part in the place where
 * a volume has it, and handed on to one volume after another. Rows go on where the row before has left it.
 */
import { VdoError } from '../../base/errors.js'
import { Status } from '../../base/status.js'
import type { SynchronousDevice } from '../../device/block-device.js'
import { BLOCK_SIZE } from '../../format/constants.js'
import { indexShapeOf, regionOfShape } from '../../format/index-region.js'
import { openVolume } from '../../host/open-volume.js'
import { createLayout, type IndexPlace } from '../../uds/index-layout.js'
import { saveIndex } from '../../uds/index-save.js'
import { runSteps, type StorageCommand, StorageOp } from '../../uds/storage-steps.js'
import { clockNonce } from '../volume-identity.js'
import type { BenchStore } from './bench-store.js'
import { type IndexRowResult, measureIndex } from './index-rows.js'
import { NameStream } from './name-stream.js'
import { WholeIndexBench } from './whole-index-bench.js'

/** The first block of a volume's index. */
const INDEX_PBN = 1
const SEED = 0xf111
/** Blocks that are moved at once. */
const CHUNK_BLOCKS = 256

export class FullIndex {
  private constructor(
    private readonly store: BenchStore,
    /** Of every volume that has it. */
    private readonly nonce: bigint,
    /** The first block of the index, which formatting a volume wipes out. */
    private readonly head: Uint8Array,
    /** Names that it was left with. */
    private records: number,
  ) {}

  /** Fills it, which takes minutes, and measures what that costs with the rows of the index part. */
  static fill(store: BenchStore, chapters: number, report: (result: IndexRowResult) => void): FullIndex {
    const nonce = clockNonce()
    const shape = indexShapeOf(store.indexMemory, false)
    const place: IndexPlace = { shape, start: INDEX_PBN, blocks: regionOfShape(shape).blockCount, nonce }
    const arena = new Uint8Array(CHUNK_BLOCKS * BLOCK_SIZE)
    return store.withDevice(arena, (device) => {
      const perform = (command: StorageCommand): void => performOn(device, arena, command)
      const milliseconds = Date.now()
      const birth = { nanoseconds: BigInt(milliseconds) * 1_000_000n, chance: SEED }
      const layout = runSteps(createLayout(place, birth), perform)
      const index = new WholeIndexBench(layout.geometry, 'full index', {
        nonce: layout.nonce,
        volumeBlock: layout.volumeStart,
        beforeChapter: () => layout.discardOpenChapter(),
        perform,
      })
      measureIndex(index, new NameStream(SEED), chapters, report)
      runSteps(saveIndex(layout, index.content, index.keeper, milliseconds), perform)
      check(device.read(INDEX_PBN, 1, 0))
      return new FullIndex(store, nonce, arena.slice(0, BLOCK_SIZE), index.content.entries)
    })
  }

  /** A row is done. There may be fewer names now: one that it met again takes a place in a second chapter. */
  leaveWith(entries: number): void {
    this.records = entries
  }

  /** Throws unless a volume that was opened has loaded about as many names as it was left with. */
  check(entries: number): void {
    if (entries > 0.99 * this.records) return
    throw new VdoError(
      'VDO_INDEX_ERROR',
      `The volume's index is not the one that was left: it has ${entries} names, wanted ${this.records}`,
    )
  }

  /** Makes a volume whose index this is. */
  async format(): Promise<void> {
    const { store, nonce, head } = this
    await store.format(nonce)
    // A volume that was never loaded does not look for an index.
    const volume = await openVolume({ device: store.device, threads: 'tiny', deduplication: false })
    await volume.close()
    const arena = head.slice()
    store.withDevice(arena, (device) => {
      check(device.write(INDEX_PBN, 1, 0))
      check(device.sync())
    })
  }
}

function performOn(
  device: SynchronousDevice,
  arena: Uint8Array,
  { op, block, count, bytes, at }: StorageCommand,
): void {
  if (op === StorageOp.Pause) return
  if (op === StorageOp.Flush) return check(device.sync())
  for (let done = 0; done < count; done += CHUNK_BLOCKS) {
    const some = Math.min(CHUNK_BLOCKS, count - done)
    const from = at + done * BLOCK_SIZE
    if (op === StorageOp.Write) {
      arena.set(bytes.subarray(from, from + some * BLOCK_SIZE))
      check(device.write(block + done, some, 0))
    } else {
      check(device.read(block + done, some, 0))
      bytes.set(arena.subarray(0, some * BLOCK_SIZE), from)
    }
  }
}

function check(status: Status): void {
  if (status === Status.Success) return
  throw new VdoError('VDO_IO_ERROR', 'Cannot fill the index of the benchmark: its store fails')
}
