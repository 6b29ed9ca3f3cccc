/**
 * The store for many replicas: one Postgres database. Its primary key alone decides about duplicates. Acknowledged
 * items are committed, and replicated to standbys as far as the server is configured for it. migrations/ has the tables
 * and functions, writer.ts the storing of batches, store-version.ts the meaning of the version.
 */

import { IngotError } from '../../../errors/error.ts'
import { type IdentityPolicy, policyText } from '../../../identity/policy.ts'
import type { Rows } from '../../../postgres/pool.ts'
import { createTransactions, ROLLBACK, type Transactions } from '../../../postgres/transactions.ts'
import { type Clock, systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import type { CollectionDeletion, DeleteCollectionOutcome, PurgeStep } from '../../collection-deletion.ts'
import { collectionPage } from '../../collection-page.ts'
import type { Collection, ItemId, StoredItem } from '../../item.ts'
import { createItemCheck, damaged } from '../../item-check.ts'
import { itemKey } from '../../item-key.ts'
import {
  type CollectionPage,
  type DefineOutcome,
  type ItemStore,
  type Page,
  type PageRequest,
  storeCapabilities,
  type Unit,
  type UnitOutcome,
} from '../../store.ts'
import type { StorePool, StoreSettings } from '../../store-registration.ts'
import type { StoreVersion } from '../../store-version.ts'
import { COLLECTIONS, collectionsOfRows } from './collections.ts'
import { createDeletions } from './deletions.ts'
import { reportDamage } from './failure.ts'
import { migrate } from './migrate.ts'
import { collectionChecksum, flag, itemOfRow, number, onlyRow, policyOfRow, type Row, text } from './rows.ts'
import { createPut, type Put } from './writer.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`. It may lead to a pooler in transaction mode. */
  readonly url: string
  /** Address for migrations, without the pooler. Default: `url`. */
  readonly directUrl?: string
  /** Time limit of a statement and of a connection attempt, in milliseconds. Default: 5000. */
  readonly timeoutMs?: number
  readonly clock?: Clock
  /** Called before each retry of a transaction that the server aborted (deadlock, serialization failure). */
  readonly onRetry?: (sqlstate: string) => void
  readonly onPool?: StoreSettings['onPool']
}

/** Concurrent batches per replica. More would exceed the server's processors and only wait in the server. */
const PARALLEL_PUTS = 4

/** Connections for everything else, so that reads and batches do not wait for each other. */
const OTHER_CONNECTIONS = 4

/** A page of large items is shortened, because it has to fit into memory several times on its way to the client. */
const PAGE_BYTES = 8 * 1_024 * 1_024

/**
 * Migrates and connects. Rejects with IngotError STORE_UNAVAILABLE, with STORE_SHAPE_UNKNOWN for a database of a newer
 * version, or with STORE_UNSUITABLE for a server that may lose commits.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<ItemStore> {
  const { url, timeoutMs = 5_000, clock = systemClock } = options
  await migrate({ url: options.directUrl ?? url })
  const scope = createScope()
  const closing = new AbortController()
  const connect = (connections: number): Transactions => {
    const transactions = createTransactions({ url, errorCode: 'STORE_UNAVAILABLE', connections, timeoutMs, clock })
    scope.defer(() => transactions[Symbol.asyncDispose]())
    return transactions
  }
  const transactions = connect(PARALLEL_PUTS)
  const others = connect(OTHER_CONNECTIONS)
  scope.defer(() => closing.abort(new IngotError('STORE_UNAVAILABLE', 'the store is closed')))
  const put = createPut({ transactions, clock, closing: closing.signal, onRetry: options.onRetry ?? (() => {}) })
  try {
    await refuseFsyncOff(others)
    options.onPool?.(() => together(transactions.connections(), others.connections()))
    return new PostgresStore(put, others, () => scope.close())
  } catch (error) {
    await scope.close()
    throw error
  }
}

function together(one: StorePool, other: StorePool): StorePool {
  return {
    idle: one.idle + other.idle,
    used: one.used + other.used,
    limit: one.limit + other.limit,
    waiting: one.waiting + other.waiting,
  }
}

/** Rejects if the server does not sync its log: its commits would not be durable. */
async function refuseFsyncOff(transactions: Transactions): Promise<void> {
  const rows = await transactions.once({ text: "SELECT current_setting('fsync') AS fsync" })
  if (text(onlyRow(rows), 'fsync') === 'on') return
  throw new IngotError('STORE_UNSUITABLE', 'the Postgres server has fsync off: a crash would lose acknowledged items')
}

class PostgresStore implements ItemStore {
  readonly capabilities = storeCapabilities({
    enforcesUniqueness: true,
    keepsReceipts: true,
    parallelPuts: PARALLEL_PUTS,
  })
  readonly #check = createItemCheck()
  readonly #deletions = createDeletions((query, values) => this.#query(query, values))
  readonly #put: Put
  readonly #transactions: Transactions
  readonly #close: () => Promise<void>

  constructor(put: Put, transactions: Transactions, close: () => Promise<void>) {
    this.#put = put
    this.#transactions = transactions
    this.#close = close
  }

