/** Opens the store that the configuration names, for commands that need it. */
import type { Config } from '../config/schema.ts'
import { isEmbeddedStore, isExternalStore, openStore } from '../items/registry.ts'
import type { ItemStore } from '../items/store.ts'
import type { StoreSettings } from '../items/store-registration.ts'

type Watch = Pick<StoreSettings, 'onRetry' | 'onPool'>

/** Opens the store. Rejects with the store's open error. */
export function openConfiguredStore(config: Config, watch: Watch = {}): Promise<ItemStore> {
  const { storeUrl: url, data, storeDirectUrl: directUrl } = config
  return openStore({ url, data, ...watch, ...(directUrl === undefined ? {} : { directUrl }) })
}

/** Returns true if the items are in an external API, which no command can read. */
export function isHttpStore({ storeUrl }: Config): boolean {
  return isExternalStore(storeUrl)
}

/** Returns the location of the items for users and logs. It never contains a password. */
export function storeLocation({ storeUrl, data }: Config): string {
  if (isEmbeddedStore(storeUrl)) return data
  if (!URL.canParse(storeUrl)) return storeUrl.replace(/\/\/.*@/, '//')
  const url = new URL(storeUrl)
  url.password = ''
  // libpq's parameters may also contain a password
  url.search = ''
  return url.href
}
