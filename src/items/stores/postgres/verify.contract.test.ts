import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { damageItemOf, JSON_COLLECTION } from '../../../testing/damage/contract.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { openPostgresStore } from './store.ts'
import { verifyPostgres } from './verify.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

const verify = (url: string) => verifyPostgres({ url, clock: systemClock, signal: AbortSignal.timeout(60_000) })
const keyRequest = {
  scope: 'tester',
  key: 'k',
  fingerprint: 'f',
  expiresAtMs: 9e12,
  form: { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] },
} as const

async function filled(database: Promise<string>): Promise<string> {
  const url = await database
  const items = Array.from({ length: 450 }, (_, n) => damageItemOf(JSON_COLLECTION, `{"n": ${n}}`))
  const blob = damageItemOf({ name: 'blobs', policy: { kind: 'bytes' } }, 'bytes', 'text/plain')
  await using store = await openPostgresStore({ url })
  await store.put(
    [
      { collection: JSON_COLLECTION, items },
      { collection: { name: 'blobs', policy: { kind: 'bytes' } }, items: [blob] },
    ],
    1_700_000_000_000,
  )
  await store.put(
    [{ collection: JSON_COLLECTION, items: items.slice(0, 1), idempotency: keyRequest }],
    1_700_000_000_001,
  )
  return url
}

test('finds no problem in an intact database, also with a read-only role', async ({ skip }) => {
  const url = await filled(present(server, skip).database())
  await runSql(
    url,
    `CREATE ROLE auditor LOGIN PASSWORD 'auditor'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor`,
  )
  const asAuditor = Object.assign(new URL(url), { username: 'auditor', password: 'auditor' }).href
  expect(await verify(asAuditor)).toEqual({
    collections: new Map([
      ['things', 450],
      ['blobs', 1],
    ]),
    receipts: 1,
    withoutChecksum: 0,
    problemCount: 0,
    problems: [],
  })
})

const ONE = `collection = (SELECT id FROM ingot_collections WHERE name = 'things') AND first_seen_ms % 2 = 0 AND content = '{"n": 7}'`

test.for([
  ['another content', `UPDATE ingot_items SET content = '{"n": 8}' WHERE ${ONE}`, /id of its content is j1-/],
  [
    'spaces that the id does not cover',
    `UPDATE ingot_items SET content = '{"n" :7}' WHERE ${ONE}`,
    /does not match its checksum/,
  ],
  ['another date', `UPDATE ingot_items SET first_seen_ms = 3 WHERE ${ONE}`, /does not match its checksum/],
  [
    'another media type',
    "UPDATE ingot_items SET media = 'text/html' WHERE media IS NOT NULL",
    /does not match its checksum/,
  ],
  ['an item without a collection', `UPDATE ingot_items SET collection = 77 WHERE ${ONE}`, /belongs to no collection/],
  [
    'another policy',
    `UPDATE ingot_collections SET policy = '{"kind":"json"}', checksum = 1 WHERE name = 'blobs'`,
    /policy of collection "blobs"/,
  ],
  ['another answer', "UPDATE ingot_receipts SET body = '{}'", /"k" does not match its checksum/],
  ['no judge', 'ALTER TABLE ingot_items DROP CONSTRAINT ingot_items_pkey', /nothing refuses duplicates/],
] as const)('finds %s', async ([, statement, problem], { skip }) => {
  const url = await filled(present(server, skip).database())
  await runSql(url, statement)
  const report = await verify(url)
  expect(report.problems.join('\n')).toMatch(problem)
  expect(report.problemCount).toBe(1)
})
