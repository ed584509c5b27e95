#!/usr/bin/env node
/** `vdoformat`: the historical name of `vdo format`. */

import { formatCommand } from './format.js'
import { runProgram } from './run-program.js'
import { packageVersion } from './version.js'

await runProgram(formatCommand('vdoformat').version(packageVersion()))
