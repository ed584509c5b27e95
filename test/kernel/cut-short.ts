/** Opens a volume and is killed some milliseconds later, whatever it is doing then: `node cut-short.js IMAGE THREADS MS`. */

import { openVolume } from '../../src/host/open-volume.js'

const [device = '', threads = 'tiny', ms = '0'] = process.argv.slice(2)
setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(ms))
await openVolume({ device, threads })
