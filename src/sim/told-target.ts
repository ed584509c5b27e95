/** A target that tells what is asked of it, and how that ends, in words. */
import { isZero } from '../base/bytes.js'
import { Status } from '../base/status.js'
import type { Completion, ExportTarget } from '../engine/export-target.js'

export class ToldTarget implements ExportTarget {
  constructor(
    private readonly target: ExportTarget,
    /** What the next request is called. */
    private readonly name: () => string,
    private readonly tell: (sentence: string) => void,
  ) {}

  forClient(): ExportTarget {
    return new ToldTarget(this.target.forClient(), this.name, this.tell)
  }

  get sizeBytes(): number {
    return this.target.sizeBytes
  }

  read(offset: number, into: Uint8Array, done: Completion): void {
    this.target.read(
      offset,
      into,
      this.told(`reads ${range(offset, into.length)}`, done, () => digest(into)),
    )
  }

  write(offset: number, bytes: Uint8Array, fua: boolean, done: Completion): void {
    const what = `writes ${range(offset, bytes.length)}${promise(fua)}, ${digest(bytes)}`
    this.target.write(offset, bytes, fua, this.told(what, done))
  }

  trim(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.trim(offset, length, fua, this.told(`trims ${range(offset, length)}${promise(fua)}`, done))
  }

  zero(offset: number, length: number, fua: boolean, done: Completion): void {
    this.target.zero(offset, length, fua, this.told(`zeroes ${range(offset, length)}${promise(fua)}`, done))
  }

  flush(done: Completion): void {
    this.target.flush(this.told('flushes', done))
  }

  private told(what: string, done: Completion, found: () => string = () => ''): Completion {
    const name = this.name()
    this.tell(`${name} ${what}`)
    return (status) => {
      const answer = status === Status.Success ? found() : ''
      this.tell(`${name} ends: ${Status[status]}${answer === '' ? '' : `, ${answer}`}`)
      done(status)
    }
  }
}

const BLOCK = 4096

function range(offset: number, length: number): string {
  const first = Math.floor(offset / BLOCK)
  const last = Math.max(first, Math.ceil((offset + length) / BLOCK) - 1)
  const blocks = first === last ? `block ${first}` : `blocks ${first} to ${last}`
  return `${length} bytes at ${offset} (${blocks})`
}

function promise(fua: boolean): string {
  return fua ? ', to be durable at once' : ''
}

/** Equal data have equal words. */
function digest(bytes: Uint8Array): string {
  if (isZero(bytes, 0, bytes.length)) return 'zeros'
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return `data ${(hash >>> 0).toString(16).padStart(8, '0')}`
}
