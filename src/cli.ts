#!/usr/bin/env node
/** The main program. */
import { runLine } from './commands/line/line.ts'
import { runProcess } from './commands/line/process.ts'
import { COMMANDS } from './commands/table.ts'

await runProcess((io, { argv, ...context }) => runLine(argv, io, { commands: COMMANDS, ...context }))
