/** Commands for the person at the terminal, to be copied as they stand. */

import { basename, relative } from 'node:path'
import { parseNbdUri } from '../server/nbd/uri.js'

/** Commands that work as they stand, for whoever has the programs. */
export function suggestions(file: string, uri: string): string[] {
  const quoted = shellQuoted(uri)
  return [
    `nbdinfo ${quoted}`,
    `nbdcopy some.img ${quoted}`,
    `qemu-img convert -n -O raw some.img ${quoted}`,
    `fio --name=v --ioengine=nbd --uri=${quoted} --rw=randwrite --bs=4k --iodepth=64 --size=256m --verify=crc32c`,
    `sudo nbd-client ${nbdClientPlace(uri)} /dev/nbd0 -b 4096 && sudo mkfs.ext4 /dev/nbd0`,
    thisProgram('stats', file),
  ]
}

/** Quoted only if it must be. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : shellQuoted(text)
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** How the person at the terminal can start a verb of this program, which may not be on the path. */
export function thisProgram(verb: string, file: string): string {
  return `${nameOfThisProgram()} ${verb} ${shellWord(file)}`
}

function nameOfThisProgram(): string {
  const path = process.argv[1] ?? ''
  if (basename(path) !== 'vdo.js') return 'vdo'
  const fromHere = relative(process.cwd(), path)
  return `node ${shellWord(fromHere.startsWith('..') ? path : fromHere)}`
}

function nbdClientPlace(uri: string): string {
  const address = parseNbdUri(uri)
  const name = address.name === '' ? '' : ` -N ${shellQuoted(address.name)}`
  return (
    (address.kind === 'unix' ? `-unix ${shellQuoted(address.path)}` : `${address.host} ${address.port}`) +
    name
  )
}
