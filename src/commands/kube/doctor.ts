/** `kubectl ingot doctor`: hazards of a release that can be seen from outside. */
import { type Diagnosis, diagnose } from '../../inspect/doctor/diagnosis.ts'
import { diagnosisText } from '../../inspect/doctor/text.ts'
import { readFacts } from '../../inspect/read.ts'
import { version } from '../../std/version.ts'
import { defineCommand, EXIT, type ExitCode } from '../line/command.ts'
import { isJson, OUTPUT_OPTION, paintFor, RELEASE_OPTIONS, withRelease, writeJson, writePainted } from './connect.ts'

export const doctor = defineCommand({
  help: `Looks for hazards of a release: what is broken, and what will not survive the next fault. Each finding has a stable
code, an observation and a remedy. It changes nothing. docs/kubectl.md lists the codes.

A check that needs something that the user may not read is listed as not checked. Exit code: 0 without findings, 1 with
findings, 2 if no check could run.`,
  examples: ['kubectl ingot doctor', 'kubectl ingot doctor -n shop -o json'],
  failed: EXIT.usage,
  options: { ...RELEASE_OPTIONS, ...OUTPUT_OPTION },
  run({ values }, io) {
    const json = isJson(values.output)
    return withRelease(values, io, async (session) => {
      const { clock, signal } = io
      const facts = await readFacts({ ...session, version: version(), clock, depth: 'all', signal })
      const diagnosis = diagnose(facts)
      if (json) writeJson(io, diagnosis)
      else writePainted(io, diagnosisText(diagnosis, paintFor(io)))
      return exitCodeOf(diagnosis)
    })
  },
})

function exitCodeOf({ findings, checked }: Diagnosis): ExitCode {
  if (checked === 0) return EXIT.usage
  return findings.length === 0 ? EXIT.fine : EXIT.failed
}
