/** `ingot epoch`: what the store says of its past, and telling it that its past is another one. */

import type { ItemStore } from '../items/store.ts'
import { loadServiceConfig } from '../service/config.ts'
import { isHttpStore, openConfiguredStore } from '../service/configured-store.ts'
import { defineCommand, EXIT, usageError } from './line/command.ts'

export const epoch = defineCommand({
  positionals: ['show|new'],
  help: `
An epoch is a stretch of the store's history in which nothing that was committed has gone. What a cache knows of another
epoch is void. The store begins one by itself when its server starts, fails over, or is restored from files.

\`new\` begins one by hand. Do so after rows were restored from a dump into tables that stayed, or were changed past
ingot in any other way: the service would otherwise call items duplicates that are gone. It is always safe: caches start
empty, nothing else happens. The embedded store begins an epoch whenever it is opened; stop the service to ask it.`,
  examples: ['INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot epoch show', 'ingot epoch new'],
  options: {},
  async run({ positionals: [action = ''] }, io) {
    if (action !== 'show' && action !== 'new') throw usageError(`"${action}" is not show or new`)
    const config = loadServiceConfig()
    if (isHttpStore(config))
      throw usageError('INGOT_STORE_URL is an http store, which has no epochs: nothing is cached of it')
    await using store = await openConfiguredStore(config)
    if (action === 'new') await store.beginEpoch()
    io.stdout.write(await describe(store))
    return EXIT.fine
  },
})

async function describe(store: ItemStore): Promise<string> {
  // the epoch is the store's, whatever the collection
  const { epoch: name, position } = await store.version('')
  return `epoch     ${name}\nposition  ${position}\n`
}
