import { SimStore } from '../../src/sim/sim-store.js'

/** A disk that forgets what it was told to keep. */
export class Forgetful extends SimStore {
  override endFlush(): void {}
  protected override blank(): SimStore {
    return new Forgetful(this.blockCount)
  }
}
