/** Finds the store that a URL names. To add a store, import its registration and add it to `REGISTERED`. */
import { IngotError } from '../errors/error.ts'
import { formOf, schemeOf, type UrlForm } from '../std/url-form.ts'
import type { ItemStore } from './store.ts'
import type { StoreRegistration, StoreSettings } from './store-registration.ts'
import { externalHttpUrls } from './stores/external-http/registration.ts'
import { memoryStore } from './stores/memory/registration.ts'
import { postgresStore } from './stores/postgres/registration.ts'
import { sqliteStore } from './stores/sqlite/registration.ts'

/** Messages list the URLs in this order. The service itself opens an external API, because it adds locks. */
const REGISTERED: readonly (StoreRegistration | UrlForm)[] = [sqliteStore, memoryStore, externalHttpUrls, postgresStore]

const STORES = REGISTERED.filter((one) => 'load' in one)

/** The URLs of all stores, external APIs included. */
export const STORE_URLS: readonly UrlForm[] = REGISTERED

/** The URLs of the databases that `directUrl` of the settings may name. */
export const DATABASE_URLS: readonly UrlForm[] = [postgresStore]

/** Opens the store. Rejects with IngotError CONFIG_INVALID for an unknown scheme, and with the store's open error. */
export async function openStore(settings: StoreSettings): Promise<ItemStore> {
  const registration = formOf(settings.url, STORES)
  if (registration === undefined) {
    const scheme = schemeOf(settings.url)
    const allowed = STORES.flatMap(({ schemes }) => schemes.map((one) => `${one}:`)).join(', ')
    const named = scheme === '' ? settings.url : `${scheme}:`
    throw new IngotError('CONFIG_INVALID', `no store for "${named}", use one of ${allowed}`)
  }
  const open = await registration.load()
  return open(settings)
}

/** Returns true if the URL names an external API. Such a store needs locks in front of it. */
export function isExternalStore(url: string): boolean {
  return formOf(url, STORE_URLS) === externalHttpUrls
}

/** Returns true if the URL names a Postgres database. */
export function isPostgresStore(url: string): boolean {
  return formOf(url, STORE_URLS) === postgresStore
}

/** Returns true if the URL names the embedded store, which is in the data folder. */
export function isEmbeddedStore(url: string): boolean {
  return formOf(url, STORE_URLS) === sqliteStore
}
