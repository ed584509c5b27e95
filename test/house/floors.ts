/**
 * The floors of the house as data: for each folder the floor it is on and what it may import. Requests go down
 * the stairs, completions come back up, imports only go down; rooms of one floor are strangers.
 */

export interface Folder {
  readonly path: string
  readonly floor: number
  /** Folders (`src/base/`) and single files (`src/format/constants.ts`) of ours. Its own files always may. */
  readonly mayImport: readonly string[]
}

const FLOOR_0 = ['src/base/']
const FLOOR_1 = [...FLOOR_0, 'src/format/', 'src/vio/', 'src/reactor/', 'src/device/']
const FLOOR_2 = [...FLOOR_1, 'src/zones/', 'src/uds/']
const FLOOR_3 = [...FLOOR_2, 'src/repair/', 'src/engine/']

const ROOMS = ['logical', 'physical', 'hash', 'journal', 'packer', 'cpu', 'flush', 'bio', 'admin', 'index']

export const FOLDERS: readonly Folder[] = [
  { path: 'src/base/', floor: 0, mayImport: [] },
  { path: 'src/format/', floor: 1, mayImport: FLOOR_0 },
  {
    path: 'src/vio/',
    floor: 1,
    mayImport: [
      ...FLOOR_0,
      'src/format/constants.ts',
      // Which zone of the index a name belongs to follows from the sizes of the index.
      'src/format/index-memory.ts',
      'src/format/index-region.ts',
      'src/format/record-name.ts',
      // A vio's context names how a zone sends, which is a contract of the reactor and no more than a type.
      'src/reactor/zone.ts',
    ],
  },
  { path: 'src/reactor/', floor: 1, mayImport: FLOOR_0 },
  { path: 'src/device/', floor: 1, mayImport: FLOOR_0 },
  ...ROOMS.map((room) => ({ path: `src/zones/${room}/`, floor: 2, mayImport: FLOOR_1 })),
  { path: 'src/uds/', floor: 2, mayImport: FLOOR_1 },
  { path: 'src/repair/', floor: 3, mayImport: FLOOR_2 },
  { path: 'src/engine/', floor: 3, mayImport: [...FLOOR_2, 'src/repair/'] },
  { path: 'src/host/', floor: 4, mayImport: FLOOR_3 },
  { path: 'src/sim/', floor: 4, mayImport: FLOOR_3 },
  { path: 'src/server/', floor: 4, mayImport: FLOOR_3 },
  { path: 'src/observe/', floor: 4, mayImport: FLOOR_3 },
  { path: 'src/cli/', floor: 5, mayImport: ['src/', 'workers/'] },
  { path: 'workers/', floor: 5, mayImport: ['src/'] },
]

/** The folder that a file lives in, or undefined if it lives nowhere. */
export function folderOf(path: string): Folder | undefined {
  return FOLDERS.find((folder) => path.startsWith(folder.path))
}
