/** Fills the start of a volume with noise, flushes, and is killed: `node write-and-die.js IMAGE SEED BYTES`. */

import { openVolume } from '../../src/host/open-volume.js'
import { randomBytes } from './content.js'

const [device = '', seed = '1', bytes = '0'] = process.argv.slice(2)
const volume = await openVolume({ device, threads: 'wide' })
await volume.write(0, randomBytes(Number(seed), Number(bytes)))
await volume.flush()
process.kill(process.pid, 'SIGKILL')
