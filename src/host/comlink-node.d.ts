/** The type of Comlink's adapter to Node's message ports, which its package does not declare for this path. */
declare module 'comlink/dist/esm/node-adapter.mjs' {
  import type { MessagePort, Worker } from 'node:worker_threads'
  import type { Endpoint } from 'comlink'
  export default function nodeEndpoint(port: MessagePort | Worker): Endpoint
}
