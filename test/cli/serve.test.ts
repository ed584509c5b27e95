import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

import { RawClient } from '../server/nbd/raw-client.js'
import { endWithTheRun, type Outcome, run, withTempDir } from '../tools.js'

const PROGRAM = fileURLToPath(new URL('serve-program.js', import.meta.url))
const GIB = 2 ** 30

const vdo = (...args: string[]): Promise<Outcome> => run(process.execPath, [PROGRAM, ...args], 20_000)

/** A server in the foreground of nobody. */
class Foreground {
  stdout = ''
  stderr = ''
  private readonly child: ChildProcess
  private readonly ended: Promise<number | string | null>
  private changed = (): void => {}

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    endWithTheRun(this.child)
    const hear = (add: (text: string) => void) => (text: Buffer) => {
      add(text.toString())
      this.changed()
    }
    this.child.stdout?.on(
      'data',
      hear((text) => (this.stdout += text)),
    )
    this.child.stderr?.on(
      'data',
      hear((text) => (this.stderr += text)),
    )
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => resolve(code ?? signal)))
  }

  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout + this.stderr)) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.changed = resolve
        }),
        this.ended.then((end) => {
          if (!pattern.test(this.stdout + this.stderr)) throw new Error(`ended with ${end}: ${this.stderr}`)
        }),
      ])
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  end(): Promise<number | string | null> {
    return this.ended
  }
}

describe('vdo serve', function () {
  this.timeout(60_000)

  it('makes the volume, prints its URI and what to try, and saves on Ctrl-C', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const server = new Foreground('serve', file, '--create', '--nbd', 'nbd://127.0.0.1:0/data')
      await server.said(/Ctrl-C saves/)
      await server.said(/\[open default\]/)
      const uri = /nbd:\/\/127\.0\.0\.1:[1-9]\d*\/data/.exec(server.stdout)?.[0] ?? ''
      expect(server.stdout).to.include(`nbdinfo '${uri}'`).and.include(`vdo stats ${file}`)
      expect(server.stderr).to.equal(`[format ${16 * GIB} ${64 * GIB} 19]\n[open default]\n`)
      const client = await RawClient.attach(uri, { name: 'data' })
      expect((await client.ask(0, 0, 4096)).data).to.have.length(4096)
      server.signal('SIGINT')
      expect(await server.end()).to.equal(0)
      expect(server.stdout).to.match(/Saved .*v\.img\.\n$/)
      expect(server.stderr).to.match(/\[close\]\n$/)
      expect(existsSync(`${file}.sock`)).to.equal(false)
      client.destroy()
    }))

  it('makes the volume where a size of it is given, too', () =>
    withTempDir(async (folder) => {
      for (const [i, [option, value, made]] of [
        ['--size', '9G', `${9 * GIB} ${64 * GIB} 19`],
        ['--logical-size', '1T', `${16 * GIB} ${1024 * GIB} 19`],
        ['--slab-bits', '15', `${16 * GIB} ${64 * GIB} 15`],
      ].entries()) {
        const { stderr } = await vdo('serve', join(folder, `${i}.img`), option, value, '--run', 'true')
        expect(stderr).to.match(new RegExp(`^\\[format ${made}\\]\n`))
      }
    }))

  it('opens a volume that is there, whatever sizes are given', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      writeFileSync(file, 'volume')
      const uri = `nbd+unix:///?socket=${join(folder, 's')}`
      const server = new Foreground(
        'serve',
        file,
        '--create',
        '--size',
        '9G',
        '--nbd',
        uri,
        '--threads',
        'tiny',
        '--unsafe',
        '--json',
      )
      await server.said(/\n$/)
      await server.said(/"uri"/)
      expect(JSON.parse(server.stdout)).to.include({ uri, logicalSize: 1024 * 1024, threads: 'tiny' })
      const logged = server.stderr.split('\n').find((line) => line.includes('Nothing is synced')) ?? ''
      expect(JSON.parse(logged)).to.include({ level: 'warn' })
      expect(server.stderr)
        .to.match(/Nothing is synced/)
        .and.match(/\[open tiny unsafe\]/)
        .and.not.match(/format/)
      server.signal('SIGTERM')
      expect(await server.end()).to.equal(0)
      expect(existsSync(join(folder, 's'))).to.equal(false)
    }))

  it('halts on the second Ctrl-C', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      writeFileSync(file, 'volume')
      const server = new Foreground('serve', file, '--nbd', 'nbd://127.0.0.1:0/', '--threads', 'stuck')
      await server.said(/Ctrl-C saves/)
      server.signal('SIGINT')
      await server.said(/\[close\]/)
      // A supervisor that repeats itself does not insist; what comes at once is the same keystroke.
      server.signal('SIGTERM')
      server.signal('SIGINT')
      const insist = setInterval(() => server.signal('SIGINT'), 100)
      expect(await server.end()).to.equal(1)
      clearInterval(insist)
      expect(server.stderr)
        .to.match(/not saved/)
        .and.match(/\[halt\]/)
    }))

  it('takes a Ctrl-C that arrives twice for one', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      writeFileSync(file, 'volume')
      const server = new Foreground('serve', file, '--nbd', 'nbd://127.0.0.1:0/')
      await server.said(/Ctrl-C saves/)
      server.signal('SIGINT')
      server.signal('SIGINT')
      expect(await server.end()).to.equal(0)
      expect(server.stderr)
        .to.match(/\[close\]/)
        .and.not.match(/\[halt\]/)
    }))

  it('ends when the engine does, and says why', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      writeFileSync(file, 'volume')
      const { status, stderr } = await vdo(
        'serve',
        file,
        '--nbd',
        'nbd://127.0.0.1:0/',
        '--threads',
        'fragile',
      )
      expect(status).to.equal(1)
      expect(stderr).to.include('vdo: logQ0 died (VDO_ENGINE_HALTED)\n')
    }))

  it('runs a command beside the volume and ends as it does', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const { status, stdout, stderr } = await vdo(
        'serve',
        file,
        '--create',
        '--run',
        'test -S "$unixsocket" && echo "$uri $nbd" && exit 42',
      )
      expect(status).to.equal(42)
      expect(stdout).to.match(/^nbd\+unix:\/\/\/\?socket=(\S+) nbd:unix:\1$/m)
      expect(stderr).to.match(/\[close\]/)
      const socket = /socket=(\S+)/.exec(stdout)?.[1] ?? ''
      expect(existsSync(join(socket, '..'))).to.equal(false)
      expect((await vdo('serve', file, '--run', 'kill -TERM $$')).status).to.equal(143)
    }))

  it('refuses what cannot work in one line, before it touches the file', () =>
    withTempDir(async (folder) => {
      const missing = join(folder, 'missing')
      const empty = join(folder, 'empty')
      writeFileSync(empty, '')
      const refused: [string[], number, RegExp][] = [
        [[missing], 7, /does not exist\. Add --create .*\(VDO_NOT_FOUND\)$/],
        [[empty], 7, /is empty/],
        [[missing, '--create', '--nbd', 'http://x'], 2, /Cannot read NBD address .*\(VDO_BAD_URI\)$/],
        [[missing, '--create', '--size', 'big'], 2, /--size is "big"/],
        [[missing, '--create', '--slab-bits', 'x'], 2, /--slab-bits is "x"/],
        [['--nbd'], 2, /argument missing/],
        [[], 2, /missing required argument/],
      ]
      for (const [args, wanted, text] of refused) {
        const { status, stdout, stderr } = await vdo('serve', ...args)
        expect(stderr.trim()).to.match(text)
        expect(stderr.trim().split('\n')).to.have.length(1)
        expect([status, stdout]).to.deep.equal([wanted, ''])
      }
      expect(existsSync(missing)).to.equal(false)
    }))

  it('touches nothing when its address is taken', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const address = other.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      const { status, stderr } = await vdo('serve', file, '--create', '--nbd', `nbd://127.0.0.1:${port}/`)
      expect(status).to.equal(6)
      expect(stderr).to.match(/^vdo: Cannot listen on .*: the address is taken \(VDO_ADDRESS_IN_USE\)\n$/)
      expect(existsSync(file)).to.equal(false)
      other.close()
    }))
})

