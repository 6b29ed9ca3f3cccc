/** Every command of `ingot`, in the order of its help. A new command is one file and one entry here. */
import type { CommandEntry } from './command.ts'

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'serves the HTTP API, with the embedded store unless told otherwise',
    load: async () => (await import('./serve.ts')).serve,
  },
]
