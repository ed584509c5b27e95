/**
 * Moving bits within one array, 32 at a time: what a delta list spends its time on when it grows or shrinks.
 *
 * The array behind a view has four readable bytes behind the last bit of either range. No bit outside the target
 * range changes.
 */

/** Moves `count` bits; the ranges may overlap. A place is a byte, and bits from there. */
export function moveBits(
  view: DataView,
  toByte: number,
  toBit: number,
  fromByte: number,
  fromBit: number,
  count: number,
): void {
  if (count <= 0) return
  const to = toByte + (toBit >>> 3)
  const from = fromByte + (fromBit >>> 3)
  if (to < from || (to === from && (toBit & 7) < (fromBit & 7))) {
    moveDown(view, to, toBit & 7, from, fromBit & 7, count)
  } else moveUp(view, to, toBit & 7, from, fromBit & 7, count)
}

/** Towards lower addresses, from the low end: whole words once the target is at the start of a byte. */
function moveDown(
  view: DataView,
  toByte: number,
  toBit: number,
  fromByte: number,
  fromBit: number,
  count: number,
): void {
  let to = toByte
  let from = fromByte
  let shift = fromBit
  let left = count
  if (toBit !== 0) {
    const first = Math.min(8 - toBit, left)
    put(view, to, toBit, first, take(view, from, shift))
    to++
    shift += first
    from += shift >>> 3
    shift &= 7
    left -= first
  }
  if (shift === 0) {
    for (; left >= 32; left -= 32, to += 4, from += 4) view.setUint32(to, view.getUint32(from, true), true)
  } else if (left >= 32) {
    const back = 32 - shift
    let low = view.getUint32(from, true)
    do {
      from += 4
      const high = view.getUint32(from, true)
      view.setUint32(to, (low >>> shift) | (high << back), true)
      low = high
      to += 4
      left -= 32
    } while (left >= 32)
  }
  for (; left > 0; left -= 8, to++, from++) put(view, to, 0, Math.min(8, left), take(view, from, shift))
}

/** Towards higher addresses, from the high end: whole words once the target's end is at the end of a byte. */
function moveUp(
  view: DataView,
  toByte: number,
  toBit: number,
  fromByte: number,
  fromBit: number,
  count: number,
): void {
  let left = count
  // The ends of both ranges: the byte that holds the first bit behind them.
  let to = toByte + ((toBit + count) >>> 3)
  let from = fromByte + ((fromBit + count) >>> 3)
  let shift = (fromBit + count) & 7
  const last = Math.min((toBit + count) & 7, left)
  if (last !== 0) {
    shift -= last
    from += shift >> 3
    shift &= 7
    put(view, to, (toBit + count - last) & 7, last, take(view, from, shift))
    left -= last
  }
  if (shift === 0) {
    while (left >= 32) {
      to -= 4
      from -= 4
      view.setUint32(to, view.getUint32(from, true), true)
      left -= 32
    }
  } else if (left >= 32) {
    const back = 32 - shift
    let high = view.getUint32(from, true)
    do {
      from -= 4
      to -= 4
      const low = view.getUint32(from, true)
      view.setUint32(to, (low >>> shift) | (high << back), true)
      high = low
      left -= 32
    } while (left >= 32)
  }
  while (left > 0) {
    const part = Math.min(8, left)
    to--
    shift -= part
    from += shift >> 3
    shift &= 7
    put(view, to, 8 - part, part, take(view, from, shift))
    left -= part
  }
}

/** At least 8 bits from a place; the bits above them are not to be looked at. */
function take(view: DataView, byte: number, bit: number): number {
  return (view.getUint8(byte) | (view.getUint8(byte + 1) << 8)) >>> bit
}

function put(view: DataView, byte: number, bit: number, count: number, value: number): void {
  const mask = ((1 << count) - 1) << bit
  view.setUint8(byte, (view.getUint8(byte) & ~mask) | ((value << bit) & mask))
}
