#!/usr/bin/env node
/** `vdo`: the one program, with a verb for each thing to do. */

import { Command } from 'commander'

import { DEFAULT_INDEX_MEMORY } from '../format/index-memory.js'
import { formatFile } from '../host/format-file.js'
import { auditCommand } from './audit.js'
import { benchCommand } from './bench.js'
import { forceRebuildCommand } from './force-rebuild.js'
import { formatCommand } from './format.js'
import { messageCommand } from './message.js'
import { readOnlyCommand } from './read-only.js'
import { runProgram } from './run-program.js'
import { type ServeParts, serveCommand } from './serve.js'
import { statsCommand } from './stats.js'
import { packageVersion } from './version.js'
import { clockNonce, randomUuid } from './volume-identity.js'

/** Loaded when they are wanted: other verbs, and help, need none of it. */
const parts: ServeParts = {
  async check({ device, threads }) {
    const [{ loadProfile }, { lockStore }] = await Promise.all([
      import('../host/profile.js'),
      import('../host/volume-lock.js'),
    ])
    loadProfile(threads)
    const unlock = await lockStore(device, 'Cannot serve')
    unlock()
  },
  async stateOf(path) {
    const { stateOfVolume } = await import('../host/read-volume.js')
    return stateOfVolume('Cannot serve', path)
  },
  async open(how) {
    const { openVolume } = await import('../host/open-volume.js')
    return openVolume(how)
  },
  async format(how) {
    await formatFile({
      ...how,
      indexMemory: DEFAULT_INDEX_MEMORY,
      indexSparse: false,
      nonce: clockNonce(),
      uuid: randomUuid(),
    })
  },
}

const program = new Command('vdo')
  .description('deduplicated, compressed, thin volumes in userspace, on the disk format of dm-vdo')
  .version(packageVersion())
  .addCommand(formatCommand())
  .addCommand(serveCommand(parts))
  .addCommand(statsCommand())
  .addCommand(messageCommand())
  .addCommand(auditCommand())
  .addCommand(readOnlyCommand())
  .addCommand(forceRebuildCommand())
  .addCommand(benchCommand())

await runProgram(program)
