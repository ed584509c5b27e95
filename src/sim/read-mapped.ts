/** Reads a logical block off a disk at rest, down the tree from its root, as plainly as can be. */
import { WASM_PAGE_BYTES } from '../engine/arena.js'
import { judgePage, PageVerdict, readEntryPbn, readEntryState } from '../format/block-map-page.js'
import { findFragment, fragmentOfState, readFragmentSize } from '../format/compressed-block.js'
import {
  BLOCK_SIZE,
  ENTRIES_PER_PAGE,
  MAPPING_STATE_COMPRESSED_BASE,
  TREE_HEIGHT,
  ZERO_PBN,
} from '../format/constants.js'
import type { Volume } from '../vio/volume.js'
import type { SimStore } from './sim-store.js'
import type { LentMemory } from './simulator.js'

/** Expands the raw LZ4 block of `size` bytes at `at` to a block, or gives null. */
export type Unpack = (bytes: Uint8Array, at: number, size: number) => Uint8Array | null

/** Unpacks with the engine's own LZ4, in two pages of lent memory. */
export function unpackerOn({ buffer, native }: LentMemory): Unpack {
  const memory = new Uint8Array(buffer)
  const from = WASM_PAGE_BYTES
  const to = from + WASM_PAGE_BYTES / 2
  return (bytes, at, size) => {
    memory.set(bytes.subarray(at, at + size), from)
    return native.decompress(from, size, to) ? memory.slice(to, to + BLOCK_SIZE) : null
  }
}

const ZEROS = new Uint8Array(BLOCK_SIZE)

/** The bytes of logical block `lbn`. Throws if it is mapped to a fragment that is none. */
export function readMapped(disk: SimStore, volume: Volume, lbn: number, unpack: Unpack): Uint8Array {
  const leaf = Math.floor(lbn / ENTRIES_PER_PAGE)
  let page = volume.rootOrigin + (leaf % volume.rootCount)
  const indexOfLeaf = Math.floor(leaf / volume.rootCount)
  for (let height = TREE_HEIGHT - 1; height > 0; height--) {
    const slot = Math.floor(indexOfLeaf / ENTRIES_PER_PAGE ** (height - 1)) % ENTRIES_PER_PAGE
    page = readEntry(disk, volume, page, slot).pbn
    if (page === ZERO_PBN) return ZEROS
  }
  const { pbn, state } = readEntry(disk, volume, page, lbn % ENTRIES_PER_PAGE)
  if (pbn === ZERO_PBN) return ZEROS
  const block = disk.blockAt(pbn)
  if (state < MAPPING_STATE_COMPRESSED_BASE) return block
  const slot = fragmentOfState(state)
  const at = findFragment(block, 0, slot)
  const bytes = at < 0 ? null : unpack(block, at, readFragmentSize(block, 0, slot))
  if (bytes === null) throw new Error(`LBN ${lbn} is mapped to fragment ${slot} of PBN ${pbn}, which is none`)
  return bytes
}

function readEntry(
  disk: SimStore,
  { nonceLow, nonceHigh }: Volume,
  page: number,
  slot: number,
): { readonly pbn: number; readonly state: number } {
  const bytes = disk.blockAt(page)
  if (judgePage(bytes, 0, nonceLow, nonceHigh, page) !== PageVerdict.Valid) return { pbn: ZERO_PBN, state: 0 }
  return { pbn: readEntryPbn(bytes, 0, slot), state: readEntryState(bytes, 0, slot) }
}
