/**
 * Who may open a backing store beside whom: one alone, for two engines over one volume would destroy it, or several
 * that only read.
 *
 * Within the process a count for each store. Between processes names (machine-name.ts) after the file's device and
 * inode: one for whoever has the store alone, a few for readers. Everybody takes a name of the own kind first and looks
 * at those of the other kind then, so that of two who come at once at least one sees the other.
 *
 * Of other machines, network namespaces and a loop device over the file nothing is known; there only the user can see
 * to it. A block device is opened exclusively besides (backing-file.ts).
 */
import { type BigIntStats, statSync } from 'node:fs'
import { VdoError } from '../base/errors.js'
import { holderOf, takeName } from './machine-name.js'
import { fileError } from './system-reason.js'

type Device = string | readonly SharedArrayBuffer[]

/** What the process has open, files by name and memory by itself: ALONE, or how often it reads it. */
const open = new Map<unknown, number>()
const ALONE = -1

/** How many may read a store at a time. */
const READERS = 8

/** Takes the store for the caller, or throws VDO_IN_USE with what was wanted of it (`action`); gives the function that lets it go. */
export function lockStore(device: Device, action = 'Cannot use'): Promise<() => void> {
  return lock(device, action, true)
}

/** As `lockStore`, beside others that only read. */
export function lockForReading(device: Device, action: string): Promise<() => void> {
  return lock(device, action, false)
}

async function lock(device: Device, action: string, alone: boolean): Promise<() => void> {
  const inUse = (where: string): VdoError =>
    new VdoError(
      'VDO_IN_USE',
      `${action} ${typeof device === 'string' ? device : 'this memory'}: it is open in ${where}`,
    )
  if (typeof device !== 'string') return takeHere(device[0], alone, inUse)
  const stat = statStore(device)
  // What is not there cannot be open; whoever opens it next says what is wrong.
  if (stat === undefined) return () => {}
  const store = nameOf(stat)
  const release = takeHere(store, alone, inUse)
  const readers = Array.from({ length: READERS }, (_, i) => `${store}-reader-${i}`)
  const [own, others] = alone ? [[store], readers] : [readers, [store]]
  const letGo = await takeOne(own)
  const holder = await firstHolder(letGo === null ? own : others)
  if (letGo !== null && holder === null) {
    return () => {
      letGo()
      release()
    }
  }
  letGo?.()
  release()
  throw inUse(holder ?? 'another process')
}

function statStore(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    throw fileError('Cannot open backing store', path, error)
  }
}

function takeHere(what: unknown, alone: boolean, inUse: (where: string) => VdoError): () => void {
  const count = open.get(what) ?? 0
  if (alone ? count !== 0 : count === ALONE) throw inUse('this process')
  open.set(what, alone ? ALONE : count + 1)
  return () => {
    const left = alone ? 0 : (open.get(what) ?? 0) - 1
    if (left === 0) open.delete(what)
    else open.set(what, left)
  }
}

/** The same for every path that leads to the file or block device. */
function nameOf(stat: BigIntStats): string {
  return stat.isBlockDevice() ? `uvdo-device-${stat.rdev}` : `uvdo-file-${stat.dev}-${stat.ino}`
}

/** Takes the first of the names that is free; null if none is. */
async function takeOne(names: readonly string[]): Promise<(() => void) | null> {
  for (const name of names) {
    const letGo = await takeName(name)
    if (letGo !== null) return letGo
  }
  return null
}

async function firstHolder(names: readonly string[]): Promise<string | null> {
  const holders = await Promise.all(names.map(holderOf))
  return holders.find((holder) => holder !== null) ?? null
}
