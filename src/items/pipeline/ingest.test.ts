import { expect, test } from 'vitest'
import { systemClock } from '../../std/clock.ts'
import { overStore } from '../../testing/app.ts'
import { createRecentItems } from '../freshness/recent-ids.ts'
import type { ItemResult } from '../item.ts'
import type { RawContent } from '../prepare.ts'
import type { ItemStore, Unit } from '../store.ts'
import { createMemoryStore } from '../stores/memory/store.ts'
import { createGroupCommit } from './group-commit.ts'
import { createIngest, type Ingest } from './ingest.ts'

function setUp(store: ItemStore = createMemoryStore(), recentItems = 100) {
  const puts: Unit[][] = []
  const watched = overStore(store, {
    put(units, nowMs) {
      puts.push([...units])
      return store.put(units, nowMs)
    },
  })
  const commit = createGroupCommit({ store: watched, clock: systemClock })
  const ingest = createIngest({ store: watched, commit, recent: createRecentItems(recentItems) }, { maxDepth: 10 })
  return { ingest, puts }
}

const json = (text: string): RawContent => ({ media: 'application/json', content: Buffer.from(text) })
const submit = (ingest: Ingest, ...texts: string[]): Promise<readonly ItemResult[]> =>
  ingest.submit({ collection: 'c', contents: texts.map(json) })
const brief = (results: readonly ItemResult[]): unknown[] =>
  results.map((one) => (one.kind === 'duplicate' ? one.foundBy : one.kind === 'refused' ? one.error.code : one.kind))

test('reports where each duplicate was recognised', async () => {
  const { ingest } = setUp()
  expect(brief(await submit(ingest, '{"a":1}', '{ "a": 1.0 }', '2'))).toEqual(['created', 'batch', 'created'])
  expect(brief(await submit(ingest, '2', '3', '{"a":1}'))).toEqual(['memory', 'created', 'memory'])
})

test('asks the store for an id that memory has evicted', async () => {
  const { ingest } = setUp(createMemoryStore(), 0)
  await submit(ingest, '1')
  expect(brief(await submit(ingest, '1'))).toEqual(['store'])
})

test('saves content once when many callers send it at once, and returns the same id to all', async () => {
  const { ingest, puts } = setUp()
  const answers = await Promise.all(Array.from({ length: 50 }, () => submit(ingest, '{"hot":true}')))
  expect(answers.flatMap(brief).filter((one) => one === 'created')).toHaveLength(1)
  expect(answers.flatMap(brief).filter((one) => one === 'inflight')).toHaveLength(49)
  expect(new Set(answers.flat().map((one) => ('id' in one ? one.id : ''))).size).toBe(1)
  expect(puts.flat().flatMap((unit) => unit.items)).toHaveLength(1)
})

test('rejects every caller that joined a failed commit, and remembers none of its items', async () => {
  const store = createMemoryStore()
  let broken = true
  const failing = overStore(store, {
    put: (units, nowMs) => (broken ? Promise.reject(new Error('disk full')) : store.put(units, nowMs)),
  })
  const { ingest } = setUp(failing)
  const both = await Promise.allSettled([submit(ingest, '1'), submit(ingest, '1')])
  expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected'])
  broken = false
  expect(brief(await submit(ingest, '1'))).toEqual(['created'])
})

test('a failure that no caller waits for any more does not end the process', async () => {
  const unheard: unknown[] = []
  const listen = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', listen)
  const store = overStore(createMemoryStore(), { put: () => Promise.reject(new Error('disk full')) })
  const { ingest } = setUp(store)
  const both = await Promise.allSettled([submit(ingest, '1'), submit(ingest, '1', '2')])
  expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected'])
  await new Promise(setImmediate)
  process.off('unhandledRejection', listen)
  expect(unheard).toEqual([])
})

test('refuses an item individually, unless the refusal is fatal to the submission', async () => {
  const { ingest, puts } = setUp()
  expect(brief(await submit(ingest, '1', '{"a":1,"a":1}', '2'))).toEqual([
    'created',
    'JSON_DUPLICATE_MEMBER',
    'created',
  ])
  puts.length = 0
  const whole = ingest.submit({ collection: 'c', contents: [json('5'), json('x')], fatal: () => true })
  await expect(whole).rejects.toMatchObject({ code: 'JSON_INVALID', facts: { index: 1 } })
  expect(puts).toEqual([])
})

test('treats the content of a deleted item as new', async () => {
  const { ingest } = setUp()
  const [first] = await submit(ingest, '1')
  expect(await ingest.remove('c', first && 'id' in first ? first.id : '')).toBe(true)
  expect(brief(await submit(ingest, '1'))).toEqual(['created'])
})

test('uses a policy that another replica set while the collection was empty', async () => {
  const store = createMemoryStore()
  const { ingest } = setUp(store)
  const [first] = await submit(ingest, '{"a":1,"b":1}')
  await ingest.remove('c', first && 'id' in first ? first.id : '')
  // like another replica: this process is not informed
  await store.define('c', { kind: 'fields', include: ['/a'] })
  expect(brief(await submit(ingest, '{"a":1,"b":2}', '{"a":1,"b":3}'))).toEqual(['created', 'batch'])
})

test('stores the receipt of a key, including repeated and refused items', async () => {
  const { ingest } = setUp()
  const contents = [json('1'), json('1.0'), json('x'), json('2')]
  const keyRequest = {
    kind: 'batch',
    scope: 's',
    key: 'k',
    fingerprint: 'f',
    expiresAtMs: Date.now() + 60_000,
  } as const
  const first = await ingest.submitKeyed({ collection: 'c', contents }, keyRequest)
  expect(first).toMatchObject({ kind: 'stored' })
  const body = first.kind === 'stored' ? (JSON.parse(first.receipt.body) as object) : {}
  expect(body).toMatchObject({ errors: true, counts: { created: 2, duplicate: 1, failed: 1 } })
  const again = await ingest.submitKeyed({ collection: 'c', contents }, keyRequest)
  expect(again).toEqual({ kind: 'replayed', receipt: first.kind === 'stored' ? first.receipt : undefined })
  expect(await ingest.submitKeyed({ collection: 'c', contents }, { ...keyRequest, fingerprint: 'g' })).toEqual({
    kind: 'key-reused',
  })
})
