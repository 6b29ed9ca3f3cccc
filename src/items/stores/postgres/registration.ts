/** Registers the Postgres store: `postgres://user:password@host:port/database`. */
import type { StoreRegistration } from '../../store-registration.ts'

export const postgresStore: StoreRegistration = {
  schemes: ['postgres', 'postgresql'],
  examples: ['postgres://user:password@host:port/database'],
  standard: true,
  async load() {
    const { openPostgresStore } = await import('./store.ts')
    return openPostgresStore
  },
}
