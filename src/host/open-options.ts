/** The options of `openVolume`, judged before anything is opened: callers in JavaScript have no compiler. */

import { z } from 'zod'
import { VdoError } from '../base/errors.js'
import { BLOCK_SIZE } from '../format/constants.js'
import { VDO_SHAPE } from '../vio/volume-shape.js'
import { describeIssues } from './check-options.js'

const yesOrNo = z.boolean('true or false').optional()

const DEVICE = "the path of a file or block device, or a list of SharedArrayBuffer's"
const path = z.string(DEVICE).refine((text) => text !== '' && !text.includes('\0'), DEVICE)
const memory = z.array(z.instanceof(SharedArrayBuffer, { error: DEVICE }), DEVICE).min(1, DEVICE)

/** Names alone: what a size may be is for the engine to say (check-shape.ts). */
const sizes = Object.fromEntries(Object.keys(VDO_SHAPE).map((name) => [name, z.unknown()]))

const OPTIONS = z.strictObject(
  {
    device: z.union([path, memory], DEVICE),
    threads: z.string('the name of a thread profile or the path of one').optional(),
    unsafe: yesOrNo,
    compression: yesOrNo,
    deduplication: yesOrNo,
    report: z
      .custom<(sentence: string) => void>((value) => typeof value === 'function', 'a function')
      .optional(),
    shape: z.strictObject(sizes, 'sizes by their names').partial().optional(),
  },
  'a mapping with a device',
)

/** Throws VDO_BAD_ARGUMENT for the options that `openVolume` cannot work with. */
export function requireOpenOptions(options: unknown): void {
  const result = OPTIONS.safeParse(options, { reportInput: true })
  if (!result.success) throw refusal(describeIssues(result.error, 'the argument'))
  const { device } = result.data
  if (typeof device !== 'string') requireSegments(device)
}

function requireSegments(segments: readonly SharedArrayBuffer[]): void {
  for (const { byteLength } of segments) {
    if (byteLength === segments[0].byteLength && byteLength % BLOCK_SIZE === 0 && byteLength > 0) continue
    throw refusal(
      `a piece of the device has ${byteLength} bytes, wanted as many as the others and a multiple of ${BLOCK_SIZE}`,
    )
  }
}

function refusal(why: string): VdoError {
  return new VdoError('VDO_BAD_ARGUMENT', `Cannot open volume: ${why}`)
}
