/** What a newcomer may type wrong: each mistake gets one line, a status, and leaves every file as it was. */

import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Outcome, ROOT, run, runOk, VDO } from '../tools.js'

const GIB = 2 ** 30
/** Where the super block of the volume under test is. */
const SUPER_BLOCK_AT = 679128 * 4096

/** Words as they would be typed, the status, and what the line says. */
type Case = readonly [words: string, status: number, says: RegExp]

const PROFILES: Readonly<Record<string, string>> = {
  'typo.yaml': 'zones: { logicl: 1 }\nthreads: { a: [admin] }\n',
  'text.yaml': 'hello\n',
  'broken.yaml': 'zones: {\n',
  'many.yaml':
    'zones: { logical: 61, physical: 1, hash: 1, cpu: 1, bio: 1, index: 1 }\nthreads: { a: [admin] }\n',
  'homeless.yaml':
    'zones: { logical: 1, physical: 1, hash: 1, cpu: 1, bio: 1, index: 1 }\nthreads: { a: [admin] }\n',
}

const VERBS: readonly Case[] = [
  ['bogus', 2, /unknown command 'bogus'/],
  ['serv x', 2, /unknown command 'serv' \(Did you mean serve\?\)/],
  ['--bogus', 2, /unknown option '--bogus'/],
]

const FORMAT: readonly Case[] = [
  ['format', 2, /missing required argument 'file'/],
  ['format a b', 2, /too many arguments .* Expected 1 argument but got 2/],
  ['format missing', 7, /Cannot format missing: it does not exist\. Give --size/],
  ['format folder --size 8G', 6, /Cannot format folder: it is neither a file nor a block device/],
  ['format /dev/null --size 8G', 6, /Cannot format \/dev\/null: it is neither/],
  ['format pipe --force', 6, /Cannot format pipe: it is neither/],
  ['format none/x --size 8G', 7, /Cannot format none\/x: the folder none does not exist/],
  ['format small/x --size 8G', 6, /a part of its path is not a folder/],
  ['format x/ --size 8G', 6, /Cannot format x\/: it is a folder/],
  ['format loop --size 8G', 6, /Cannot format loop: its symbolic links go in a circle/],
  ['format x --size 12Q', 2, /--size is "12Q", wanted a number and one of B S K M G T P E/],
  ['format x --size -5', 2, /--size is "-5", wanted/],
  ['format x --size 7E', 2, /--size is 7E, wanted less than 8P/],
  ['format x --size 0', 7, /at least 5063921664 bytes, this one has 0/],
  ['format x --size 8589934593B', 7, /8589934593 bytes, wanted a multiple of 4096/],
  ['format x --size 300T --slab-bits 23', 7, /80530636800 blocks, wanted at most 68719476736/],
  ['format x --size 8G --logical-size 0', 7, /logical size is 0 blocks, wanted 1 to/],
  ['format x --size 8G --logical-size 5P', 7, /wanted 1 to 1099511627776/],
  ['format x --size 8G --slab-bits 12', 2, /--slab-bits is "12", wanted a whole number from 13 to 23/],
  ['format x --size 8G --slab-bits 13.5', 2, /--slab-bits is "13.5"/],
  ['format x --size 8G -m abc', 2, /--uds-memory-size is "abc", wanted 0\.25, 0\.5, 0\.75/],
  ['format x --size 8G -m 1025', 7, /1025 GiB, wanted 0\.25, 0\.5, 0\.75 or a whole number from 1 to 1024/],
  ['format x --size 8G -s', 7, /at least 26130157568 bytes, this one has 8589934592/],
  ['format x --size 8G --nonce 0x', 2, /--nonce is "0x", wanted a number from 1 to 2\^64 - 1/],
  ['format x --size 8G --uuid 5f0c7f3a', 2, /--uuid is "5f0c7f3a", wanted a UUID such as/],
  ['format small', 7, /at least 5063921664 bytes, this one has 1048576/],
  ['format small --force', 7, /this one has 1048576/],
  ['format volume', 5, /Cannot format volume: it holds a VDO volume\. Use --force/],
  ['format ext4', 5, /Cannot format ext4: it holds an ext2, ext3 or ext4 file system/],
  ['format disk', 5, /Cannot format disk: it holds a partition table/],
  ['format ext4 --size 1G', 7, /the file has 6442450944 bytes, more than the size of 1073741824/],
]

