/** Our NBD server and the clients that people use: libnbd's tools, QEMU, fio, and the kernel's own. */

import { mkdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { freePort, requireTool, run, runOk, type Server, spawnServer, vdo, withTempDir } from '../tools.js'
import { requireGuest, runGuest } from './guest.js'
import { formatOurs } from './images.js'
import { auditOk, countDataBlocks, requireRealTools } from './real-tools.js'

const KIB = 2 ** 10
const MIB = 2 ** 20
const GIB = 2 ** 30

const LOGICAL = GIB

interface Served {
  readonly image: string
  readonly folder: string
  readonly socket: string
  readonly uri: string
  readonly server: Server
}

/** A new volume behind a Unix socket; afterwards it is closed and the real audit must find nothing. */
async function withServed(body: (served: Served) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const image = await formatOurs(join(folder, 'volume.raw'))
    const socket = join(folder, 's.sock')
    const uri = `nbd+unix:///?socket=${socket}`
    const server = await spawnServer(image, uri)
    try {
      await body({ image, folder, socket, uri, server })
      await server.stop()
    } finally {
      await server.kill()
    }
    await auditOk(image)
  })
}

interface Statistics {
  readonly dataBlocksUsed: number
  readonly logicalBlocksUsed: number
}

/** What the running server counts. */
async function liveStatistics(image: string): Promise<Statistics> {
  const { status, stdout, stderr } = await vdo(['stats', image, '--json'])
  if (status !== 0) throw new Error(`Asking for statistics: exit status is ${status}\n${stdout}${stderr}`)
  return JSON.parse(stdout) as Statistics
}

/** Arguments as one types them. */
function words(text: TemplateStringsArray): string[] {
  return (text[0] ?? '').split(' ')
}

/** An image of this length made of the files of this machine. */
async function realFiles(folder: string, length: number): Promise<string> {
  const image = join(folder, 'files.img')
  await run('sh', [
    '-c',
    `tar -cf - -C / usr/lib usr/bin usr/share 2>/dev/null | head -c ${length} > "$0"`,
    image,
  ])
  expect((await stat(image)).size, 'bytes of files under /usr').to.be.above(length / 4)
  await truncate(image, length)
  return image
}

