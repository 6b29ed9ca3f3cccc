/** Finds the store that a URL names. To add a store, import its registration and add it to `STORES`. */
import { IngotError } from '../errors/error.ts'
import type { ItemStore } from './store.ts'
import type { StoreRegistration, StoreSettings } from './store-registration.ts'
import { EXTERNAL_HTTP_SCHEMES } from './stores/external-http/registration.ts'
import { memoryStore } from './stores/memory/registration.ts'
import { postgresStore } from './stores/postgres/registration.ts'
import { sqliteStore } from './stores/sqlite/registration.ts'

const STORES: readonly StoreRegistration[] = [memoryStore, sqliteStore, postgresStore]

const SCHEME = /^([a-z+]+):/

/** Opens the store. Rejects with IngotError CONFIG_INVALID for an unknown scheme, and with the store's open error. */
export async function openStore(settings: StoreSettings): Promise<ItemStore> {
  const scheme = schemeOf(settings.url)
  const registration = STORES.find(({ schemes }) => schemes.includes(scheme))
  if (registration === undefined) {
    const allowed = STORES.flatMap(({ schemes }) => schemes.map((one) => `${one}:`)).join(', ')
    const named = scheme === '' ? settings.url : `${scheme}:`
    throw new IngotError('CONFIG_INVALID', `no store for "${named}", use one of ${allowed}`)
  }
  const open = await registration.load()
  return open(settings)
}

/** Returns true if the URL names an external API. Such a store needs locks in front of it. */
export function isExternalStore(url: string): boolean {
  return EXTERNAL_HTTP_SCHEMES.includes(schemeOf(url))
}

function schemeOf(url: string): string {
  return SCHEME.exec(url)?.[1] ?? ''
}
