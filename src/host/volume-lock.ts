/**
 * One opener at a time for a backing store: two engines over one volume would destroy it.
 *
 * Within the process a set of what is open. Between processes, on Linux, a listening socket in the abstract
 * namespace, named after the file's device and inode: the machine knows no two of one name, and forgets it with the
 * process, however that ends, so nothing stale can be left behind. It holds within one network namespace of one
 * machine; elsewhere, and for a file that two machines share, only the user can see to it. A block device is opened
 * exclusively besides (backing-file.ts).
 */
import { type BigIntStats, statSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { VdoError } from '../base/errors.js'
import { fileError } from './system-reason.js'

/** What the process has open: names of files, and memory by itself. */
const open = new Set<unknown>()

/** An abstract name is as long as the address has room for, so that no version of Node pads or cuts it. */
const NAME_BYTES = 108
/** How long a process that has the store may take to say its number. */
const ASK_MS = 1000

/** Takes the store for the caller, or throws VDO_IN_USE with what was wanted of it (`action`); gives the function that lets it go. */
export async function lockStore(
  device: string | readonly SharedArrayBuffer[],
  action = 'Cannot use',
): Promise<() => void> {
  const inUse = (where: string): VdoError =>
    new VdoError(
      'VDO_IN_USE',
      `${action} ${typeof device === 'string' ? device : 'this memory'}: it is open ${where}`,
    )
  if (typeof device !== 'string') return takeHere(device[0], inUse)
  const stat = statStore(device)
  // What is not there cannot be open; whoever opens it next says what is wrong.
  if (stat === undefined) return () => {}
  const name = nameOf(stat)
  const release = takeHere(name, inUse)
  if (process.platform !== 'linux') return release
  let server: Server | null
  try {
    server = await listen(name)
  } catch {
    release()
    const pid = await askHolder(name)
    throw inUse(pid === null ? 'in another process' : `in another process (pid ${pid})`)
  }
  return () => {
    server?.close()
    release()
  }
}

function statStore(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    throw fileError('Cannot open backing store', path, error)
  }
}

function takeHere(what: unknown, inUse: (where: string) => VdoError): () => void {
  if (open.has(what)) throw inUse('in this process')
  open.add(what)
  return () => {
    open.delete(what)
  }
}

/** The same for every path that leads to the file or block device. */
function nameOf(stat: BigIntStats): string {
  return stat.isBlockDevice() ? `uvdo-device-${stat.rdev}` : `uvdo-file-${stat.dev}-${stat.ino}`
}

/** Throws if the name is taken; null where such sockets cannot be had. */
function listen(name: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.unref().resume().end(`${process.pid}\n`)
    })
    server.unref()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(error)
      else resolve(null)
    })
    server.listen({ path: addressOf(name), exclusive: true }, () => resolve(server))
  })
}

function addressOf(name: string): string {
  return `\0${name}`.padEnd(NAME_BYTES, '-')
}

/** The number of the process that has the name, or null: it may be too busy to say, or another program. */
function askHolder(name: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ path: addressOf(name) })
    const tell = (text: string): void => {
      socket.destroy()
      resolve(/^\d{1,10}\n$/.test(text) ? text.trim() : null)
    }
    socket.setTimeout(ASK_MS, () => tell(''))
    socket.once('data', (bytes) => tell(bytes.toString('latin1')))
    socket.once('error', () => tell(''))
    socket.once('end', () => tell(''))
  })
}
