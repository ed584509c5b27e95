/** Runs a command line to its exit status: results on standard output, one sentence on standard error. */

import type { Command } from 'commander'
import { CommanderError } from 'commander'
import { VdoError } from '../base/errors.js'
import { ExitStatus, exitStatusOf } from './exit-status.js'

export async function runProgram(program: Command, argv: readonly string[] = process.argv): Promise<void> {
  throwInsteadOfExit(program)
  try {
    await program.parseAsync(argv)
  } catch (error) {
    const status = exitStatusOf(error)
    process.exitCode = status
    // Commander has said what is wrong with the arguments.
    if (error instanceof CommanderError) return
    const isDefect = status === ExitStatus.Defect || !(error instanceof Error)
    const text = isDefect ? (error instanceof Error ? error.stack : String(error)) : error.message
    const code = error instanceof VdoError ? ` (${error.code})` : ''
    process.stderr.write(`${program.name()}: ${text}${code}\n`)
  }
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) throwInsteadOfExit(child)
}