describe('NBD clients', function () {
  this.timeout(300_000)

  before(function () {
    requireRealTools(this)
  })

  it('nbdinfo sees what is served', async function () {
    requireTool(this, 'nbdinfo')
    await withServed(async ({ uri }) => {
      const info = JSON.parse(await runOk('nbdinfo', ['--json', uri])) as {
        readonly structured: boolean
        readonly exports: readonly Readonly<Record<string, unknown>>[]
      }
      expect(info.structured).to.equal(true)
      expect(info.exports).to.have.lengthOf(1)
      expect(info.exports[0]).to.include({
        'export-size': LOGICAL,
        is_read_only: false,
        can_flush: true,
        can_fua: true,
        can_trim: true,
        can_zero: true,
        can_fast_zero: true,
        can_multi_conn: true,
      })
      for (const can of ['flush', 'fua', 'trim', 'zero', 'multi-conn']) {
        expect((await run('nbdinfo', ['--can', can, uri])).status, can).to.equal(0)
      }
      expect(await runOk('nbdinfo', ['--list', uri])).to.include('export=')
      expect((await runOk('nbdinfo', ['--size', uri])).trim()).to.equal(String(LOGICAL))
    })
  })

  it('nbdcopy takes 512 MiB of real files there and back; a second copy costs no blocks', async function () {
    requireTool(this, 'nbdcopy', 'qemu-img', 'qemu-io', 'tar', 'cmp')
    await withServed(async ({ image, folder, socket, uri }) => {
      const half = LOGICAL / 2
      const files = await realFiles(folder, half)
      await runOk('nbdcopy', ['--connections=4', '--requests=64', '--flush', files, uri])
      const once = await liveStatistics(image)
      const at = `driver=raw,offset=${half},size=${half},file.driver=nbd,file.server.type=unix,file.server.path=${socket}`
      await runOk('qemu-img', [
        'convert',
        '-n',
        '-W',
        '-m',
        '8',
        '-f',
        'raw',
        '--target-image-opts',
        files,
        at,
      ])
      await runOk('qemu-io', ['-f', 'raw', '-c', 'flush', uri])
      const twice = await liveStatistics(image)
      expect(once.dataBlocksUsed).to.be.above(10_000)
      expect(twice.dataBlocksUsed - once.dataBlocksUsed).to.equal(0)
      expect(twice.logicalBlocksUsed).to.equal(2 * once.logicalBlocksUsed)

      const back = join(folder, 'back.img')
      await runOk('nbdcopy', ['--connections=2', uri, back])
      expect((await stat(back)).size).to.equal(LOGICAL)
      await runOk('cmp', ['-n', String(half), files, back])
      await runOk('cmp', ['-n', String(half), '-i', `0:${half}`, files, back])
    })
  })

  it('qemu-io writes, zeroes and discards at every alignment, and finds it after a restart', async function () {
    requireTool(this, 'qemu-io')
    await withServed(async ({ image, folder, uri, server }) => {
      const { writes, reads } = alignmentPatterns()
      await qemuIo(uri, writes)
      await qemuIo(uri, reads)
      await server.stop()
      await auditOk(image)
      await mkdir(join(folder, 'again'))
      const again = await spawnServer(image, `nbd+unix:///?socket=${join(folder, 'again/s.sock')}`)
      try {
        await qemuIo(again.uri, reads)
        await again.stop()
      } finally {
        await again.kill()
      }
    })
  })

  it('qemu-img copies through its own cache and compares', async function () {
    requireTool(this, 'qemu-img', 'tar')
    await withServed(async ({ folder, uri }) => {
      const files = await realFiles(folder, 64 * MIB)
      await truncate(files, LOGICAL)
      await runOk('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', files, uri])
      await runOk('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', files, uri])
      await runOk('qemu-img', [...words`bench -w -f raw -c 4000 -d 16 -s 4k --flush-interval=500`, uri])
    })
  })

  for (const [title, options] of [
    ['4 KiB at random', words`--rw=randwrite --bs=4k --size=192m --verify=crc32c`],
    [
      'any length at any byte',
      words`--rw=randwrite --bsrange=1024-70000 --bs_unaligned --size=64m --verify=crc32c`,
    ],
    ['compressible data', words`--rw=write --bs=64k --size=192m --verify=pattern --verify_pattern=%o`],
    ['trims among writes', words`--rw=randtrimwrite --bs=8k --size=64m`],
  ] as const) {
    it(`fio verifies at depth 64: ${title}`, async function () {
      requireTool(this, 'fio')
      await withServed(async ({ folder, uri }) => {
        const how = words`--name=judge --ioengine=nbd --iodepth=64 --randseed=7 --verify_fatal=1 --end_fsync=1`
        await runOk('fio', [...how, ...options, `--uri=${uri}`, `--aux-path=${folder}`])
      })
    })
  }

  it('many clients at once keep to their own ranges', async function () {
    requireTool(this, 'fio')
    await withServed(async ({ folder, uri }) => {
      const how = words`--name=many --ioengine=nbd --iodepth=16 --numjobs=4 --thread --verify_fatal=1`
      const what = words`--rw=randwrite --bs=4k --size=32m --offset_increment=64m --verify=crc32c`
      await runOk('fio', [...how, ...what, `--uri=${uri}`, `--aux-path=${folder}`])
    })
  })

  it('the kernel’s client carries ext4: written, unmounted, checked, mounted, compared', async function () {
    requireGuest(this)
    await withTempDir(async (folder) => {
      const image = await formatOurs(join(folder, 'volume.raw'))
      const port = await freePort()
      const server = await spawnServer(image, `nbd://127.0.0.1:${port}`)
      try {
        const output = await runGuest({ script: ext4Script(port) })
        expect(output).to.include('=== same files')
        await server.stop()
      } finally {
        await server.kill()
      }
      await auditOk(image)
      expect(await countDataBlocks(image)).to.be.above(4096)
    })
  })
})

