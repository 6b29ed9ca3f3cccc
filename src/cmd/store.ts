/** The store that the configuration names, for the commands that use one. */
import type { Config } from '../config/schema.ts'
import { openStore } from '../items/registry.ts'
import type { ItemStore } from '../items/store.ts'

/** Throws what the store throws that cannot be opened. */
export function openConfiguredStore(config: Config): Promise<ItemStore> {
  const { storeUrl: url, data, storeDirectUrl: directUrl } = config
  return openStore(directUrl === undefined ? { url, data } : { url, data, directUrl })
}

/** Where items are, for people and logs: never with a password. */
export function storePlace({ storeUrl, data }: Config): string {
  if (storeUrl.startsWith('sqlite:')) return data
  if (!URL.canParse(storeUrl)) return storeUrl.replace(/\/\/.*@/, '//')
  const url = new URL(storeUrl)
  url.password = ''
  // libpq's parameters may hold one too
  url.search = ''
  return url.href
}
