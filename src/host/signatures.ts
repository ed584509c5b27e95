/**
 * What is on a device already: the marks by which file systems, volume managers and partition tables are known.
 * A formatter looks for them before it overwrites somebody's data. Knowing a mark proves nothing; missing one
 * loses data: the list errs on the side of finding.
 */

interface Mark {
  readonly name: string
  /** From the start of the device, or from its end when negative. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** Reads `size` bytes from `at`; what lies beyond the end of the device is zeros. */
export type ReadDevice = (at: number, size: number) => Uint8Array

const KIB = 1024

const MARKS: readonly Mark[] = [
  mark('a VDO volume', 0, 'dmvdo001'),
  mark('an ext2, ext3 or ext4 file system', KIB + 56, [0x53, 0xef]),
  mark('an XFS file system', 0, 'XFSB'),
  mark('a Btrfs file system', 64 * KIB + 64, '_BHRfS_M'),
  mark(
    'a bcachefs or bcache device',
    4 * KIB + 24,
    [0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81],
  ),
  mark(
    'a bcachefs file system',
    4 * KIB + 24,
    [0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef],
  ),
  mark('an F2FS file system', KIB, [0x10, 0x20, 0xf5, 0xf2]),
  mark('an EROFS file system', KIB, [0xe2, 0xe1, 0xf5, 0xe0]),
  mark('a NILFS2 file system', KIB + 6, [0x34, 0x34]),
  mark('an HFS+ file system', KIB, 'H+\0\x04'),
  mark('an HFSX file system', KIB, 'HX\0\x05'),
  mark('a ReiserFS file system', 64 * KIB + 52, 'ReIsEr'),
  mark('a JFS file system', 32 * KIB, 'JFS1'),
  mark('a SquashFS file system', 0, 'hsqs'),
  mark('an NTFS file system', 3, 'NTFS    '),
  mark('an exFAT file system', 3, 'EXFAT   '),
  mark('a FAT file system', 54, 'FAT1'),
  mark('a FAT file system', 82, 'FAT32'),
  mark('an ISO 9660 file system', 32 * KIB + 1, 'CD001'),
  mark('a UDF file system', 32 * KIB + 1, 'BEA01'),
  mark('a UDF file system', 34 * KIB + 1, 'NSR0'),
  mark('a ZFS device', 128 * KIB, [0x0c, 0xb1, 0xba, 0x00]),
  mark('a ZFS device', 132 * KIB, [0x0c, 0xb1, 0xba, 0x00]),
  mark('a ZFS device', 136 * KIB, [0x0c, 0xb1, 0xba, 0x00]),
  ...[4, 8, 16, 64].flatMap((page) => [
    mark('a swap area', page * KIB - 10, 'SWAPSPACE2'),
    mark('a swap area', page * KIB - 10, 'SWAP-SPACE'),
  ]),
  ...[0, 512, 1024, 1536].map((sector) => mark('an LVM physical volume', sector, 'LABELONE')),
  mark('an encrypted LUKS device', 0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]),
  mark('an encrypted LUKS device', 16 * KIB, [0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe]),
  mark('a member of a software RAID', 0, [0xfc, 0x4e, 0x2b, 0xa9]),
  mark('a member of a software RAID', 4 * KIB, [0xfc, 0x4e, 0x2b, 0xa9]),
  mark('a qcow2 disk image', 0, [0x51, 0x46, 0x49, 0xfb]),
  mark('a GUID partition table', 512, 'EFI PART'),
  mark('a GUID partition table', 4096, 'EFI PART'),
  mark('a backup GUID partition table', -512, 'EFI PART'),
  mark('a backup GUID partition table', -4096, 'EFI PART'),
]

const HEAD_SIZE = 256 * KIB
const BOOT_MARK_AT = 510
const PARTITION_TABLE_AT = 446
const PARTITION_ENTRY_SIZE = 16
const PARTITION_TYPE_AT = 4
/** Software RAID of the first kind lies in the last 64 KiB of the device that is a whole multiple of 64 KiB. */
const OLD_RAID_UNIT = 64 * KIB

/** Names of everything recognised on a device of `size` bytes, each once. */
export function findSignatures(read: ReadDevice, size: number): string[] {
  const head = read(0, HEAD_SIZE)
  const found = new Set<string>()
  for (const { name, at, bytes } of MARKS) {
    if (at >= 0 ? startsWith(head, at, bytes) : startsWith(read(size + at, bytes.length), 0, bytes))
      found.add(name)
  }
  const raidMark = Uint8Array.of(0xfc, 0x4e, 0x2b, 0xa9)
  const newRaidAt = Math.floor((size - 8 * KIB) / (4 * KIB)) * 4 * KIB
  const oldRaidAt = Math.floor(size / OLD_RAID_UNIT) * OLD_RAID_UNIT - OLD_RAID_UNIT
  for (const at of [newRaidAt, oldRaidAt]) {
    if (at > 0 && startsWith(read(at, 4), 0, raidMark)) found.add('a member of a software RAID')
  }
  // Last, since boot sectors of file systems look like it.
  if (found.size === 0 && head[BOOT_MARK_AT] === 0x55 && head[BOOT_MARK_AT + 1] === 0xaa) {
    found.add(hasPartition(head) ? 'a partition table' : 'a boot sector')
  }
  return [...found]
}

function hasPartition(head: Uint8Array): boolean {
  for (let entry = 0; entry < 4; entry++) {
    if (head[PARTITION_TABLE_AT + entry * PARTITION_ENTRY_SIZE + PARTITION_TYPE_AT] !== 0) return true
  }
  return false
}

function startsWith(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, index) => bytes[at + index] === byte)
}

function mark(name: string, at: number, bytes: string | readonly number[]): Mark {
  return {
    name,
    at,
    bytes: Uint8Array.from(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
  }
}
