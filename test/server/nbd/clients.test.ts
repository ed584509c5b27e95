/** Real NBD clients against the server over memory: they judge the protocol, not the volume. */

import { randomFillSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'

import { type NbdServer, serveNbd } from '../../../src/server/nbd/nbd-server.js'
import { requireThat, requireTool, run, runOk, withTempDir } from '../../tools.js'
import { MemoryTarget } from './memory-target.js'

const MIB = 1024 * 1024
const SIZE = 48 * MIB

describe('real NBD clients', function () {
  this.timeout(60_000)
  let server: NbdServer
  let target: MemoryTarget

  beforeEach(async () => {
    target = new MemoryTarget(SIZE)
    server = await serveNbd({
      uri: 'nbd://127.0.0.1:0/',
      exports: [
        { name: 'vdo', description: 'a volume', target },
        { name: 'fixed', readOnly: true, target },
      ],
    })
  })

  afterEach(async () => {
    await server.close()
  })

  it('nbdinfo learns what the exports can do', async function () {
    requireTool(this, 'nbdinfo')
    const { exports } = JSON.parse(await runOk('nbdinfo', ['--list', '--json', server.uri])) as {
      exports: Record<string, unknown>[]
    }
    expect(exports).to.have.length(2)
    expect(exports[0]).to.include({
      'export-name': 'vdo',
      description: 'a volume',
      'export-size': SIZE,
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_fast_zero: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      block_size_minimum: 1,
      block_size_preferred: 4096,
      block_size_maximum: 32 * MIB,
    })
    expect(exports[1]).to.include({
      is_read_only: true,
      can_trim: false,
      can_zero: false,
      can_multi_conn: true,
    })
    expect((await run('nbdinfo', [`${server.uri}nobody`])).status).not.to.equal(0)
  })

  it('nbdcopy copies in and out, many requests on many connections', async function () {
    requireTool(this, 'nbdcopy')
    await withTempDir(async (folder) => {
      const data = randomFillSync(Buffer.alloc(SIZE))
      data.fill(0, 10 * MIB, 20 * MIB)
      const [source, copy] = [join(folder, 'in'), join(folder, 'out')]
      writeFileSync(source, data)
      const ways = [
        ['--connections=4', '--requests=64'],
        ['--synchronous'],
        ['--allocated', '--flush'],
        [`--request-size=${2 * MIB}`],
        [`--request-size=${32 * MIB}`, '--connections=2'],
      ]
      for (const way of ways) {
        target.bytes.fill(1)
        await runOk('nbdcopy', [...way, source, server.uri])
        expect(Buffer.compare(data, target.bytes), `in ${way.join(' ')}`).to.equal(0)
        await runOk('nbdcopy', [...way, server.uri, copy])
        expect(Buffer.compare(data, readFileSync(copy)), `out ${way.join(' ')}`).to.equal(0)
      }
    })
  })

  it('qemu-io reads and writes at every alignment', async function () {
    requireTool(this, 'qemu-io')
    const commands = [
      'write -P 17 512 1536',
      'write -f -P 34 1M 4k',
      'write -P 3 4095 4098',
      'write -z 2M 4097',
      'write -z -u 3M 1M',
      'discard 4M 1M',
      'read -P 17 512 1536',
      'read -P 34 1M 4k',
      'read -P 3 4095 4098',
      'read -P 0 2M 4097',
      'write -P 5 5M 32M',
      'read -P 5 5M 32M',
      'aio_write -P 6 1 4096',
      'aio_write -P 7 40000 70000',
      'aio_read -P 5 6M 2M',
      'aio_flush',
      'read -P 6 1 4096',
      'flush',
    ]
    const said = await runOk('qemu-io', [
      '-f',
      'raw',
      ...commands.flatMap((each) => ['-c', each]),
      server.uri,
    ])
    expect(said).not.to.match(/fail|error/i)
    expect(target.bytes[40_000]).to.equal(7)
  })

  it('qemu-img converts and compares', async function () {
    requireTool(this, 'qemu-img')
    await withTempDir(async (folder) => {
      const source = join(folder, 'in')
      const data = Buffer.alloc(SIZE)
      randomFillSync(data, 3 * MIB, 20 * MIB)
      writeFileSync(source, data)
      await runOk('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', '-W', source, server.uri])
      await runOk('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', source, server.uri])
      expect(Buffer.compare(data, target.bytes)).to.equal(0)
    })
  })

  it('fio verifies what it wrote at depth 64', async function () {
    requireTool(this, 'fio')
    await withTempDir(async (folder) => {
      const help = await run('fio', ['--enghelp=nbd'])
      requireThat(this, help.status === 0, 'fio with its nbd engine')
      for (const size of ['--bs=4k', '--bsrange=512-300k']) {
        await runOk('fio', [
          '--name=v',
          '--ioengine=nbd',
          `--uri=${server.uri}`,
          '--rw=randwrite',
          size,
          '--iodepth=64',
          '--size=24m',
          '--verify=crc32c',
          '--do_verify=1',
          '--randseed=1',
          '--verify_state_save=0',
          `--aux-path=${folder}`,
        ])
      }
    })
  })
})
