/**
 * Opens a volume and is killed when it was seen to change so often, whatever it is doing then, or when it is open:
 * `node cut-short.js IMAGE THREADS CHANGES`. Says `open` if it came so far.
 */

import { watch, writeSync } from 'node:fs'
import { openVolume } from '../../src/host/open-volume.js'

const [device = '', threads = 'tiny', changes = '1'] = process.argv.slice(2)
const die = (): void => void process.kill(process.pid, 'SIGKILL')
let left = Number(changes)
watch(device, () => {
  if (--left === 0) die()
})
await openVolume({ device, threads })
writeSync(1, 'open')
die()
