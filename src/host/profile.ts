/**
 * Thread profiles: which zones run on which threads. A profile is YAML; three come with the package (`tiny`,
 * `default`, `wide`), and a user's own file is accepted by its path.
 */
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { VdoError } from '../base/errors.js'
import {
  allZones,
  MAX_THREADS,
  type PlannedThread,
  type ThreadPlan,
  type ZonePlace,
} from '../engine/thread-plan.js'
import { Room } from '../vio/opcodes.js'
import type { ZoneCounts } from '../vio/volume.js'

const ROOMS: Readonly<Record<string, Room>> = {
  logical: Room.Logical,
  physical: Room.Physical,
  hash: Room.Hash,
  journal: Room.Journal,
  packer: Room.Packer,
  flush: Room.Flush,
  cpu: Room.Cpu,
  bio: Room.Bio,
  index: Room.Index,
  admin: Room.Admin,
}

const count = (least: number, most: number) => z.number().int().min(least).max(most)

/** As it stands in the file. Names of zones: `journal`, `logical.0`, `bio.1`. */
const PROFILE = z.strictObject({
  description: z.string().optional(),
  zones: z.strictObject({
    logical: count(1, 60),
    physical: count(1, 16),
    hash: count(1, 100),
    cpu: count(1, 100),
    bio: count(1, 100),
    index: count(1, 16),
  }),
  threads: z.record(
    z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,14}$/, 'a thread name is 1 to 15 letters and digits'),
    z.array(z.string()).min(1),
  ),
})

export const BUILT_IN_PROFILES = ['default', 'tiny', 'wide'] as const

/** Loads a profile by the name of a built-in one or the path of a file. */
export function loadProfile(nameOrPath: string): ThreadPlan {
  const isBuiltIn = (BUILT_IN_PROFILES as readonly string[]).includes(nameOrPath)
  const path = isBuiltIn ? builtInPath(nameOrPath) : nameOrPath
  if (!existsSync(path)) {
    throw new VdoError(
      'VDO_PROFILE_NOT_FOUND',
      `Cannot load thread profile: no file ${path}, and the built-in ones are ${BUILT_IN_PROFILES.join(', ')}`,
    )
  }
  return parseProfile(readFileSync(path, 'utf8'), basename(path))
}

/** Parses a profile's text; `name` appears in errors. */
export function parseProfile(text: string, name: string): ThreadPlan {
  const refuse = (why: string) => new VdoError('VDO_BAD_PROFILE', `Cannot use thread profile ${name}: ${why}`)
  let raw: unknown
  try {
    raw = parse(text)
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error))
  }
  const result = PROFILE.safeParse(raw)
  if (!result.success) {
    throw refuse(result.error.issues.map((i) => `${i.path.join('.') || 'document'}: ${i.message}`).join('; '))
  }
  const counts: ZoneCounts = result.data.zones
  const threads: PlannedThread[] = [{ name: 'front', zones: [{ room: Room.Front, zone: 0 }] }]
  const seen = new Set<string>()
  for (const [threadName, zoneNames] of Object.entries(result.data.threads)) {
    const zones = zoneNames.map((zoneName) => {
      if (seen.has(zoneName)) throw refuse(`zone ${zoneName} lives on two threads`)
      seen.add(zoneName)
      return parseZone(zoneName, counts, refuse)
    })
    threads.push({ name: threadName, zones })
  }
  hostRepair(threads)
  if (threads.length > MAX_THREADS) {
    throw refuse(`it has ${threads.length} threads with the front end's, at most ${MAX_THREADS} are possible`)
  }
  const placed = new Set(threads.flatMap((t) => t.zones.map((place) => place.room * 128 + place.zone)))
  const missing = allZones(counts).filter(({ room, zone }) => !placed.has(room * 128 + zone))
  if (missing.length > 0) {
    throw refuse(
      `no thread hosts ${missing.map((m) => `${Room[m.room].toLowerCase()}.${m.zone}`).join(', ')}`,
    )
  }
  return { counts, threads }
}

/** Repair works only while a volume is loaded, when nearly everybody else waits: it lives with the admin zone. */
function hostRepair(threads: PlannedThread[]): void {
  const at = threads.findIndex(({ zones }) => zones.some(({ room }) => room === Room.Admin))
  if (at < 0) return
  const { name, zones } = threads[at]
  threads[at] = { name, zones: [...zones, { room: Room.Repair, zone: 0 }] }
}

function parseZone(name: string, counts: ZoneCounts, refuse: (why: string) => Error): ZonePlace {
  const [roomName, number = '0'] = name.split('.')
  const room = Object.hasOwn(ROOMS, roomName) ? ROOMS[roomName] : undefined
  if (room === undefined) throw refuse(`zone ${name} is none of ${Object.keys(ROOMS).join(', ')}`)
  const limit = roomName in counts ? counts[roomName as keyof ZoneCounts] : 1
  const zone = Number(number)
  if (!Number.isInteger(zone) || zone < 0 || zone >= limit) {
    throw refuse(`zone ${name} does not exist: ${roomName} zones are 0 to ${limit - 1}`)
  }
  return { room, zone }
}

/** From dist/src/host to the package's config folder. */
function builtInPath(name: string): string {
  return fileURLToPath(new URL(`../../../config/${name}.yaml`, import.meta.url))
}
