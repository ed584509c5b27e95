/** `vdo force-rebuild FILE`: lets the next load repair a volume that is in read-only mode. */

import { Command } from 'commander'
import { markForRebuild } from '../host/mark-volume.js'

export function forceRebuildCommand(name = 'force-rebuild'): Command {
  return new Command(name)
    .description(
      'mark a read-only volume to be rebuilt: the next serve counts all references anew from the map',
    )
    .argument('<file>', 'file or block device with a volume that is closed')
    .action(async (path: string) => {
      await markForRebuild(path)
      process.stdout.write(`${path} will be rebuilt when it is served next. Some data may have been lost.\n`)
    })
}
