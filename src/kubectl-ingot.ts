#!/usr/bin/env node
/** The program as a plugin of kubectl: `kubectl ingot COMMAND`. */
import { KUBECTL_COMMANDS } from './commands/kube/table.ts'
import { runLine } from './commands/line/line.ts'
import { runProcess } from './commands/line/process.ts'

await runProcess((io, { argv, ...context }) =>
  runLine(argv, io, { commands: KUBECTL_COMMANDS, call: 'kubectl ingot', ...context }),
)
