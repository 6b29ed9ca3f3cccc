/** `ingot migrate`: updates the database to the schema version of this release. */
import { isPostgresStore } from '../items/registry.ts'
import { fillChecksums } from '../items/stores/postgres/fill.ts'
import { migrate as migratePostgres } from '../items/stores/postgres/migrate.ts'
import { loadServiceConfig } from '../service/config.ts'
import { isHttpStore, storeLocation } from '../service/configured-store.ts'
import { defineCommand, EXIT, type ExitCode, type Io } from './line/command.ts'
import { grouped, startProgress } from './line/progress.ts'

export const migrate = defineCommand({
  help: `
Updates the database that INGOT_STORE_URL names to the schema version of this release. \`ingot serve\` does the same
at its start. Use this command if the role of the service may not create tables, or to migrate before a rollout.
Several migrations may run at once: one does the work, and the others wait and find it done. Replicas of the previous
release keep working meanwhile.

With --checksums it also adds a checksum to each item that an older release stored without one. Every such item is
written once more, a few hundred at a time, while the service runs. Before that, damage to such an item is detected
only if it changes its id. Do it once, after every replica has this release. You can interrupt it and start it again.

If there is a pooler in front of the database, set INGOT_STORE_DIRECT_URL to the database itself. The embedded store
needs no separate migration: it is migrated when it is opened.`,
  examples: ['INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot migrate'],
  options: {
    checksums: { type: 'boolean', summary: 'also add checksums to older items' },
  },
  async run({ values }, io) {
    const config = loadServiceConfig()
    const { storeUrl, storeDirectUrl } = config
    if (!isPostgresStore(storeUrl)) {
      const why = isHttpStore(config) ? 'is an external API' : 'is migrated when it is opened'
      io.stdout.write(`the store "${storeLocation(config)}" ${why}: nothing to do\n`)
      return EXIT.fine
    }
    const { applied, version } = await migratePostgres({ url: storeDirectUrl ?? storeUrl })
    for (const name of applied) io.stdout.write(`applied ${name}\n`)
    io.stdout.write(`the database has schema version ${version}${applied.length === 0 ? ': nothing to do' : ''}\n`)
    return values.checksums ? fill(storeDirectUrl ?? storeUrl, io) : EXIT.fine
  },
})

async function fill(url: string, io: Io): Promise<ExitCode> {
  let seen = 0
  const progress = startProgress({ output: io.stderr, clock: io.clock, line: () => `${grouped(seen)} items checked` })
  const onProgress = (items: number): void => void (seen = items)
  const { filled, damaged } = await fillChecksums({ url, signal: io.signal, onProgress }).finally(() => progress.stop())
  io.stdout.write(`checksums added to ${grouped(filled)} items\n`)
  if (damaged === 0) return EXIT.fine
  io.stdout.write(`${grouped(damaged)} items are damaged and got no checksum: the service refuses to return them\n`)
  return EXIT.failed
}
