import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT, runOk, withTempDir } from '../tools.js'

/** Opens and closes a volume in memory. */
const PROGRAM = `
  const { openVolume } = await import(${JSON.stringify(join(ROOT, 'dist/src/host/open-volume.js'))})
  const { formatInMemory } = await import(${JSON.stringify(join(ROOT, 'dist/test/host/memory-volume.js'))})
  const volume = await openVolume({ device: formatInMemory().segments, threads: 'tiny' })
  await volume.close()
  console.log('closed')`

describe('an engine', function () {
  this.timeout(60_000)

  it('starts its threads whatever its process was told of memory and of programs', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'program.mjs')
      writeFileSync(file, PROGRAM)
      for (const args of [
        ['--max-old-space-size=300', file],
        ['--enable-source-maps', '--input-type=module', '-e', PROGRAM],
      ]) {
        expect(await runOk(process.execPath, args), args[0]).to.equal('closed\n')
      }
    }))
})
