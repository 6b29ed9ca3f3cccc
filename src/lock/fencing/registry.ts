/** Finds the fence store that a URL names. Its code is loaded when a URL first names it. */
import { IngotError } from '../../errors/error.ts'
import { formOf, schemeOf, type UrlForm } from '../../std/url-form.ts'
import type { FenceStore } from './fence-store.ts'

type Open = (url: string, signal: AbortSignal) => Promise<FenceStore>

interface FenceStoreEntry extends UrlForm {
  readonly open: Open
}

const STORES: readonly FenceStoreEntry[] = [
  {
    schemes: ['memory'],
    examples: ['memory:'],
    open: async () => (await import('./memory.ts')).createMemoryFences(),
  },
  {
    schemes: ['sqlite'],
    examples: ['sqlite:FILE'],
    open: async (url) => (await import('./sqlite.ts')).openSqliteFences(url.slice('sqlite:'.length)),
  },
  {
    schemes: ['postgres', 'postgresql'],
    examples: ['postgres://user:password@host:port/database'],
    standard: true,
    open: async (url, signal) => (await import('./postgres.ts')).openPostgresFences(url, signal),
  },
]

/** The URLs of all fence stores. */
export const FENCE_URLS: readonly UrlForm[] = STORES

/**
 * Opens the fence store: `sqlite:PATH` for one machine, `postgres://…` for many, `memory:` for tests. Rejects with
 * `CONFIG_INVALID` for another scheme, with `FENCE_STORE_UNAVAILABLE` for a store that does not respond, and with the
 * signal's reason.
 */
export async function openFenceStore(url: string, signal: AbortSignal): Promise<FenceStore> {
  const entry = formOf(url, STORES)
  if (entry !== undefined) return entry.open(url, signal)
  const allowed = STORES.flatMap(({ schemes }) => schemes.map((scheme) => `${scheme}:`)).join(', ')
  throw new IngotError(
    'CONFIG_INVALID',
    `fence store URL has the unknown scheme "${schemeOf(url)}:"; allowed are ${allowed}`,
  )
}
