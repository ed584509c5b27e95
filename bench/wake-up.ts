/**
 * What it costs to wake a thread that sleeps, there and back: one that is parked in Atomics.wait, as workers are, and
 * one that waits in its event loop, as the front end does. The CPU time of both threads counts.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import type { Part } from './slices.js'

/** The words that the two threads share. */
enum Turn {
  There = 0,
  Back,
}

/** How long the measuring thread waits for an answer. */
const PATIENCE_MS = 10_000

/** Parts, and what ends their threads. */
export async function wakeUps(): Promise<{ parts: Part[]; end: () => Promise<void> }> {
  const parked = await sleeper('parked')
  const inLoop = await sleeper('event loop')
  const parts = [
    part('wake a parked thread, there and back', parked.turns, () => {
      Atomics.add(parked.turns, Turn.There, 1)
      Atomics.notify(parked.turns, Turn.There)
    }),
    part('wake an event loop there, a parked thread back', inLoop.turns, () => inLoop.worker.postMessage(0)),
  ]
  const end = async () => {
    await Promise.all([parked, inLoop].map(({ worker }) => worker.terminate()))
  }
  return { parts, end }
}

function part(name: string, turns: Int32Array, wake: () => void): Part {
  return {
    name,
    run(times) {
      for (let i = 0; i < times; i++) {
        const seen = Atomics.load(turns, Turn.Back)
        wake()
        if (Atomics.wait(turns, Turn.Back, seen, PATIENCE_MS) === 'timed-out')
          throw new Error(`Cannot measure how to ${name}: no answer in ${PATIENCE_MS} ms`)
      }
    },
  }
}

type Kind = 'parked' | 'event loop'

async function sleeper(kind: Kind): Promise<{ worker: Worker; turns: Int32Array }> {
  const turns = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL(import.meta.url))
  worker.postMessage({ kind, turns })
  await once(worker, 'message')
  return { worker, turns }
}

function answer(turns: Int32Array): void {
  Atomics.add(turns, Turn.Back, 1)
  Atomics.notify(turns, Turn.Back)
}

/** The other side: answers each wake-up until it is ended. */
function sleep({ kind, turns }: { kind: Kind; turns: Int32Array }): void {
  parentPort!.postMessage('ready')
  if (kind === 'event loop') {
    parentPort!.on('message', () => answer(turns))
    return
  }
  for (let seen = 0; ; seen = (seen + 1) | 0) {
    Atomics.wait(turns, Turn.There, seen)
    answer(turns)
  }
}

if (!isMainThread) parentPort!.once('message', sleep)
