import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { findSignatures } from '../../src/host/signatures.js'
import { findProgram, requireTool, runOk, withTempDir } from '../tools.js'

const MIB = 2 ** 20

function scan(bytes: Uint8Array): string[] {
  return findSignatures((at, size) => {
    const found = new Uint8Array(size)
    if (at >= 0) found.set(bytes.subarray(at, at + size))
    return found
  }, bytes.length)
}

function scanFile(path: string): string[] {
  const descriptor = openSync(path, 'r')
  try {
    return findSignatures((at, size) => {
      const found = new Uint8Array(size)
      readSync(descriptor, found, 0, size, at)
      return found
    }, statSync(path).size)
  } finally {
    closeSync(descriptor)
  }
}

describe('signatures on a device', () => {
  it('are found where each program puts its mark', () => {
    const cases: [string, number, string | number[]][] = [
      ['a VDO volume', 0, 'dmvdo001'],
      ['an XFS file system', 0, 'XFSB'],
      ['a Btrfs file system', 0x10040, '_BHRfS_M'],
      ['an LVM physical volume', 512, 'LABELONE'],
      ['an encrypted LUKS device', 0, 'LUKS\xba\xbe'],
      ['an ISO 9660 file system', 0x8001, 'CD001'],
      ['a swap area', 65526, 'SWAPSPACE2'],
      ['a GUID partition table', 512, 'EFI PART'],
      ['a backup GUID partition table', MIB - 512, 'EFI PART'],
      ['a member of a software RAID', 4096, [0xfc, 0x4e, 0x2b, 0xa9]],
      ['a member of a software RAID', MIB - 65536, [0xfc, 0x4e, 0x2b, 0xa9]],
      ['a member of a software RAID', MIB - 8192, [0xfc, 0x4e, 0x2b, 0xa9]],
      ['a boot sector', 510, [0x55, 0xaa]],
    ]
    for (const [name, at, mark] of cases) {
      const bytes = new Uint8Array(MIB)
      bytes.set(typeof mark === 'string' ? Buffer.from(mark, 'latin1') : mark, at)
      expect(scan(bytes), name).to.deep.equal([name])
    }
  })

  it('are not found in zeros, noise, or less than a block', () => {
    expect(scan(new Uint8Array(MIB))).to.deep.equal([])
    expect(scan(new Uint8Array(MIB).fill(0x5a))).to.deep.equal([])
    expect(scan(new Uint8Array(0))).to.deep.equal([])
    expect(scan(new Uint8Array(100).fill(1))).to.deep.equal([])
  })

  it('tell a partition table from a file system that can be started', () => {
    const bytes = new Uint8Array(MIB)
    bytes.set([0x55, 0xaa], 510)
    bytes[450] = 0x83
    expect(scan(bytes)).to.deep.equal(['a partition table'])
    bytes.set(Buffer.from('FAT32   '), 82)
    expect(scan(bytes)).to.deep.equal(['a FAT file system'])
  })

  for (const [program, args, name] of [
    ['mkfs.ext4', ['-q', '-F'], 'an ext2, ext3 or ext4 file system'],
    ['mkswap', [], 'a swap area'],
    ['mkfs.xfs', ['-q'], 'an XFS file system'],
    ['mkfs.btrfs', ['-q'], 'a Btrfs file system'],
  ] as const) {
    it(`are found after ${program}`, async function () {
      requireTool(this, program)
      await withTempDir(async (folder) => {
        const path = join(folder, 'device')
        writeFileSync(path, '')
        truncateSync(path, 400 * MIB)
        await runOk(findProgram(program)!, [...args, path])
        expect(scanFile(path)).to.deep.equal([name])
      })
    })
  }
})
