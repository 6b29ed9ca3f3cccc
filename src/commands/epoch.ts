/** `ingot epoch`: shows the epoch of the store, or begins a new one. */

import type { ItemStore } from '../items/store.ts'
import { loadServiceConfig } from '../service/config.ts'
import { isHttpStore, openConfiguredStore } from '../service/configured-store.ts'
import { defineCommand, EXIT, usageError } from './line/command.ts'

export const epoch = defineCommand({
  positionals: ['show|new'],
  help: `
An epoch is a period of the store's history in which no committed item was lost. A cache ignores entries of other
epochs. The store begins a new epoch by itself when its server starts, fails over, or is restored from files.

\`new\` begins one by hand. Use it after rows were restored from a dump into existing tables, or were changed without
ingot in any other way. Otherwise the service could report lost items as duplicates. It is always safe: it only
empties the caches. The embedded store begins an epoch whenever it is opened; stop the service before you run this
command.`,
  examples: ['INGOT_STORE_URL=postgres://ingot:secret@db/ingot ingot epoch show', 'ingot epoch new'],
  options: {},
  async run({ positionals: [action = ''] }, io) {
    if (action !== 'show' && action !== 'new') throw usageError(`"${action}" is not show or new`)
    const config = loadServiceConfig()
    if (isHttpStore(config))
      throw usageError('INGOT_STORE_URL is an http store, which has no epochs, because nothing of it is cached')
    await using store = await openConfiguredStore(config)
    if (action === 'new') await store.beginEpoch()
    io.stdout.write(await describe(store))
    return EXIT.fine
  },
})

async function describe(store: ItemStore): Promise<string> {
  // the epoch belongs to the store, so any collection works
  const { epoch: name, position } = await store.version('')
  return `epoch     ${name}\nposition  ${position}\n`
}
