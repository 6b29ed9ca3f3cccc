import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createTransactions, ROLLBACK, type Transactions } from '../../../postgres/transactions.ts'
import { type PgBouncer, startPgBouncer } from '../../../testing/postgres/bouncer.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { item, storeContract } from '../../contract.ts'
import type { ItemStore, Unit } from '../../store.ts'
import { createBatch } from './batch.ts'
import { openPostgresStore, type PostgresStoreOptions } from './store.ts'

let server: PostgresServer | Absent
let bouncer: PgBouncer | Absent
beforeAll(async () => {
  server = await startPostgres({ settings: ['max_connections=200'] })
  bouncer = 'absent' in server ? server : await startPgBouncer(server.url)
})
afterAll(async () => {
  for (const one of [bouncer, server]) if (!('absent' in one)) await one[Symbol.asyncDispose]()
})

storeContract('postgres', async () => {
  if ('absent' in server) return server
  return openPostgresStore({ url: await server.database() })
})

storeContract('postgres through PgBouncer in transaction mode', async () => {
  if ('absent' in server) return server
  if ('absent' in bouncer) return bouncer
  const directUrl = await server.database()
  return openPostgresStore({ url: bouncer.through(directUrl), directUrl })
})

const collection = { name: 'things', policy: { kind: 'json' } } as const
const CLAIM = {
  scope: 'tester',
  key: 'key',
  fingerprint: 'f',
  expiresAtMs: 1_000,
  form: { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] },
} as const
const unit = (...values: readonly unknown[]): Unit => ({ collection, items: values.map((value) => item(value)) })

async function open(url: string, options: Partial<PostgresStoreOptions> = {}): Promise<ItemStore> {
  const store = await openPostgresStore({ url, ...options })
  onTestFinished(() => store[Symbol.asyncDispose]())
  return store
}

function shuffled<T>(list: readonly T[]): readonly T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

async function drain(store: ItemStore, limit = 1_000): Promise<readonly string[]> {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await store.list('things', after === undefined ? { limit } : { limit, after })
    ids.push(...page.items.map((one) => one.id))
    after = page.next
  } while (after !== undefined)
  return ids
}

/** A put that keeps its transaction open until `end`, like a put of a slow client. */
async function holdPut(transactions: Transactions, held: Unit) {
  const batch = createBatch([held])
  const release = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<void>()
  onTestFinished(() => release.resolve())
  const values = batch
    .putValues(
      held.items.map((_, row) => row),
      1,
    )
    .slice(0, 7)
  const text = 'SELECT * FROM ingot_put_1($1, $2, $3, $4, $5, $6, $7)'
  const ended = transactions.session(async (exchange) => {
    await exchange([transactions.begin, { text, values }])
    taken.resolve()
    await release.promise
    await exchange([{ text: 'COMMIT' }])
  })
  await taken.promise
  return {
    async commit(): Promise<void> {
      release.resolve()
      await ended
    },
  }
}

function connect(url: string, timeoutMs = 10_000): Transactions {
  const transactions = createTransactions({ url, errorCode: 'STORE_UNAVAILABLE', timeoutMs })
  onTestFinished(() => transactions[Symbol.asyncDispose]())
  return transactions
}

/** Slows down every insert, so that batches overlap on any machine. */
async function slowDown(url: string): Promise<void> {
  await runSql(
    url,
    `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(random() * 0.001); RETURN new; END $$;
    CREATE TRIGGER dawdle BEFORE INSERT ON ingot_items FOR EACH ROW EXECUTE FUNCTION dawdle()`,
  )
}

async function isPending(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const waited = new Promise((resolve) => setTimeout(() => resolve('waited'), ms))
  return (await Promise.race([promise.then(() => 'settled'), waited])) === 'waited'
}

test('eight writers with the same items in different orders create each item once, without a deadlock', async ({
  skip,
}) => {
  const url = await present(server, skip).database()
  const retries: string[] = []
  const onRetry = (sqlstate: string): void => void retries.push(sqlstate)
  const stores = await Promise.all(Array.from({ length: 8 }, () => open(url, { onRetry })))
  await slowDown(url)
  const items = Array.from({ length: 240 }, (_, n) => item({ n }))
  const created = new Map<string, number>()

  async function write(store: ItemStore, round: number): Promise<void> {
    const names = shuffled(['a', 'b', 'c'])
    const units = names.map((name): Unit => {
      const part = shuffled(items.slice(round * 40, round * 40 + 40))
      const keyRequest = { ...CLAIM, key: `${name} ${round} ${store === stores[0]}` }
      return { collection: { name, policy: collection.policy }, items: part, idempotency: keyRequest }
    })
    for (const [index, outcome] of (await store.put(units, 1)).entries()) {
      if (outcome.kind !== 'stored') continue
      for (const [at, one] of outcome.outcomes.entries()) {
        const id = `${names[index]} ${units[index]?.items[at]?.id}`
        if (one.kind === 'created') created.set(id, (created.get(id) ?? 0) + 1)
      }
    }
  }
  for (let round = 0; round < 6; round++) await Promise.all(stores.map((store) => write(store, round)))
  expect(retries).toEqual([])
  expect([...created.values()].filter((times) => times !== 1)).toEqual([])
  expect(created.size).toBe(720)
  expect(await runSql(url, 'SELECT count(*)::int AS n FROM ingot_items')).toEqual([{ n: 720 }])
})

