/** Reads the store directly: Postgres by SQL, the legacy backend by its audit log. */
import { Type } from 'typebox'
import type { Kubectl } from '../../../kube/kubectl.ts'
import { createPostgres } from '../../../postgres/pool.ts'
import type { FinalStore } from '../../checkers/final-store.ts'
import { readAuditLog } from '../../final-store/audit-log.ts'
import { readPostgresStore } from '../../final-store/postgres.ts'
import type { Store } from '../../plan.ts'

const READ_MS = 120_000

const SECRET = Type.Object({ data: Type.Object({ password: Type.String() }) })

/** A release whose store is read through the API server. */
export interface StoreOptions {
  readonly kubectl: Kubectl
  readonly store: Store
  /** Full name of the release, with which the names of its Services begin. */
  readonly name: string
}

/** Resolves with the content of one collection. Other runs use other collections. */
export async function readStore(options: StoreOptions, collection: string, signal: AbortSignal): Promise<FinalStore> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)])
  const { kubectl, store, name } = options
  const all =
    store === 'postgres' ? await readPostgres(kubectl, name, bounded) : await readLegacy(kubectl, name, bounded)
  return ofCollection(all, collection)
}

/** Returns the part of the store that belongs to the collection. */
export function ofCollection(all: FinalStore, collection: string): FinalStore {
  const isOwn = (row: { readonly collection: string }): boolean => row.collection === collection
  return {
    ...all,
    rows: all.rows.filter(isOwn),
    ...(all.saves === undefined ? {} : { saves: all.saves.filter(isOwn) }),
  }
}

async function readPostgres(kubectl: Kubectl, release: string, signal: AbortSignal): Promise<FinalStore> {
  const name = `${release}-postgres`
  const { data } = await kubectl.read(SECRET, ['get', 'secret', name], { signal })
  const password = Buffer.from(data.password, 'base64').toString()
  using forward = await kubectl.forward(`service/${name}`, 5432, signal)
  const url = `postgres://ingot:${encodeURIComponent(password)}@127.0.0.1:${forward.port}/ingot`
  await using postgres = createPostgres({ url, errorCode: 'INPUT_UNREADABLE', connections: 1, timeoutMs: READ_MS })
  return await readPostgresStore(async (sql) => (await postgres.query(sql, [], signal)).rows)
}

async function readLegacy(kubectl: Kubectl, release: string, signal: AbortSignal): Promise<FinalStore> {
  using forward = await kubectl.forward(`service/${release}-legacy`, 9090, signal)
  return await readAuditLog(`http://127.0.0.1:${forward.port}/audit`, 'on', signal)
}
