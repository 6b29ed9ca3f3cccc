/** `kubectl ingot drill watch`: follows a drill, and ends with the exit code of its verdict. */

import { VERDICTS } from '../../drill/spec/status.ts'
import { progressLines } from '../../inspect/drills/text.ts'
import { followDrill } from '../../inspect/drills/watch.ts'
import { exitOf } from '../drill/manifest.ts'
import { defineCommand, EXIT, type ExitCode, type Io } from '../line/command.ts'
import {
  isJson,
  NAMESPACE_OPTIONS,
  OUTPUT_OPTION,
  type Place,
  paintFor,
  withNamespace,
  writePainted,
} from './connect.ts'

export const drillWatch = defineCommand({
  positionals: ['NAME'],
  help: `Follows a drill until its end: a line for each phase and for each step of a fault, then the verdict. A failure of
the API server that may pass is reported and outlived, because a drill can cause it. Ctrl-C ends the command, not the
drill.

Exit code: 0 Pass, 1 Fail, 3 Inconclusive, 4 Aborted or Ctrl-C, 2 if there is no such drill or it cannot be read.
With -o json: one line for each change.`,
  examples: ['kubectl ingot drill watch weekly-29 -n shop'],
  failed: EXIT.usage,
  options: { ...NAMESPACE_OPTIONS, ...OUTPUT_OPTION },
  run({ values, positionals: [name = ''] }, io) {
    const json = isJson(values.output)
    return withNamespace(values, io, (place) => followToEnd(place, name, { io, json }))
  },
})

interface Follow {
  readonly io: Io
  /** True: one JSON line for each change, instead of text. */
  readonly json: boolean
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** Shows a drill until its end. Resolves with the exit code of its verdict. */
export async function followToEnd(place: Place, name: string, { io, json }: Follow): Promise<ExitCode> {
  const paint = paintFor(io)
  const { verdict } = await followDrill(
    place,
    name,
    {
      onChange(before, now) {
        if (json) io.stdout.write(`${JSON.stringify(now)}\n`)
        else writePainted(io, textOf(progressLines(before, now, paint)))
      },
      onTrouble: (reason) => void io.stderr.write(`not readable, trying again: ${reason}\n`),
    },
    io.signal,
  )
  return exitOf(VERDICTS.find((one) => one === verdict) ?? 'Inconclusive')
}
