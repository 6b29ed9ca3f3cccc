#!/usr/bin/env node
/** The main program. */
import { runLine } from './cmd/line.ts'
import { runProcess } from './cmd/process.ts'
import { COMMANDS } from './cmd/table.ts'

await runProcess((io, { argv, ...context }) => runLine(argv, io, { commands: COMMANDS, ...context }))
