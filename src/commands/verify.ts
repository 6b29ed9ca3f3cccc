/** `ingot verify`: checks stored data for damage. */

import { IngotError } from '../errors/error.ts'
import { isPostgresStore } from '../items/registry.ts'
import { verifyPostgres } from '../items/stores/postgres/verify.ts'
import { verifyFolder } from '../items/stores/sqlite/verify.ts'
import type { VerifyOptions, VerifyReport } from '../items/verify-report.ts'
import { loadServiceConfig } from '../service/config.ts'
import { defineCommand, EXIT, type Io } from './line/command.ts'
import { grouped, startProgress } from './line/progress.ts'

export const verify = defineCommand({
  help: `
Checks what a service has stored, and changes nothing. The unique index that prevents duplicates must exist. Every row
must match its checksum. Every id must be the id of its content under its collection's policy. No content may be
stored twice.

With --data it checks the data folder of a stopped service, and also that the file is complete and no item is missing.
It writes nothing there, so a read-only copy works too. It refuses a folder in use: stop the service first. After a
crash the folder has a log that was not merged; file and log are then copied to the folder for temporary files
(TMPDIR).

Without --data it checks the Postgres database that INGOT_STORE_URL names, in read-only transactions. The service may
run meanwhile.

Exit code 0 if everything is sound, 1 with a list of problems, 2 if there is nothing to check.`,
  examples: ['ingot verify --data ./data', 'INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot verify'],
  options: {
    data: { type: 'string', value: 'DIR', summary: 'data folder of a service (its INGOT_DATA)' },
    json: { type: 'boolean', summary: 'the result as one JSON object' },
  },
  async run({ values }, io) {
    let checked = 0
    const progress = startProgress({
      output: io.stderr,
      clock: io.clock,
      line: () => `${grouped(checked)} items checked`,
    })
    const options: VerifyOptions = {
      clock: io.clock,
      signal: io.signal,
      onProgress: (items) => {
        checked = items
      },
    }
    const report = await verifyStored(values.data, options).finally(() => progress.stop())
    if (values.json) io.stdout.write(`${JSON.stringify(asJson(report))}\n`)
    else describe(report, io)
    return report.problemCount === 0 ? EXIT.fine : EXIT.failed
  },
})

async function verifyStored(data: string | undefined, options: VerifyOptions): Promise<VerifyReport> {
  if (data !== undefined) return verifyFolder(data, options)
  const { storeUrl, storeDirectUrl } = loadServiceConfig()
  if (isPostgresStore(storeUrl)) return verifyPostgres({ url: storeDirectUrl ?? storeUrl, ...options })
  throw new IngotError(
    'USAGE_INVALID',
    'name the data folder of a service with --data, or a Postgres database in INGOT_STORE_URL',
  )
}

function asJson({ collections, ...rest }: VerifyReport): object {
  return { sound: rest.problemCount === 0, collections: Object.fromEntries(collections), ...rest }
}

function describe({ collections, receipts, withoutChecksum, problems, problemCount }: VerifyReport, io: Io): void {
  for (const [name, items] of collections) io.stdout.write(`collection ${name}: ${grouped(items)} items\n`)
  io.stdout.write(`kept answers: ${grouped(receipts)}\n`)
  if (withoutChecksum > 0) {
    io.stdout.write(
      `without a checksum: ${grouped(withoutChecksum)}, stored by an older release and checked only by their id\n`,
    )
  }
  for (const problem of problems) io.stdout.write(`problem: ${problem}\n`)
  const more = problemCount - problems.length
  if (more > 0) io.stdout.write(`... and ${grouped(more)} more problems\n`)
  io.stdout.write(problemCount === 0 ? 'sound\n' : `${grouped(problemCount)} problems\n`)
}