const SERVE: readonly Case[] = [
  ['serve', 2, /missing required argument 'file'/],
  ['serve missing', 7, /Cannot serve missing: it does not exist\. Add --create/],
  ['serve empty', 7, /Cannot serve empty: it is empty\. Add --create/],
  ['serve folder', 6, /folder: it is neither a file nor a block device/],
  ['serve pipe', 6, /pipe: it is neither a file nor a block device/],
  ['serve small', 7, /Cannot serve small: it holds no VDO volume/],
  ['serve ext4', 7, /Cannot serve ext4: it holds an ext2, ext3 or ext4 file system, no VDO volume/],
  ['serve cut', 7, /Cannot serve cut: it has 786432 blocks of 4096 bytes, the volume needs 1310720/],
  ['serve bad-geometry', 3, /Cannot serve bad-geometry: cannot decode geometry block: .* wanted/],
  ['serve bad-super', 3, /Cannot serve bad-super: cannot decode super block: checksum is .* contents give/],
  ['serve volume --threads none', 7, /no file "none", and the built-in ones are default, tiny, wide/],
  ['serve volume --threads folder', 7, /Cannot load thread profile folder: it is a folder, wanted a YAML/],
  ['serve volume --threads /dev/zero', 7, /\/dev\/zero: it is no regular file/],
  ['serve volume --threads typo.yaml', 7, /zones\.logical is missing, .*unknown key 'logicl'/],
  ['serve volume --threads text.yaml', 7, /the document is "hello", wanted a mapping/],
  ['serve volume --threads broken.yaml', 7, /broken\.yaml: line \d+, column \d+: /],
  ['serve volume --threads many.yaml', 7, /zones\.logical is 61, wanted a whole number from 1 to 60/],
  ['serve volume --threads homeless.yaml', 7, /no thread hosts journal\.0/],
  ['serve volume --threads wide', 7, /the profile has 3 physical zones, the volume only 1 slabs/],
  ['serve volume --nbd http://x', 2, /it starts with neither 'nbd:\/\/' nor 'nbd\+unix:\/\/'/],
  ['serve volume --nbd nbds://x', 2, /TLS is not supported/],
  ['serve volume --nbd nbd://h:99999/', 2, /port 99999 is above 65535/],
  ['serve volume --nbd nbd://h:x/', 2, /'h:x' is not a host and a port/],
  ['serve volume --nbd nbd+unix:///', 2, /'\?socket=PATH' is missing/],
  ['serve volume --nbd nbd://h/?tls=1', 2, /the parameter 'tls' is unknown/],
  ['serve volume --nbd nbd+unix:///?socket=none/s', 6, /Cannot listen on none\/s: there is no folder none/],
  [
    'serve volume --nbd nbd+unix:///?socket=small',
    6,
    /Cannot listen on small: something that is not a socket/,
  ],
  ['serve volume --nbd nbd+unix:///?socket=LONG', 6, /the path has 150 bytes, wanted at most 107/],
  ['serve volume --nbd nbd://127.0.0.1:TAKEN/', 6, /the address is taken \(VDO_ADDRESS_IN_USE\)/],
  ['serve volume --log-level loud', 2, /--log-level is "loud", wanted one of silent, error, warn, info/],
  ['serve volume --run=', 2, /--run is "", wanted a command/],
  ['serve x --create --size 12Q', 2, /--size is "12Q"/],
  ['serve x --create --size 1M', 7, /at least 5063921664 bytes, this one has 1048576/],
  ['serve x --create --slab-bits 99', 2, /--slab-bits is "99"/],
  ['serve x --create --threads none', 7, /no file "none"/],
  ['serve x --create --nbd nbd://127.0.0.1:TAKEN/', 6, /the address is taken/],
]

const OTHERS: readonly Case[] = [
  ['audit', 2, /missing required argument/],
  ['audit missing', 7, /missing: it does not exist/],
  ['audit pipe', 6, /pipe: it is neither a file nor a block device/],
  ['audit small', 7, /Cannot audit small: it holds no VDO volume/],
  ['audit empty', 7, /Cannot audit empty: it has 0 blocks of 4096 bytes/],
  ['audit cut', 7, /Cannot audit cut: it has 786432 blocks/],
  ['audit bad-super', 3, /Cannot audit bad-super: cannot decode super block/],
  ['stats', 5, /Cannot show statistics: no volume of this folder is being served/],
  ['stats missing', 7, /Cannot ask missing: it does not exist/],
  ['stats folder', 7, /Cannot ask folder: it is neither/],
  ['stats volume', 5, /Cannot ask volume: nobody serves it\. Start it with: vdo serve volume/],
  ['stats volume --format xml', 2, /--format is "xml", wanted one of table, verbose, json, prometheus/],
  ['message volume dance', 2, /the message is "dance", wanted one of index-create, .*, config/],
  ['message volume stats', 5, /Cannot ask volume: nobody serves it/],
  ['bench --store disk', 2, /--store is "disk", wanted one of memory, file/],
  ['bench --threads none', 7, /no file "none"/],
  ['bench --depth 0', 2, /--depth is "0", wanted a whole number from 1 to 2048/],
  ['bench --depth 1,,2', 2, /--depth is "1,,2", wanted values with commas between them/],
  ['bench --row nothing', 2, /--row is "nothing", wanted a word of unique write/],
  ['bench --blocks 1e9', 2, /--blocks is "1e9"/],
  ['bench --seconds -1', 2, /--seconds is "-1", wanted a number from 0 to 3600/],
  ['bench --repeats 1.5', 2, /--repeats is "1.5"/],
]