  put(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    return reportDamage(this.#put(units, nowMs))
  }

  async collection(name: string): Promise<Collection | undefined> {
    const { rows } = await this.#query('SELECT policy, checksum FROM ingot_collections WHERE name = $1', [name])
    return rows[0] && { name, policy: policyOfRow(name, rows[0]) }
  }

  async collections({ after = '', limit }: PageRequest): Promise<CollectionPage> {
    const { rows } = await this.#query(COLLECTIONS, [after, limit + 1])
    return collectionPage(collectionsOfRows(rows), limit)
  }

  async define(name: string, policy: IdentityPolicy): Promise<DefineOutcome> {
    const to = { name, policy: policyText(policy) }
    const values = [name, to.policy, collectionChecksum(to)]
    const rows = await this.#query('SELECT ingot_define_2($1, $2, $3) AS outcome', values)
    const outcome = text(onlyRow(rows), 'outcome')
    return outcome === 'defined' || outcome === 'unchanged' ? outcome : 'immutable'
  }

  async get(collection: string, id: ItemId): Promise<StoredItem | undefined> {
    const { rows } = await this.#query(GET, [collection, itemKey(id)])
    const [served] = await this.#served(collection, rows)
    return served
  }

  async list(collection: string, page: PageRequest): Promise<Page> {
    const { place, horizon } = parseCursor(page.after)
    const { rows } = await this.#query(LIST, [collection, place, horizon, page.limit, PAGE_BYTES])
    const last = rows.at(-1)
    const items = await this.#served(collection, rows)
    return last !== undefined && flag(last, 'more') ? { items, next: cursorOf(last) } : { items }
  }

  async delete(collection: string, id: ItemId): Promise<boolean> {
    const rows = await this.#query('SELECT ingot_delete_1($1, $2) AS removed', [collection, itemKey(id)])
    return flag(onlyRow(rows), 'removed')
  }

  deleteCollection(collection: string, nowMs: number): Promise<DeleteCollectionOutcome> {
    return this.#deletions.deleteCollection(collection, nowMs)
  }

  deletion(collection: string, id: string): Promise<CollectionDeletion | undefined> {
    return this.#deletions.deletion(collection, id)
  }

  purge(nowMs: number, after?: string): Promise<PurgeStep> {
    return this.#deletions.purge(nowMs, after)
  }

  async check(): Promise<void> {
    await this.#transactions.session(async (exchange) => {
      const [, rows] = await exchange([this.#transactions.begin, WRITABLE, ROLLBACK])
      if (rows !== undefined && flag(onlyRow(rows), 'writable')) return
      throw new IngotError(
        'STORE_UNAVAILABLE',
        'the Postgres database is set read-only: default_transaction_read_only is on',
      )
    })
  }

  async version(collection: string): Promise<StoreVersion> {
    const row = onlyRow(await this.#query('SELECT * FROM ingot_past_1($1)', [collection]))
    return { epoch: text(row, 'epoch'), position: BigInt(text(row, 'log_position')), deletes: number(row, 'deletes') }
  }

  async beginEpoch(): Promise<string> {
    return text(onlyRow(await this.#query('SELECT ingot_start_epoch_1() AS epoch', [])), 'epoch')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }

  /** Returns the items of rows. Throws if an item has changed. */
  async #served(name: string, rows: Rows['rows']): Promise<readonly StoredItem[]> {
    const read = rows.map(itemOfRow)
    const known = read.some((row) => row.checksum === null) ? await this.collection(name) : undefined
    const policy = (): IdentityPolicy => {
      if (known === undefined) throw damaged(`the row of collection "${name}"`)
      return known.policy
    }
    return read.map((row) => this.#check(row, { name, policy }))
  }

  #query(query: string, values: readonly unknown[]): Promise<Rows> {
    return reportDamage(this.#transactions.once({ text: query, values }))
  }
}

const GET = `SELECT i.id, i.media, i.first_seen_ms, i.content, i.checksum
FROM ingot_collections c JOIN ingot_items i ON i.collection = c.id
WHERE c.name = $1 AND i.id = $2`

const LIST = 'SELECT * FROM ingot_list_2($1, $2, $3, $4, $5)'

/** A write begins by taking a transaction number. A server in recovery refuses this. */
const WRITABLE = {
  text: "SELECT pg_current_xact_id() IS NOT NULL AND current_setting('transaction_read_only') = 'off' AS writable",
}

/** `<place>.<horizon>`. See the SQL function ingot_list_1. */
const CURSOR = /^(\d{1,19})\.(\d{1,19})$/

function cursorOf(row: Row): string {
  return `${text(row, 'place')}.${text(row, 'horizon')}`
}

function parseCursor(after: string | undefined): { readonly place: string; readonly horizon: string | null } {
  if (after === undefined) return { place: '-1', horizon: null }
  const [, place, horizon] = CURSOR.exec(after) ?? []
  if (place !== undefined && horizon !== undefined) return { place, horizon }
  throw new IngotError(
    'REQUEST_INVALID',
    `"${after}" is no cursor of this store: send "next" of the previous page unchanged`,
  )
}
