/** Runs a command line to its exit status: results on standard output, one sentence on standard error. */

import type { Command } from 'commander'
import { CommanderError } from 'commander'
import { VdoError } from '../base/errors.js'
import { ExitStatus, exitStatusOf } from './exit-status.js'

export async function runProgram(program: Command, argv: readonly string[] = process.argv): Promise<void> {
  throwInsteadOfExit(program)
  outliveReaders()
  try {
    await program.parseAsync(argv)
  } catch (error) {
    const status = exitStatusOf(error)
    process.exitCode = status
    // Commander has said what is wrong with the arguments.
    if (error instanceof CommanderError) return
    process.stderr.write(`${program.name()}: ${sentenceOf(error, status)}\n`)
  }
}

/** One line; only a defect of this program shows where it comes from. */
function sentenceOf(error: unknown, status: ExitStatus): string {
  if (!(error instanceof Error)) return String(error)
  if (status === ExitStatus.Defect) return error.stack ?? error.message
  const code = error instanceof VdoError ? ` (${error.code})` : ''
  return `${oneLine(error.message)}${code}`
}

function throwInsteadOfExit(command: Command, name = command.name()): void {
  command.exitOverride()
  command.configureOutput({
    outputError: (text, write) => write(`${name}: ${oneLine(text.replace(/^error: /, ''))}\n`),
  })
  for (const child of command.commands) throwInsteadOfExit(child, name)
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, ' ')
}

/** A reader that has seen enough (`| head`), or a terminal that is gone, ends no command: a volume may be open. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
    })
  }
}
