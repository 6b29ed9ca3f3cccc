/** The part of a store folder that the registry uses. */
import type { ItemStore } from './store.ts'

export interface StoreSettings {
  readonly url: string
  /** Folder of the embedded store. */
  readonly data: string
  /** Address of the same database without a pooler. Default: `url`. */
  readonly directUrl?: string
  /** Called before each retry of a transaction that the server aborted. Only shared stores call it. */
  readonly onRetry?: (sqlstate: string) => void
}

export type OpenStore = (settings: StoreSettings) => Promise<ItemStore>

/** A store's URL schemes and its loader. The code is loaded when a URL first names the store. */
export interface StoreRegistration {
  /** Without the colon, such as `postgres`. */
  readonly schemes: readonly string[]
  readonly load: () => Promise<OpenStore>
}
