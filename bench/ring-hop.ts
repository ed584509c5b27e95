/** What it costs to pass a word on through a ring, alone or in a batch. */
import { Ring, ringWords } from '../src/reactor/ring.js'
import type { Part } from './slices.js'

const CAPACITY = 1024

/** Both ends of the ring are on one thread, so no line of a cache travels: this is the work alone. */
export function ringHops(): Part[] {
  return [1, 16, 256].map((batch) => {
    const memory = new Int32Array(new SharedArrayBuffer(ringWords(CAPACITY) * 4))
    const producer = new Ring(memory)
    const consumer = new Ring(memory)
    return {
      name: `pass a word through a ring, ${batch} a publish`,
      run(times: number) {
        for (let sent = 0; sent < times; sent += batch) {
          for (let i = 0; i < batch; i++) producer.stage(i)
          producer.publish()
          while (consumer.isReady) consumer.take()
          consumer.release()
        }
      },
    }
  })
}
