/** A server over memory for one test, with clients that are gone when the test is. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type NbdServer, type NbdServerOptions, serveNbd } from '../../../src/server/nbd/nbd-server.js'
import { MemoryTarget } from './memory-target.js'
import { RawClient } from './raw-client.js'

const MIB = 1024 * 1024

export interface Served {
  readonly server: NbdServer
  readonly target: MemoryTarget
  readonly uri: string
  readonly attach: (options?: { structured?: boolean; name?: string }) => Promise<RawClient>
  readonly connect: () => Promise<RawClient>
}

/** Serves `target` on a Unix socket while `body` runs. Every server must come to its end. */
export async function withServer(
  body: (served: Served) => Promise<void>,
  options: Partial<NbdServerOptions> = {},
  target = new MemoryTarget(8 * MIB),
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'uvdo-nbd-'))
  const clients: RawClient[] = []
  const keep = (client: RawClient): RawClient => {
    clients.push(client)
    return client
  }
  const server = await serveNbd({
    uri: `nbd+unix:///?socket=${folder}/nbd.sock`,
    exports: [{ name: '', target }],
    ...options,
  })
  try {
    await body({
      server,
      target,
      uri: server.uri,
      attach: async (how) => keep(await RawClient.attach(server.uri, how)),
      connect: async () => keep(await RawClient.connect(server.uri)),
    })
  } finally {
    for (const client of clients) client.destroy()
    target.release()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Bytes that differ at every offset of interest, from a seed. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = (seed * 2654435761 + 1) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
