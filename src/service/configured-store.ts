/** The store that the configuration names, for the commands that use one. */
import type { Config } from '../config/schema.ts'
import { openStore, type StoreSettings } from '../items/registry.ts'
import type { ItemStore } from '../items/store.ts'

type Watch = Pick<StoreSettings, 'onRetry'>

/** Throws what the store throws that cannot be opened. */
export function openConfiguredStore(config: Config, watch: Watch = {}): Promise<ItemStore> {
  const { storeUrl: url, data, storeDirectUrl: directUrl } = config
  return openStore({ url, data, ...watch, ...(directUrl === undefined ? {} : { directUrl }) })
}

/** Whether items live in a system of somebody else's: no command of ours can look into it. */
export function isHttpStore({ storeUrl }: Config): boolean {
  return /^https?:/.test(storeUrl)
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