describe('vdo stats', function () {
  this.timeout(60_000)

  it('shows a volume that is served in every form', () =>
    withTempDir(async (folder) => {
      const file = join(folder, 'v.img')
      const server = new Foreground('serve', file, '--create', '--nbd', 'nbd://127.0.0.1:0/')
      await server.said(/Ctrl-C saves/)
      expect((await vdo('stats', file)).stdout).to.match(
        /^Device +1k-blocks .*\n\S+v\.img +16000 +2000 +14000 +13% +57%\n$/,
      )
      expect((await vdo('stats', '--si', file)).stdout).to.match(/v\.img +16\.4M/)
      expect((await vdo('stats', '--human-readable', file)).stdout).to.match(/v\.img +15\.6M/)
      expect((await vdo('stats', '--verbose', file)).stdout.split('\n')).to.have.length(1 + 165 + 1)
      const json = JSON.parse((await vdo('stats', '--json', file)).stdout) as Record<string, unknown>
      expect(json).to.include({ version: 36, dataBlocksUsed: 300 })
      const both = await vdo('stats', file, join(folder, 'other'))
      expect(both.status).to.equal(7)
      expect(both.stdout).to.match(/v\.img/)
      expect(both.stderr).to.match(/other: it does not exist/)
      expect((await vdo('stats', '--format', 'prometheus', file)).stdout).to.match(
        /^vdo_data_blocks_used\{volume="\S+v\.img"\} 300$/m,
      )
      // Of another, a killed server has left its socket.
      for (const name of ['old.img', 'old.img.sock']) writeFileSync(join(folder, name), '')
      // Other programs have a folder with a socket beside it.
      mkdirSync(join(folder, 'run'))
      writeFileSync(join(folder, 'run.sock'), '')
      const here = ['-c', 'cd "$0" && "$1" "$2" stats', folder, process.execPath, PROGRAM]
      expect((await run('sh', here, 20_000)).stdout).to.match(/^Device .*\nv\.img +16000 .*\n$/)
      server.signal('SIGINT')
      expect(await server.end()).to.equal(0)
      const { status, stderr } = await vdo('stats', file)
      expect(status).to.equal(5)
      expect(stderr).to.match(/^vdo: Cannot ask .*: nobody serves it\. .*\(VDO_NOT_SERVED\)\n$/)
    }))
})
