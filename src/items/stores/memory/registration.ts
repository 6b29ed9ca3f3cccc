/** Registers the in-memory store. `memory:` has no parameters. */
import type { StoreRegistration } from '../../store-registration.ts'

export const memoryStore: StoreRegistration = {
  schemes: ['memory'],
  examples: ['memory:'],
  async load() {
    const { createMemoryStore } = await import('./store.ts')
    return async () => createMemoryStore()
  },
}
