/** `ingot migrate`: brings the database to the shape of this version. */
import { loadConfig } from '../config/load.ts'
import { migrate as migratePostgres } from '../items/postgres/migrate.ts'
import { defineCommand, EXIT } from './command.ts'
import { isHttpStore, storePlace } from './configured-store.ts'

export const migrate = defineCommand({
  help: `
Brings the database that INGOT_STORE_URL names to the shape of this version. \`ingot serve\` does the same at its start;
this is for those who give the service a role that may not create tables, or want it done before a roll-out. Any number
may run at once: one does the work, the others wait and find it done. Replicas of the version before go on meanwhile.

With a pooler in front of the database, INGOT_STORE_DIRECT_URL leads past it. The embedded store needs no migration
beforehand: it is brought up to date when it is opened.`,
  examples: ['INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot migrate'],
  options: {},
  async run(_args, io) {
    const config = loadConfig()
    const { storeUrl, storeDirectUrl } = config
    if (!/^postgres(ql)?:/.test(storeUrl)) {
      const why = isHttpStore(config) ? "is somebody else's" : 'is brought up to date when it is opened'
      io.stdout.write(`the store "${storePlace(config)}" ${why}: nothing to do\n`)
      return EXIT.fine
    }
    const { applied, version } = await migratePostgres({ url: storeDirectUrl ?? storeUrl })
    for (const name of applied) io.stdout.write(`applied ${name}\n`)
    io.stdout.write(`the database has shape ${version}${applied.length === 0 ? ': nothing to do' : ''}\n`)
    return EXIT.fine
  },
})
