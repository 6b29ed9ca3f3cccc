/** What a store folder declares for the registry. */
import type { ItemStore } from './store.ts'

export interface StoreSettings {
  readonly url: string
  /** Folder of the embedded store. */
  readonly data: string
  /** Address of the same store without the pooler. Default: `url`. */
  readonly directUrl?: string
  /** Called for every transaction that the server aborted and that is retried. Shared stores only. */
  readonly onRetry?: (sqlstate: string) => void
}

export type OpenStore = (settings: StoreSettings) => Promise<ItemStore>

/** Names a store's URL schemes. Its code is loaded when a URL first names it. */
export interface StoreRegistration {
  /** Without the colon, such as `postgres`. */
  readonly schemes: readonly string[]
  readonly load: () => Promise<OpenStore>
}
