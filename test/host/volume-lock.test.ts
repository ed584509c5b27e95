import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { SMALL_INDEX_MEMORY } from '../../src/format/index-memory.js'
import { formatFile } from '../../src/host/format-file.js'
import { openVolume } from '../../src/host/open-volume.js'
import { lockForReading, lockStore } from '../../src/host/volume-lock.js'
import { codeOf, refusalOf } from '../outcomes.js'
import { endWithTheRun, ROOT, requireThat, vdo, withTempDir } from '../tools.js'
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
function opener(path: string): Promise<ChildProcess> {
  return holder('open-volume.js', `openVolume({ device: ${JSON.stringify(path)}, threads: 'tiny' })`)
}

/** A process that reads the volume, for as long as it lives. */
function reader(path: string): Promise<ChildProcess> {
  return holder('volume-lock.js', `lockForReading(${JSON.stringify(path)}, 'Cannot read')`)
}

/** A process that has done something with a file of src/host, and stays. */
async function holder(file: string, call: string): Promise<ChildProcess> {
  const program = `
    const host = await import(${JSON.stringify(join(ROOT, 'dist/src/host', file))})
    await host.${call}
    console.log('open')
    setInterval(() => {}, 60_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithTheRun(child)
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

  it('is read by several at a time, and opened by nobody meanwhile', function () {
    requireThat(this, process.platform === 'linux', 'Linux')
    return withTempDir(async (folder) => {
      const path = join(folder, 'volume.img')
      await format(path)
      await (await openVolume({ device: path, threads: 'tiny' })).close()
      const letGo = await lockForReading(path, 'Cannot read')
      expect(await codeOf(openVolume({ device: path, threads: 'tiny' }))).to.equal('VDO_IN_USE')
      const child = await reader(path)
      const ended = once(child, 'exit')
      try {
        expect((await vdo(['audit', path])).status).to.equal(0)
        letGo()
        const { code, message } = await refusalOf(openVolume({ device: path, threads: 'tiny' }))
        expect(code).to.equal('VDO_IN_USE')
        expect(message).to.contain(`another process (pid ${child.pid})`)
        expect(await codeOf(format(path, true))).to.equal('VDO_IN_USE')
        expect((await vdo(['audit', path])).status).to.equal(0)
      } finally {
        child.kill('SIGKILL')
        await ended
      }
      await (await openVolume({ device: path, threads: 'tiny' })).close()
    })
  })

  it('is read by no more than there are places for', function () {
    requireThat(this, process.platform === 'linux', 'Linux')
    return withTempDir(async (folder) => {
      const path = join(folder, 'volume.img')
      await format(path)
      const readers = await Promise.all(Array.from({ length: 8 }, () => lockForReading(path, 'Cannot read')))
      expect(await codeOf(lockForReading(path, 'Cannot read'))).to.equal('VDO_IN_USE')
      readers.pop()?.()
      readers.push(await lockForReading(path, 'Cannot read'))
      expect(await codeOf(lockStore(path))).to.equal('VDO_IN_USE')
      for (const letGo of readers) letGo()
      const alone = await lockStore(path)
      expect(await codeOf(lockForReading(path, 'Cannot read'))).to.equal('VDO_IN_USE')
      alone()
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
