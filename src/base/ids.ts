/**
 * Numbers with kinds. A logical block number, a physical block number and the index of a vio are all numbers,
 * and mixing them up compiles to silence; these brands make it an error. A codec, a placement function or a
 * counter makes them, nothing else casts.
 *
 * Physical blocks stay below 2^36, logical blocks below 2^40 and journal sequences below 2^48, so each is exact
 * in a double.
 */

declare const kind: unique symbol

/** A number of one kind. */
export type Branded<K extends string> = number & { readonly [kind]: K }

/** A logical block number: 4 KiB blocks from the start of the volume as clients see it. */
export type Lbn = Branded<'lbn'>

/** A physical block number: 4 KiB blocks in the address space of the backing store. 0 is the zero block. */
export type Pbn = Branded<'pbn'>

/** The row of a vio in the vio table. Data vios come first, metadata vios after them. */
export type VioIndex = Branded<'vio'>

/** Place of a block in a journal, from 1, never reused. */
export type SequenceNumber = number

/** A shared column: one value of kind `V` for each row of kind `R`. */
export type Column<R extends number, V extends number> = { [row in R]: V }

export const lbn = (n: number): Lbn => n as Lbn
export const pbn = (n: number): Pbn => n as Pbn
export const vioIndex = (n: number): VioIndex => n as VioIndex

/** The zero block: holds no data, reads as zeros, has no counter, slab, zone or lock. */
export const ZERO_BLOCK = 0 as Pbn

/** No vio: ends a list, marks an empty slot. */
export const NO_VIO = -1 as VioIndex
