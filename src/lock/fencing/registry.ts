/** Opens the fence store that a URL names. Its code is loaded when a URL first names it. */
import { IngotError } from '../../errors/error.ts'
import type { FenceStore } from './fence-store.ts'

type Open = (url: string, signal: AbortSignal) => Promise<FenceStore>

const postgres: Open = async (url, signal) => (await import('./postgres.ts')).openPostgresFences(url, signal)

const STORES: Readonly<Record<string, Open>> = {
  memory: async () => (await import('./memory.ts')).createMemoryFences(),
  sqlite: async (url) => (await import('./sqlite.ts')).openSqliteFences(url.slice('sqlite:'.length)),
  postgres,
  postgresql: postgres,
}

/**
 * Opens `sqlite:PATH` for one machine, `postgres://…` for many, `memory:` for tests. Rejects with `CONFIG_INVALID` for
 * another scheme, with `FENCE_STORE_UNAVAILABLE` for a store that does not respond, and with the signal's reason.
 */
export async function openFenceStore(url: string, signal: AbortSignal): Promise<FenceStore> {
  const scheme = /^([a-z]+):/.exec(url)?.[1] ?? ''
  const open = Object.hasOwn(STORES, scheme) ? STORES[scheme] : undefined
  if (open !== undefined) return open(url, signal)
  const allowed = Object.keys(STORES).join(':, ')
  throw new IngotError('CONFIG_INVALID', `fence store URL has the unknown scheme "${scheme}:"; allowed are ${allowed}:`)
}
