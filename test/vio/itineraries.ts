/** What the tests of the itineraries share: a table of vios and the places of a volume with several zones each. */
import { Arena, arenaBytes } from '../../src/engine/arena.js'
import { hopOfWord, type Op, opOfHop, word, zoneOfHop } from '../../src/vio/opcodes.js'
import { Placement } from '../../src/vio/placement.js'
import type { VioTable } from '../../src/vio/vio-table.js'
import { SMALL_SHAPE, SMALL_VOLUME } from '../zones/bench.js'

const COUNTS = { logical: 3, physical: 2, hash: 2, cpu: 2, bio: 3, index: 1 }

export function makeItinerary(): { vios: VioTable; place: Placement } {
  const config = { shape: SMALL_SHAPE, volume: SMALL_VOLUME, counts: COUNTS, threads: 1 }
  const arena = new Arena(new SharedArrayBuffer(arenaBytes(config)), config)
  return { vios: arena.vios, place: new Placement(SMALL_VOLUME, COUNTS) }
}

/** A hop as opcode and zone, after a journey through a word. */
export function stop(hop: number): [Op, number] {
  const arrived = hopOfWord(word(hop, 0xffff))
  return [opOfHop(arrived), zoneOfHop(arrived)]
}
