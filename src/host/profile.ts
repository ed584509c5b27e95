/**
 * Thread profiles: which zones run on which threads. A profile is YAML; three come with the package (`tiny`,
 * `default`, `wide`), and a user's own file is accepted by its path.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseDocument, type YAMLError } from 'yaml'
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
import { describeIssues, show } from './check-options.js'
import { statFile, systemReason } from './system-reason.js'

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

const count = (least: number, most: number) => {
  const wanted = `a whole number from ${least} to ${most}`
  return z.number(wanted).int(wanted).min(least, wanted).max(most, wanted)
}

/** As it stands in the file. Names of zones: `journal`, `logical.0`, `bio.1`. */
const PROFILE = z.strictObject(
  {
    description: z.string('a text').optional(),
    zones: z.strictObject(
      {
        logical: count(1, 60),
        physical: count(1, 16),
        hash: count(1, 100),
        cpu: count(1, 100),
        bio: count(1, 100),
        index: count(1, 16),
      },
      'the counts of logical, physical, hash, cpu, bio and index zones',
    ),
    threads: z.record(
      z.string(),
      z.array(z.string('the name of a zone'), 'a list of zones').min(1, 'a list of zones'),
      'threads by their names, each with a list of zones',
    ),
  },
  'a mapping with zones and threads',
)

/** What Linux shows of a thread's name. */
const THREAD_NAME = /^[A-Za-z][A-Za-z0-9]{0,14}$/
/** Far above any profile: a file that is larger is something else. */
const MAXIMUM_BYTES = 1024 * 1024

export const BUILT_IN_PROFILES = ['default', 'tiny', 'wide'] as const

/** Loads a profile by the name of a built-in one or the path of a file. */
export function loadProfile(nameOrPath: string): ThreadPlan {
  const isBuiltIn = (BUILT_IN_PROFILES as readonly string[]).includes(nameOrPath)
  const path = isBuiltIn ? builtInPath(nameOrPath) : nameOrPath
  return parseProfile(readProfile(path), isBuiltIn ? nameOrPath : path)
}

function readProfile(path: string): string {
  const refuse = (why: string) =>
    new VdoError('VDO_BAD_PROFILE', `Cannot load thread profile ${path}: ${why}, wanted a YAML file`)
  const stat = statFile('Cannot load thread profile', path)
  if (stat === undefined) {
    throw new VdoError(
      'VDO_PROFILE_NOT_FOUND',
      `Cannot load thread profile: no file ${show(path)}, and the built-in ones are ${BUILT_IN_PROFILES.join(', ')}`,
    )
  }
  if (stat.isDirectory()) throw refuse('it is a folder')
  // A pipe might never end, nor a device.
  if (!stat.isFile()) throw refuse('it is no regular file')
  if (stat.size > MAXIMUM_BYTES) throw refuse(`it has ${stat.size} bytes`)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw refuse(systemReason(error))
  }
}

/** Parses a profile's text; `name` appears in errors. */
export function parseProfile(text: string, name: string): ThreadPlan {
  const refuse = (why: string) => new VdoError('VDO_BAD_PROFILE', `Cannot use thread profile ${name}: ${why}`)
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent' })
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) throw refuse(placeOf(text, fault))
  let raw: unknown
  try {
    raw = document.toJS()
  } catch (error) {
    // An alias to nothing, or one that grows without end.
    throw refuse(error instanceof Error ? error.message : String(error))
  }
  const result = PROFILE.safeParse(raw, { reportInput: true })
  if (!result.success) throw refuse(describeIssues(result.error, 'the document'))
  const counts: ZoneCounts = result.data.zones
  const threads: PlannedThread[] = [{ name: 'front', zones: [{ room: Room.Front, zone: 0 }] }]
  const homes = new Map<number, string>()
  for (const [threadName, zoneNames] of Object.entries(result.data.threads)) {
    if (!THREAD_NAME.test(threadName)) {
      throw refuse(`a thread is named ${show(threadName)}, wanted 1 to 15 letters and digits, a letter first`)
    }
    const zones = zoneNames.map((zoneName) => {
      const place = parseZone(zoneName, counts, refuse)
      const home = homes.get(keyOf(place))
      if (home !== undefined) {
        throw refuse(
          home === threadName
            ? `zone ${zoneName} stands twice at ${home}`
            : `zone ${zoneName} lives on two threads, ${home} and ${threadName}`,
        )
      }
      homes.set(keyOf(place), threadName)
      return place
    })
    threads.push({ name: threadName, zones })
  }
  hostRepair(threads)
  if (threads.length > MAX_THREADS) {
    throw refuse(`it has ${threads.length} threads with the front end's, at most ${MAX_THREADS} are possible`)
  }
  const missing = allZones(counts).filter(
    (place) => place.room !== Room.Front && place.room !== Room.Repair && !homes.has(keyOf(place)),
  )
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
  const [, roomName = '', number = '0'] = /^([a-z]+)(?:\.(0|[1-9]\d{0,2}))?$/i.exec(name) ?? []
  const room = Object.hasOwn(ROOMS, roomName) ? ROOMS[roomName] : undefined
  if (room === undefined) {
    throw refuse(
      `zone ${show(name)} is none of ${Object.keys(ROOMS).join(', ')}, with a number such as logical.0`,
    )
  }
  const limit = roomName in counts ? counts[roomName as keyof ZoneCounts] : 1
  const zone = Number(number)
  if (zone >= limit) {
    throw refuse(`zone ${name} does not exist: ${roomName} zones are 0 to ${limit - 1}`)
  }
  return { room, zone }
}

function keyOf({ room, zone }: ZonePlace): number {
  return room * 128 + zone
}

/** The parser's own sentence, with its line and column. */
function placeOf(text: string, { message, pos: [at] }: YAMLError): string {
  const before = text.slice(0, at).split('\n')
  return `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}: ${message.split('\n')[0]}`
}

/** From dist/src/host to the package's config folder. */
function builtInPath(name: string): string {
  return fileURLToPath(new URL(`../../../config/${name}.yaml`, import.meta.url))
}
