/** Registers the embedded store. `sqlite:` has no parameters, because the store is in the data folder. */
import type { StoreRegistration } from '../../store-registration.ts'

export const sqliteStore: StoreRegistration = {
  schemes: ['sqlite'],
  examples: ['sqlite:'],
  async load() {
    const { openSqliteStore } = await import('./store.ts')
    return ({ data }) => openSqliteStore(data)
  },
}
