/** The package as others get it: what is packed suffices for the program and for the example of the README. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT, run, runOk } from '../tools.js'

describe('the package', function () {
  this.timeout(120_000)
  let folder: string
  let installed: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'package-'))
    installed = join(folder, 'node_modules/uvdo')
    mkdirSync(installed, { recursive: true })
    const packed = await runOk('npm', ['pack', ROOT, '--pack-destination', folder, '--silent'])
    await runOk('tar', ['-xzf', join(folder, packed.trim()), '-C', installed, '--strip-components=1'])
    // What it depends on, as an installation would put it there.
    const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    for (const name of Object.keys(dependencies)) {
      symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
    }
  })
  after(() => rmSync(folder, { recursive: true }))

  for (const program of ['vdo', 'vdoformat', 'vdostats']) {
    it(`holds ${program} under its name`, async () => {
      const { bin, version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
        bin: Record<string, string>
        version: string
      }
      const path = join(installed, bin[program])
      expect(await runOk(process.execPath, [path, '--help'])).to.match(new RegExp(`^Usage: ${program} `))
      expect(await runOk(process.execPath, [path, '--version'])).to.equal(`${version}\n`)
    })
  }

  it('serves a volume, with its profiles and threads', async () => {
    const vdo = join(installed, 'dist/src/cli/vdo.js')
    const image = join(folder, 'served.img')
    const { status, stdout, stderr } = await run(process.execPath, [
      vdo,
      'serve',
      image,
      '--create',
      '--size=5G',
      '--run',
      'test -S "$unixsocket" && echo "$uri"',
    ])
    expect(stderr).to.equal('')
    expect(stdout).to.match(/^Made a volume in .*\nnbd\+unix:\/\/\/\?socket=/)
    expect(status).to.equal(0)
  })

  it('runs the example of the README, which compiles', async () => {
    const example = /```ts\n(?<code>.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.groups?.[
      'code'
    ]
    expect(example).to.contain("from 'uvdo'")
    await runOk(process.execPath, [
      join(installed, 'dist/src/cli/vdoformat.js'),
      join(folder, 'vdo0.img'),
      '--size=5G',
    ])
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const more = [
      "import { VdoError, type VdoStatistics } from 'uvdo'",
      'const counted: VdoStatistics = volume.statistics()',
      'const closed: unknown = await volume.read(0, 1).catch((error: unknown) => error)',
      'console.log(bytes.length, bytes[0], counted.mode, closed instanceof VdoError && closed.code)',
    ]
    writeFileSync(join(folder, 'example.ts'), [example, ...more, ''].join('\n'))
    const strict = [
      '--ignoreConfig',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--skipLibCheck',
    ]
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    await runOk(join(ROOT, 'node_modules/.bin/tsc'), [...strict, ...types, join(folder, 'example.ts')])
    // The paths in it are those of whoever stands in the folder.
    const cd = `process.chdir(${JSON.stringify(folder)}); await import('./example.js')`
    writeFileSync(join(folder, 'start.js'), cd)
    expect(await runOk(process.execPath, [join(folder, 'start.js')])).to.equal('100 7 normal VDO_CLOSED\n')
  })
})
