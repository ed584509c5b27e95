/**
 * Doubly linked lists of rows in two columns: for least-recently-used orders, dirty lists and the like, where an
 * entry leaves from the middle. An entry is on one list of its set at most.
 *
 * Each list is a ring through a sentinel, which is a row after the last entry; an entry on no list is a ring of
 * one. Memory is the set's own; one zone owns it.
 */
import { assert } from './assert.js'

/** What `first` and `next` give at the end of a list. */
export const NO_ENTRY = -1

export class IntrusiveLists {
  private readonly nexts: Int32Array
  private readonly previous: Int32Array

  /** `entryCount` entries on no list, and `listCount` empty lists. */
  constructor(
    private readonly entryCount: number,
    listCount: number,
  ) {
    const rows = entryCount + listCount
    this.nexts = new Int32Array(rows)
    this.previous = new Int32Array(rows)
    for (let row = 0; row < rows; row++) {
      this.nexts[row] = row
      this.previous[row] = row
    }
  }

  isEmpty(list: number): boolean {
    const sentinel = this.entryCount + list
    return this.nexts[sentinel] === sentinel
  }

  /** Whether the entry is on some list. */
  isLinked(entry: number): boolean {
    return this.nexts[entry] !== entry
  }

  /** The entry at the head, or `NO_ENTRY`. */
  first(list: number): number {
    const entry = this.nexts[this.entryCount + list]!
    return entry < this.entryCount ? entry : NO_ENTRY
  }

  /** The entry after a linked one, or `NO_ENTRY`. */
  next(entry: number): number {
    const after = this.nexts[entry]!
    assert(after !== entry, 'only a linked entry has one after it')
    return after < this.entryCount ? after : NO_ENTRY
  }

  /** Puts an entry that is on no list at the tail. */
  append(list: number, entry: number): void {
    assert(entry >= 0 && entry < this.entryCount, 'the entry is one of the set')
    assert(this.nexts[entry] === entry, 'an entry is on one list at most')
    const sentinel = this.entryCount + list
    const tail = this.previous[sentinel]!
    this.nexts[tail] = entry
    this.previous[entry] = tail
    this.nexts[entry] = sentinel
    this.previous[sentinel] = entry
  }

  /** Takes an entry off the list that it is on; nothing happens if it is on none. */
  remove(entry: number): void {
    assert(entry >= 0 && entry < this.entryCount, 'the entry is one of the set')
    const after = this.nexts[entry]!
    const before = this.previous[entry]!
    this.nexts[before] = after
    this.previous[after] = before
    this.nexts[entry] = entry
    this.previous[entry] = entry
  }

  /** Takes the entry at the head off the list, or gives `NO_ENTRY`. */
  shift(list: number): number {
    const entry = this.first(list)
    if (entry !== NO_ENTRY) this.remove(entry)
    return entry
  }

  /** Puts an entry at the tail of `list`, wherever it was. */
  moveToTail(list: number, entry: number): void {
    this.remove(entry)
    this.append(list, entry)
  }

  /** Moves all of `from`, in order, behind the tail of `to`. */
  transferAll(from: number, to: number): void {
    assert(from !== to, 'a list is not moved onto itself')
    if (this.isEmpty(from)) return
    const source = this.entryCount + from
    const target = this.entryCount + to
    const head = this.nexts[source]!
    const tail = this.previous[source]!
    const end = this.previous[target]!
    this.nexts[end] = head
    this.previous[head] = end
    this.nexts[tail] = target
    this.previous[target] = tail
    this.nexts[source] = source
    this.previous[source] = source
  }
}
