/** `ingot verify`: is everything in a data folder what it says it is? */
import { verifyFolder } from '../items/sqlite/verify.ts'
import type { VerifyReport } from '../items/verify-report.ts'
import { defineCommand, EXIT, type Io } from './command.ts'
import { grouped, startProgress } from './progress.ts'

export const verify = defineCommand({
  help: `
Checks the data folder of a stopped service and changes nothing: that the file is whole, that the unique index which
keeps duplicates out is in its place, that every id is the id of its content under its collection's policy, that no
content is there twice, and that kept answers can be read. A folder in use is refused: stop the service first.

Exit code 0 when all is well, 1 with a list of what is not, 2 when there is nothing to check.`,
  examples: ['ingot verify --data ./data'],
  options: {
    data: { type: 'string', value: 'DIR', summary: 'data folder of a service (its INGOT_DATA)', required: true },
    json: { type: 'boolean', summary: 'the result as one JSON object' },
  },
  async run({ values }, io) {
    let checked = 0
    const progress = startProgress({
      output: io.stderr,
      clock: io.clock,
      line: () => `${grouped(checked)} items checked`,
    })
    const report = await verifyFolder(values.data, {
      clock: io.clock,
      signal: io.signal,
      onProgress: (items) => {
        checked = items
      },
    }).finally(() => progress.stop())
    if (values.json) io.stdout.write(`${JSON.stringify(asJson(report))}\n`)
    else describe(report, io)
    return report.problemCount === 0 ? EXIT.fine : EXIT.failed
  },
})

function asJson({ collections, ...rest }: VerifyReport): object {
  return { sound: rest.problemCount === 0, collections: Object.fromEntries(collections), ...rest }
}

function describe({ collections, receipts, problems, problemCount }: VerifyReport, io: Io): void {
  for (const [name, items] of collections) io.stdout.write(`collection ${name}: ${grouped(items)} items\n`)
  io.stdout.write(`kept answers: ${grouped(receipts)}\n`)
  for (const problem of problems) io.stdout.write(`problem: ${problem}\n`)
  const more = problemCount - problems.length
  if (more > 0) io.stdout.write(`... and ${grouped(more)} more problems\n`)
  io.stdout.write(problemCount === 0 ? 'sound\n' : `${grouped(problemCount)} problems\n`)
}
