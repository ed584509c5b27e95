/**
 * Names that one process of the machine has at a time: on Linux a listening socket in the abstract namespace. The
 * kernel knows no two of one name, and forgets it with the process, however that ends, so nothing stale can be left
 * behind. Names hold within one network namespace of one machine. Where there are no such sockets everybody gets the
 * name, and nobody has it.
 */
import { connect, createServer } from 'node:net'

/** An abstract name is as long as the address has room for, so that no version of Node pads or cuts it. */
const NAME_BYTES = 108
/** How long whoever has a name may take to say its number. */
const ASK_MS = 1000
/** What is met where somebody listens: it has no room for one more who asks, or ends while it is asked. */
const BUSY: ReadonlySet<string> = new Set(['EAGAIN', 'ECONNRESET', 'EPIPE'])

/** Takes the name; gives the function that lets it go, or null if another has it. */
export function takeName(name: string): Promise<(() => void) | null> {
  if (process.platform !== 'linux') return Promise.resolve(() => {})
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.unref().resume().end(`${process.pid}\n`)
    })
    server.unref()
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'EADDRINUSE' ? null : () => {})
    })
    server.listen({ path: addressOf(name), exclusive: true }, () => resolve(() => void server.close()))
  })
}

/** Who has the name, with the number of its process unless it is too busy to say or another program; null: nobody. */
export function holderOf(name: string): Promise<string | null> {
  if (process.platform !== 'linux') return Promise.resolve(null)
  return new Promise((resolve) => {
    const socket = connect({ path: addressOf(name) })
    const tell = (holder: string | null): void => {
      socket.destroy()
      resolve(holder)
    }
    const held = 'another process'
    socket.setTimeout(ASK_MS, () => tell(held))
    socket.once('data', (bytes) => {
      const text = bytes.toString('latin1')
      tell(/^\d{1,10}\n$/.test(text) ? `${held} (pid ${text.trim()})` : held)
    })
    socket.once('end', () => tell(held))
    socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => tell(BUSY.has(code) ? held : null))
  })
}

function addressOf(name: string): string {
  return `\0${name}`.padEnd(NAME_BYTES, '-')
}
