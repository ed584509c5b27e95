#!/usr/bin/env node
/** `vdostats`: the historical name of `vdo stats`. */

import { runProgram } from './run-program.js'
import { statsCommand } from './stats.js'
import { packageVersion } from './version.js'

await runProgram(statsCommand('vdostats').version(packageVersion(), '-V, --version'))
