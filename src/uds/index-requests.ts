/**
 * What an index is asked, and how: a request is a row of a table of columns. Whoever asks fills in kind, name and
 * what is offered, hands the row to the zone of its name, and leaves it alone until the answer comes.
 */

/** What is asked. */
export enum IndexRequest {
  /** Find and refresh; or else enter what is offered. */
  Post = 0,
  /** Enter what is offered, whether the name is known or not. */
  Update = 1,
  /** Forget. */
  Delete = 2,
  /** Find and refresh. */
  Query = 3,
  /** Find; nothing changes. */
  QueryNoUpdate = 4,
}

/** Where a name was found. */
export enum IndexLocation {
  /** Not found. */
  None = 0,
  /** In the chapter that is open. */
  Open = 1,
  /** In a chapter of which all names are indexed. */
  Dense = 2,
  /** In a chapter of which only samples are. */
  Sparse = 3,
  /** The index has failed; nothing was done. */
  Failed = 4,
}

/** Bytes of a name, and of what is kept with it. */
export const DATA_BYTES = 16

/** Rows of requests. The columns may lie in shared memory; a row belongs to the zone that it was handed to. */
export interface RequestTable {
  readonly rows: number
  /** An `IndexRequest` a row. */
  readonly kinds: Uint8Array
  /** 16 bytes a row each: the name, and what is offered with it. */
  readonly names: Uint8Array
  readonly offered: Uint8Array
  /**
   * The answer: an `IndexLocation` a row, and unless that is `None` or `Failed`, 16 bytes of what was known (a
   * deletion may leave them as they are).
   */
  readonly locations: Uint8Array
  readonly known: Uint8Array
}

/** A table in memory of its own. */
export function createRequestTable(rows: number): RequestTable {
  return {
    rows,
    kinds: new Uint8Array(rows),
    names: new Uint8Array(rows * DATA_BYTES),
    offered: new Uint8Array(rows * DATA_BYTES),
    locations: new Uint8Array(rows),
    known: new Uint8Array(rows * DATA_BYTES),
  }
}
