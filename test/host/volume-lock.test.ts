import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { SMALL_INDEX_MEMORY } from '../../src/format/index-memory.js'
import { formatFile } from '../../src/host/format-file.js'
import { openVolume } from '../../src/host/open-volume.js'
import { codeOf, refusalOf } from '../outcomes.js'
import { ROOT, requireThat, vdo, withTempDir } from '../tools.js'
import { GIB } from './chaos.js'
import { formatInMemory } from './memory-volume.js'

function format(path: string, force = false) {
  return formatFile({
    path,
    sizeBytes: GIB,
    slabBits: 13,
    indexMemory: SMALL_INDEX_MEMORY,
    indexSparse: false,
    nonce: 7n,
    uuid: new Uint8Array(16).fill(9),
    force,
  })
}

/** A process that opens the volume and keeps it open. */
async function opener(path: string): Promise<ChildProcess> {
  const library = join(ROOT, 'dist/src/host/open-volume.js')
  const program = `
    const { openVolume } = await import(${JSON.stringify(library)})
    await openVolume({ device: ${JSON.stringify(path)}, threads: 'tiny' })
    console.log('open')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the other process ended by itself')))
  await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {})
  return child
}

describe('a backing store', function () {
  this.timeout(30_000)

  it('is open once in a process, by whatever path', () =>
    withTempDir(async (folder) => {
      const path = join(folder, 'volume.img')
      await format(path)
      symlinkSync(path, join(folder, 'symbolic'))
      linkSync(path, join(folder, 'hard'))
      const volume = await openVolume({ device: path, threads: 'tiny' })
      for (const name of ['volume.img', 'symbolic', 'hard']) {
        const { code, message } = await refusalOf(openVolume({ device: join(folder, name), threads: 'tiny' }))
        expect(code).to.equal('VDO_IN_USE')
        expect(message).to.contain(name)
      }
      expect(await codeOf(format(path, true))).to.equal('VDO_IN_USE')
      await volume.close()
      const again = await openVolume({ device: path, threads: 'tiny' })
      await again.close()
    }))

  it('in memory is open once as well', async () => {
    const { segments } = formatInMemory()
    const volume = await openVolume({ device: segments, threads: 'tiny' })
    expect(await codeOf(openVolume({ device: segments }))).to.equal('VDO_IN_USE')
    await volume.close()
    await (await openVolume({ device: segments, threads: 'tiny' })).close()
  })

  it('that was refused for another reason is free again', async () => {
    const { segments } = formatInMemory({ slabs: 1 })
    const many = openVolume({ device: segments, threads: 'wide' })
    expect(await codeOf(many)).to.equal('VDO_TOO_MANY_PHYSICAL_ZONES')
    await (await openVolume({ device: segments, threads: 'tiny' })).close()
  })

  it('is open in one process, and free when that is gone', function () {
    requireThat(this, process.platform === 'linux', 'Linux')
    return withTempDir(async (folder) => {
      const path = join(folder, 'volume.img')
      await format(path)
      const child = await opener(path)
      const ended = once(child, 'exit')
      try {
        const { code, message } = await refusalOf(openVolume({ device: path, threads: 'tiny' }))
        expect(code).to.equal('VDO_IN_USE')
        expect(message).to.contain(`another process (pid ${child.pid})`)
        expect(await codeOf(format(path, true))).to.equal('VDO_IN_USE')
        for (const verb of [['audit'], ['serve', '--nbd', 'nbd://127.0.0.1:0/']]) {
          const { status, stderr } = await vdo([...verb, path])
          expect(stderr).to.equal(
            `vdo: Cannot ${verb[0]} ${path}: it is open in another process (pid ${child.pid}) (VDO_IN_USE)\n`,
          )
          expect(status).to.equal(5)
        }
      } finally {
        child.kill('SIGKILL')
        await ended
      }
      await (await openVolume({ device: path, threads: 'tiny' })).close()
    })
  })

  it('that is not there yet is made by one of two', () =>
    withTempDir(async (folder) => {
      const path = join(folder, 'volume.img')
      const codes = await Promise.all([codeOf(format(path)), codeOf(format(path))])
      expect(codes.filter((code) => code === undefined)).to.have.length(1)
      await (await openVolume({ device: path, threads: 'tiny' })).close()
    }))
})
