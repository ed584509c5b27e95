/** How far a long command has come: one line on a terminal that is rewritten, and nothing anywhere else. */

import { Presets, SingleBar } from 'cli-progress'

export interface Progress {
  /** `all` may become known, or change, on the way. */
  update(done: number, all: number, what?: string): void
  /** Takes the line away. */
  stop(): void
}

const SILENT: Progress = { update: () => {}, stop: () => {} }

/** Shows progress on `stream` if it is a terminal; `title` stands before the bar, what is being done after it. */
export function showProgress(title: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return SILENT
  const bar = new SingleBar(
    {
      stream,
      format: `${title} {bar} {percentage} % {what}`,
      clearOnComplete: true,
      hideCursor: true,
      // Commands that never rest give the library's timer no turn.
      synchronousUpdate: true,
    },
    Presets.shades_classic,
  )
  bar.start(1, 0, { what: '' })
  return {
    update(done, all, what) {
      bar.setTotal(all)
      bar.update(done, what === undefined ? {} : { what })
    },
    stop: () => bar.stop(),
  }
}
