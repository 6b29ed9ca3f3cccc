/** `ingot migrate`: brings the database to the shape of this version. */
import { isPostgresStore } from '../items/registry.ts'
import { fillChecksums } from '../items/stores/postgres/fill.ts'
import { migrate as migratePostgres } from '../items/stores/postgres/migrate.ts'
import { loadServiceConfig } from '../service/config.ts'
import { isHttpStore, storePlace } from '../service/configured-store.ts'
import { defineCommand, EXIT, type ExitCode, type Io } from './line/command.ts'
import { grouped, startProgress } from './line/progress.ts'

export const migrate = defineCommand({
  help: `
Brings the database that INGOT_STORE_URL names to the shape of this version. \`ingot serve\` does the same at its start;
this is for those who give the service a role that may not create tables, or want it done before a roll-out. Any number
may run at once: one does the work, the others wait and find it done. Replicas of the version before go on meanwhile.

With --checksums it also gives a checksum to each item that an older version stored without. Every such item is
written once more, some hundred at a time, beside the service; until then damage to it is noticed only as far as its id
shows it. Do it once, when every replica has this version. It may be broken off and begun again.

With a pooler in front of the database, INGOT_STORE_DIRECT_URL leads past it. The embedded store needs no migration
beforehand: it is brought up to date when it is opened.`,
  examples: ['INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot migrate'],
  options: {
    checksums: { type: 'boolean', summary: 'also give older items their checksums' },
  },
  async run({ values }, io) {
    const config = loadServiceConfig()
    const { storeUrl, storeDirectUrl } = config
    if (!isPostgresStore(storeUrl)) {
      const why = isHttpStore(config) ? "is somebody else's" : 'is brought up to date when it is opened'
      io.stdout.write(`the store "${storePlace(config)}" ${why}: nothing to do\n`)
      return EXIT.fine
    }
    const { applied, version } = await migratePostgres({ url: storeDirectUrl ?? storeUrl })
    for (const name of applied) io.stdout.write(`applied ${name}\n`)
    io.stdout.write(`the database has shape ${version}${applied.length === 0 ? ': nothing to do' : ''}\n`)
    return values.checksums ? fill(storeDirectUrl ?? storeUrl, io) : EXIT.fine
  },
})

async function fill(url: string, io: Io): Promise<ExitCode> {
  let seen = 0
  const progress = startProgress({ output: io.stderr, clock: io.clock, line: () => `${grouped(seen)} items looked at` })
  const onProgress = (items: number): void => void (seen = items)
  const { filled, damaged } = await fillChecksums({ url, signal: io.signal, onProgress }).finally(() => progress.stop())
  io.stdout.write(`checksums given to ${grouped(filled)} items\n`)
  if (damaged === 0) return EXIT.fine
  io.stdout.write(`${grouped(damaged)} items are damaged and got none: they are refused when they are asked for\n`)
  return EXIT.failed
}
