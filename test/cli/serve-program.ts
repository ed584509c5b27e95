/**
 * `vdo serve` and `vdo stats` over a volume in memory, as a program of its own: what the command does with its
 * volume is said on standard error. The name of the thread profile picks how the volume behaves.
 */

import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { VdoError } from '../../src/base/errors.js'
import { runProgram } from '../../src/cli/run-program.js'
import { type ServableVolume, type ServeParts, serveCommand } from '../../src/cli/serve.js'
import { statsCommand } from '../../src/cli/stats.js'
import { VolumeState } from '../../src/format/super-block.js'
import { sampleStatistics } from '../observe/sample-statistics.js'
import { MemoryTarget } from '../server/nbd/memory-target.js'

const note = (text: string): void => void process.stderr.write(`[${text}]\n`)

const parts: ServeParts = {
  check: ({ threads }) =>
    threads === 'missing'
      ? Promise.reject(
          new VdoError('VDO_PROFILE_NOT_FOUND', 'Cannot load thread profile: there is no such profile'),
        )
      : Promise.resolve(),
  stateOf: () => Promise.resolve(VolumeState.Clean),
  open: (how) => {
    note(`open ${how.threads}${how.unsafe ? ' unsafe' : ''}`)
    const target = new MemoryTarget(1024 * 1024)
    let fail: (error: Error) => void = () => {}
    const halted = new Promise<Error>((resolve) => {
      fail = resolve
    })
    if (how.threads === 'fragile') setImmediate(() => fail(new VdoError('VDO_ENGINE_HALTED', 'logQ0 died')))
    const volume: ServableVolume = {
      target,
      logicalSize: target.sizeBytes,
      physicalSize: 4096,
      halted,
      readOnlyReason: null,
      statistics: () => sampleStatistics(),
      indexSettled: () => Promise.resolve(),
      createIndex: () => Promise.resolve(),
      closeIndex: () => Promise.resolve(),
      enableIndex: () => Promise.resolve(),
      disableIndex: () => Promise.resolve(),
      close: () => {
        note('close')
        // A save that takes for ever, with threads that keep the process alive.
        if (how.threads === 'stuck') return new Promise(() => void setInterval(() => {}, 1000))
        return Promise.resolve()
      },
      halt: () => {
        note('halt')
        return Promise.resolve()
      },
    }
    return Promise.resolve(volume)
  },
  format: (how) => {
    note(`format ${how.sizeBytes} ${how.logicalBytes} ${how.slabBits}`)
    writeFileSync(how.path, 'volume')
    return Promise.resolve()
  },
}

await runProgram(new Command('vdo').addCommand(serveCommand(parts)).addCommand(statsCommand()))
