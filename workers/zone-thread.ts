/** The door of every zone thread: exposes its control surface to the main thread. */
import { parentPort, threadId } from 'node:worker_threads'
import { expose } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { ZoneWorker } from '../src/host/zone-worker.js'

if (parentPort === null) throw new Error(`Thread ${threadId} has no parent to answer to`)
const port = parentPort

const worker = new ZoneWorker(
  () => process.exit(0),
  (error) => {
    // Thrown outside of any promise, so that the main thread's `error` event carries it.
    setImmediate(() => {
      throw error
    })
  },
)
expose(worker, nodeEndpoint(port))