const SIM: readonly Case[] = [
  ['--seed x', 2, /--seed is "x", wanted a whole number from 0/],
  ['--seeds 0', 2, /--seeds is "0", wanted a whole number from 1/],
  ['--steps 1.5', 2, /--steps is "1.5"/],
  ['--jobs 1000', 2, /--jobs is "1000", wanted a whole number from 1 to 256/],
  ['--nothing', 2, /unknown option '--nothing'/],
]

describe('a mistake on the command line', function () {
  this.timeout(120_000)
  let folder: string
  let before: Record<string, string>
  let taken: Server
  let port = 0
  const home = process.cwd()

  this.beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'refusals-'))
    process.chdir(folder)
    await runOk(process.execPath, [VDO, 'format', 'volume', '--size', '5G'])
    for (const name of ['cut', 'bad-geometry', 'bad-super']) {
      await runOk('cp', ['--sparse=always', 'volume', name])
    }
    truncateSync('cut', 3 * GIB)
    overwrite('bad-geometry', 20, 0xff)
    overwrite('bad-super', SUPER_BLOCK_AT + 70, 0xff)
    writeFileSync('small', new Uint8Array(2 ** 20))
    writeFileSync('empty', '')
    for (const name of ['ext4', 'disk']) {
      writeFileSync(name, '')
      truncateSync(name, 6 * GIB)
    }
    overwrite('ext4', 1024 + 56, 0x53, 0xef)
    overwrite('disk', 446 + 4, 0x83)
    overwrite('disk', 510, 0x55, 0xaa)
    mkdirSync('folder')
    symlinkSync('loop', 'loop')
    await runOk('mkfifo', ['pipe'])
    for (const [name, text] of Object.entries(PROFILES)) writeFileSync(name, text)
    taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    port = typeof address === 'object' && address !== null ? address.port : 0
    before = traces()
  })

  after(() => {
    process.chdir(home)
    taken.close()
    rmSync(folder, { recursive: true })
  })

  /** When each file was last written: an image is too large to compare. */
  function traces(): Record<string, string> {
    return Object.fromEntries(
      readdirSync('.')
        .filter((name) => name !== 'loop')
        .map((name) => {
          const { mtimeNs, size, blocks } = statSync(name, { bigint: true })
          return [name, `${mtimeNs} ${size} ${blocks}`]
        }),
    )
  }

  async function refuses(program: string, cases: readonly Case[]): Promise<void> {
    const type = async ([words, status, says]: Case): Promise<void> => {
      const typed = words.replace('LONG', 'x'.repeat(150)).replace('TAKEN', String(port))
      const args = typed.split(' ')
      const outcome: Outcome = await run(process.execPath, [join(ROOT, program), ...args], 20_000)
      expect(outcome.stderr, words)
        .to.match(says)
        .and.match(/^(vdo|sim)\w*: [^\n]+\n$/)
      expect([outcome.status, outcome.stdout], words).to.deep.equal([status, ''])
    }
    // What names the volume goes one after the other, for that is open once at a time; the rest beside it.
    const lanes = [true, false].map((named) => cases.filter(([words]) => /\bvolume\b/.test(words) === named))
    await Promise.all(
      lanes.map(async (lane) => {
        for (const one of lane) await type(one)
      }),
    )
    expect(traces()).to.deep.equal(before)
  }

  it('in the verb is told in a line', () => refuses('dist/src/cli/vdo.js', VERBS))
  it('to vdo format leaves everything as it was', () => refuses('dist/src/cli/vdo.js', FORMAT))
  it('to vdo serve leaves everything as it was', () => refuses('dist/src/cli/vdo.js', SERVE))
  it('to the other verbs leaves everything as it was', () => refuses('dist/src/cli/vdo.js', OTHERS))
  it('to the simulator is told in a line', () => refuses('dist/src/cli/sim.js', SIM))

  it('to the historical names is told in their names', async () => {
    const cases: readonly (readonly [string, Case])[] = [
      ['dist/src/cli/vdoformat.js', ['volume', 5, /^vdoformat: Cannot format volume: it holds a VDO volume/]],
      ['dist/src/cli/vdostats.js', ['missing', 7, /^vdostats: Cannot ask missing: it does not exist/]],
    ]
    for (const [program, one] of cases) await refuses(program, [one])
  })

  it('in a command of --run is that command’s own, and the volume is saved', async () => {
    await runOk('cp', ['--sparse=always', 'volume', 'run'])
    const { status, stderr } = await run(
      process.execPath,
      [VDO, 'serve', 'run', '--threads', 'tiny', '--run', '/no/such/program'],
      30_000,
    )
    expect([status, stderr.includes('/no/such/program')]).to.deep.equal([127, true])
    expect((await run(process.execPath, [VDO, 'audit', 'run'])).status).to.equal(0)
    expect(existsSync('run.sock')).to.equal(false)
    rmSync('run')
  })
})

function overwrite(path: string, at: number, ...bytes: number[]): void {
  const descriptor = openSync(path, 'r+')
  writeSync(descriptor, Uint8Array.from(bytes), 0, bytes.length, at)
  closeSync(descriptor)
}
