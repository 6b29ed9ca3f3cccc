/** Scheme of a store URL to store. Adding a store is a folder and a line here. */
import { IngotError } from '../std/error.ts'
import type { ItemStore } from './store.ts'

export interface StoreSettings {
  readonly url: string
  /** Folder of the embedded store. */
  readonly data: string
  /** Where a store that is reached through a pooler is reached without. Default: `url`. */
  readonly directUrl?: string
  /** Told, by a store that is shared, of every transaction that the server gave up and that is tried again. */
  readonly onRetry?: (sqlstate: string) => void
}

type Open = (settings: StoreSettings) => Promise<ItemStore>

const openPostgres: Open = async (settings) => (await import('./stores/postgres/store.ts')).openPostgresStore(settings)

const STORES: Readonly<Record<string, Open>> = {
  'memory:': async () => (await import('./stores/memory/store.ts')).createMemoryStore(),
  'sqlite:': async ({ data }) => (await import('./stores/sqlite/store.ts')).openSqliteStore(data),
  'postgres:': openPostgres,
  'postgresql:': openPostgres,
}

/** Throws IngotError CONFIG_INVALID for a scheme that has no store, and what the store throws that cannot be opened. */
export function openStore(settings: StoreSettings): Promise<ItemStore> {
  const [scheme] = /^[a-z+]+:/.exec(settings.url) ?? ['']
  const open = STORES[scheme]
  if (open === undefined) {
    const allowed = Object.keys(STORES).join(', ')
    throw new IngotError('CONFIG_INVALID', `no store for "${scheme || settings.url}", use one of ${allowed}`)
  }
  return open(settings)
}
