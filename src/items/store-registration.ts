/** The part of a store folder that the registry uses. */
import type { UrlForm } from '../std/url-form.ts'
import type { ItemStore } from './store.ts'

export interface StoreSettings {
  readonly url: string
  /** Folder of the embedded store. */
  readonly data: string
  /** Address of the same store without the pooler. Default: `url`. */
  readonly directUrl?: string
  /** Called for every transaction that the server aborted and that is retried. Shared stores only. */
  readonly onRetry?: (sqlstate: string) => void
  /** Called once with a function that returns the current state of the connections. Shared stores only. */
  readonly onPool?: (read: () => StorePool) => void
}

/** The connections of a store to its server. */
export interface StorePool {
  readonly idle: number
  readonly used: number
  readonly limit: number
  /** Calls that wait for a connection. */
  readonly waiting: number
}

export type OpenStore = (settings: StoreSettings) => Promise<ItemStore>

/** Declares a store's URLs. Its code is loaded when a URL first names it. */
export interface StoreRegistration extends UrlForm {
  readonly load: () => Promise<OpenStore>
}