test('an item that is deleted while many clients send it is stored once or not at all', async ({ skip }) => {
  const store = await open(await present(server, skip).database())
  let created = 0
  let deleted = 0
  async function send(): Promise<void> {
    for (let n = 0; n < 60; n++) {
      const [outcome] = await store.put([unit('contested', 'quiet')], n)
      if (outcome?.kind === 'stored' && outcome.outcomes[0]?.kind === 'created') created++
    }
  }
  async function remove(): Promise<void> {
    for (let n = 0; n < 60; n++) if (await store.delete('things', item('contested').id)) deleted++
  }
  await Promise.all([send(), send(), send(), remove(), remove()])
  const left = await store.get('things', item('contested').id)
  expect(created - deleted).toBe(left === undefined ? 0 : 1)
  expect(created).toBeGreaterThan(1)
  expect((await store.version('things')).deletes).toBe(deleted)
})

test('stores a batch with mostly known items and one new item', async ({ skip }) => {
  const store = await open(await present(server, skip).database())
  await store.put([unit(1, 2, 3, 4)], 1)
  await store.put([unit(1, 2, 3, 4)], 2)
  // from here on it looks up before it inserts
  const other = { collection: { name: 'empty', policy: { kind: 'bytes' } }, items: [] } as const
  expect(await store.put([unit(4, 'new', 1), other, unit(1)], 3)).toEqual([
    {
      kind: 'stored',
      outcomes: [
        { kind: 'duplicate', firstSeenMs: 1, foundBy: 'store' },
        { kind: 'created', firstSeenMs: 3 },
        { kind: 'duplicate', firstSeenMs: 1, foundBy: 'store' },
      ],
    },
    { kind: 'stored', outcomes: [] },
    { kind: 'stored', outcomes: [{ kind: 'duplicate', firstSeenMs: 1, foundBy: 'store' }] },
  ])
  const stale = { collection: { name: 'things', policy: { kind: 'bytes' } }, items: unit(1).items } as const
  expect(await store.put([unit(1), stale], 4)).toMatchObject([{ kind: 'stored' }, { kind: 'policy-changed' }])
})

test('a page waits for a put that took its number earlier and commits later', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  await store.put([unit('first')], 1)
  const held = await holdPut(connect(url), unit('slow 1', 'slow 2'))
  await store.put([unit('fast')], 2)
  const page = store.list('things', { limit: 2 })
  expect(await isPending(page, 300)).toBe(true)
  await held.commit()
  expect((await page).items.map((one) => one.id)).toEqual([item('first').id, item('slow 1').id])
  expect(await drain(store, 1)).toEqual(['first', 'slow 1', 'slow 2', 'fast'].map((value) => item(value).id))
})

test('a page does not wait for other collections, or for transactions of other programs', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  await store.put([unit('mine')], 1)
  const others = { collection: { name: 'elsewhere', policy: collection.policy }, items: unit('held').items }
  const held = await holdPut(connect(url), others)
  const stranger = connect(url)
  await stranger.session(async (exchange) => {
    await exchange([stranger.begin, { text: 'CREATE TABLE unfinished ()' }])
    await store.put([unit('after')], 2)
    expect(await drain(store)).toEqual([item('mine').id, item('after').id])
    await exchange([ROLLBACK])
  })
  await held.commit()
})

test('no reader misses an item while writers commit in any order', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  await slowDown(url)
  const stop = new AbortController()
  let written = 0
  async function write(name: number): Promise<void> {
    for (let n = 0; !stop.signal.aborted; n++) {
      const many = Array.from({ length: 1 + ((name * 7 + n) % 30) }, (_, at) => [name, n, at])
      await store.put([unit(...many)], n)
      written += many.length
    }
  }
  /** Reads pages up to the moving end. An item that it skips is never read. */
  async function follow(): Promise<ReadonlySet<string>> {
    const seen = new Set<string>()
    let after: string | undefined
    for (let looks = 0; looks < 200; looks++) {
      const page = await store.list('things', after === undefined ? { limit: 20 } : { limit: 20, after })
      for (const one of page.items) seen.add(one.id)
      after = page.next ?? after
    }
    return seen
  }
  const writers = [1, 2, 3, 4].map(write)
  const followers = await Promise.all([follow(), follow()])
  stop.abort()
  await Promise.all(writers)
  const all = await drain(store)
  expect(all).toHaveLength(written)
  for (const seen of followers) {
    expect(seen.size).toBeGreaterThan(100)
    const last = all.findLastIndex((id) => seen.has(id))
    expect(all.slice(0, last + 1).filter((id) => !seen.has(id))).toEqual([])
  }
})

