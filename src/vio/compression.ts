/**
 * The compression stage of a vio: one atomic word, because whoever waits for the vio may forbid that it lingers in
 * the packer. A stage never moves backwards within a block's life. A canceler that finds the vio in `Packing`
 * is told so exactly once, and must then send `PackerOp.Evict`.
 */
import type { VioIndex } from '../base/ids.js'

export enum CompressionStage {
  Before = 0,
  Compressing = 1,
  Packing = 2,
  After = 3,
}

const STAGE = 3
const FORBIDDEN = 4

/** A new block: nothing done, nothing forbidden. Only by the owner of the vio. */
export function resetCompression(words: Int32Array, vio: VioIndex): void {
  Atomics.store(words, vio, CompressionStage.Before)
}

export function compressionStage(words: Int32Array, vio: VioIndex): CompressionStage {
  return Atomics.load(words, vio) & STAGE
}

export function mayCompress(words: Int32Array, vio: VioIndex): boolean {
  return (Atomics.load(words, vio) & FORBIDDEN) === 0
}

/** To the next stage, or straight to `After` if compression was forbidden. Gives the stage reached. */
export function advanceCompression(words: Int32Array, vio: VioIndex): CompressionStage {
  for (;;) {
    const old = Atomics.load(words, vio)
    const stage = old & STAGE
    if (stage === CompressionStage.After) return stage
    const next: number = (old & FORBIDDEN) !== 0 ? FORBIDDEN | CompressionStage.After : stage + 1
    if (Atomics.compareExchange(words, vio, old, next) === old) return next & STAGE
  }
}

/** Forbids compression. True only for the first who does so while the vio is in the packer. */
export function cancelCompression(words: Int32Array, vio: VioIndex): boolean {
  for (;;) {
    const old = Atomics.load(words, vio)
    if ((old & FORBIDDEN) !== 0 || (old & STAGE) === CompressionStage.After) return false
    if (Atomics.compareExchange(words, vio, old, old | FORBIDDEN) === old) {
      return (old & STAGE) === CompressionStage.Packing
    }
  }
}

/** A plain write: compression is over and forbidden. */
export function endCompression(words: Int32Array, vio: VioIndex): void {
  Atomics.store(words, vio, FORBIDDEN | CompressionStage.After)
}