/** Two trees of equal files, so that blocks are shared, noise, removal with discards; checked after each mount. */
function ext4Script(port: number): string {
  return `
    sums_of_files() { (cd /mnt && find . -type f -exec sha256sum {} + | sort); }
    nbd_attach ${port}
    [ "$(blockdev --getsize64 /dev/nbd0)" = ${LOGICAL} ]
    mkfs.ext4 -q /dev/nbd0
    mount -t ext4 -o discard /dev/nbd0 /mnt
    mkdir /mnt/one /mnt/two
    cp -r /usr/bin /lib /mnt/one
    cp -r /usr/bin /lib /mnt/two
    dd if=/dev/urandom of=/mnt/noise bs=1M count=16 2>/dev/null
    sums_of_files > /tmp/before
    umount /mnt
    e2fsck -fn /dev/nbd0
    mount -t ext4 -o discard /dev/nbd0 /mnt
    sums_of_files > /tmp/after
    cmp /tmp/before /tmp/after
    rm -r /mnt/one
    grep -v ./one/ /tmp/before > /tmp/left
    umount /mnt
    e2fsck -fn /dev/nbd0
    nbd_detach
    nbd_attach ${port}
    mount -t ext4 /dev/nbd0 /mnt
    sums_of_files > /tmp/after
    cmp /tmp/left /tmp/after
    umount /mnt
    e2fsck -fn /dev/nbd0
    nbd_detach
    echo "=== same files"`
}

/** Where a request begins and how long it is, around the edges of sectors, blocks and pages of the map. */
const SHIFTS = [0, 1, 511, 512, 1000, 4095]
const LENGTHS = [1, 511, 512, 513, 4095, 4096, 4097, 8192, 12_289, 65_535]

/** Room for one case: its range with untouched background on both sides. */
const AREA = 128 * KIB

interface Patterns {
  readonly writes: readonly string[]
  readonly reads: readonly string[]
}

function alignmentPatterns(): Patterns {
  const writes: string[] = []
  const reads: string[] = []
  let area = 0
  const background = 0xee
  for (const shift of SHIFTS) {
    for (const length of LENGTHS) {
      for (const how of ['write', 'write -f', 'zero', 'discard']) {
        const base = area++ * AREA
        const at = base + 8 * KIB + shift
        const end = at + length
        const pattern = (area % 200) + 1
        writes.push(`write -P ${background} ${base} ${AREA}`)
        reads.push(`read -P ${background} ${base} ${at - base}`)
        reads.push(`read -P ${background} ${end} ${base + AREA - end}`)
        if (how === 'zero') {
          writes.push(`write -z ${at} ${length}`)
          reads.push(`read -P 0 ${at} ${length}`)
        } else if (how === 'discard') {
          writes.push(`discard ${at} ${length}`)
          // Whole blocks read as zeros; of the edges only the outside is promised.
          const first = Math.ceil(at / 4096) * 4096
          const whole = Math.floor(end / 4096) * 4096 - first
          if (whole > 0) reads.push(`read -P 0 ${first} ${whole}`)
        } else {
          writes.push(`${how} -P ${pattern} ${at} ${length}`)
          reads.push(`read -P ${pattern} ${at} ${length}`)
        }
      }
    }
  }
  return { writes: [...writes, 'flush'], reads }
}

async function qemuIo(uri: string, commands: readonly string[]): Promise<void> {
  const output = await runOk('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri])
  expect(output).to.not.match(/failed/i)
}