test('a page of large items is shortened, and the next page continues after it', async ({ skip }) => {
  const store = await open(await present(server, skip).database())
  const large = Array.from({ length: 12 }, (_, n) => `${n} ${'x'.repeat(1_000_000)}`)
  await store.put([unit(...large)], 1)
  const page = await store.list('things', { limit: 12 })
  expect(page.items.length).toBeLessThan(12)
  expect(await drain(store, 12)).toEqual(large.map((value) => item(value).id))
})

test('a policy does not change during a put', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  const held = await holdPut(connect(url), unit('held'))
  const changed = store.define('things', { kind: 'bytes' })
  expect(await isPending(changed, 200)).toBe(true)
  await held.commit()
  expect(await changed).toBe('immutable')
  expect(await store.collection('things')).toEqual({ name: 'things', policy: collection.policy })
})

test('the receipt of a key belongs to the items of the same commit', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  const keyed = { ...unit('keyed'), idempotency: CLAIM }
  const outcomes = await store.put([keyed, keyed, { ...keyed, idempotency: { ...CLAIM, fingerprint: 'other' } }], 1)
  expect(outcomes.map((one) => one.kind)).toEqual(['stored', 'replayed', 'key-reused'])
  const stale = { collection: { name: 'things', policy: { kind: 'bytes' } }, items: [] } as const
  const other = { ...CLAIM, key: 'other' }
  expect(await store.put([{ ...stale, idempotency: other }], 2)).toEqual([{ kind: 'policy-changed' }])
  expect(await runSql(url, 'SELECT key, status FROM ingot_receipts')).toEqual([{ key: CLAIM.key, status: 201 }])
})

test('deletes expired receipts', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  for (const n of [1, 2, 3])
    await store.put([{ ...unit(n), idempotency: { ...CLAIM, key: `${n}`, expiresAtMs: 10 } }], 1)
  await store.put([{ ...unit(4), idempotency: { ...CLAIM, key: 'late', expiresAtMs: 99 } }], 11)
  expect(await runSql(url, 'SELECT key FROM ingot_receipts')).toEqual([{ key: 'late' }])
})

test('retries a transaction that the server aborted, and counts it', async ({ skip }) => {
  const url = await present(server, skip).database()
  const retries: string[] = []
  const store = await open(url, { onRetry: (sqlstate) => retries.push(sqlstate) })
  await runSql(
    url,
    `CREATE SEQUENCE failures;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('failures') <= 2 THEN RAISE EXCEPTION 'victim' USING ERRCODE = 'deadlock_detected'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON ingot_items FOR EACH ROW EXECUTE FUNCTION fail()`,
  )
  expect(await store.put([unit('tried')], 1)).toMatchObject([{ outcomes: [{ kind: 'created' }] }])
  expect(retries).toEqual(['40P01', '40P01'])
})

test('a put that waits too long for a row of another one fails, and can be repeated', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url, { timeoutMs: 400 })
  const held = await holdPut(connect(url), unit('contested'))
  await expect(store.put([unit('contested', 'mine')], 1)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await held.commit()
  expect(await store.put([unit('contested', 'mine')], 2)).toMatchObject([
    { outcomes: [{ kind: 'duplicate', firstSeenMs: 1 }, { kind: 'created' }] },
  ])
})

test('a read-only database is unavailable, and the error names the cause', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await open(url)
  const [{ name } = { name: '' }] = await runSql(url, 'SELECT current_database() AS name')
  await runSql(url, `ALTER DATABASE ${String(name)} SET default_transaction_read_only = on`)
  const later = await open(url)
  const reason = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('read-only') as string }
  await expect(later.put([unit(1)], 1)).rejects.toMatchObject(reason)
  await expect(later.check()).rejects.toMatchObject(reason)
  await expect(store.check()).resolves.toBeUndefined()
})

test('looks rows up by their index even before the server has statistics', async ({ skip }) => {
  const url = await present(server, skip).database()
  const store = await openPostgresStore({ url })
  const scans = async (): Promise<unknown> => {
    const tables = "SELECT sum(seq_scan)::int AS n FROM pg_stat_user_tables WHERE relname ~ 'ingot_items'"
    return (await runSql(url, `SELECT pg_stat_clear_snapshot(); ${tables}`))[0]?.['n']
  }
  // building the empty indexes read the empty tables
  const before = await scans()
  const many = (n: number): Unit => unit(...Array.from({ length: 500 }, (_, at) => [n, at]))
  for (let n = 0; n < 8; n++) await store.put([many(n)], 1)
  for (let n = 0; n < 8; n++) await store.put([many(n)], 1)
  await drain(store, 100)
  // a session reports its statistics when it ends
  await store[Symbol.asyncDispose]()
  expect(await scans()).toBe(before)
})

test('refuses a server that does not sync its log', async ({ skip }) => {
  present(server, skip)
  const careless = present(await startPostgres({ settings: ['fsync=off'] }), skip)
  onTestFinished(() => careless[Symbol.asyncDispose]())
  await expect(openPostgresStore({ url: careless.url })).rejects.toMatchObject({ code: 'STORE_UNSUITABLE' })
})
