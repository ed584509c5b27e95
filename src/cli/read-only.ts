/** `vdo read-only FILE`: puts a closed volume into read-only mode. */

import { Command } from 'commander'
import { markReadOnly } from '../host/mark-volume.js'

export function readOnlyCommand(name = 'read-only'): Command {
  return new Command(name)
    .description('put a volume into read-only mode, which only force-rebuild ends')
    .argument('<file>', 'file or block device with a volume that is closed')
    .action(async (path: string) => {
      await markReadOnly(path)
      process.stdout.write(`${path} is in read-only mode.\n`)
    })
}
