import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { item } from '../../items/contract.ts'
import { openPostgresStore } from '../../items/stores/postgres/store.ts'
import { temporaryFolder } from '../../testing/folder.ts'
import { type PostgresServer, startPostgres } from '../../testing/postgres/server.ts'
import { type Absent, present } from '../../testing/present.ts'
import { type Query, readPostgresStore } from './postgres.ts'
import { readSpreadRows, spreadPostgresRows } from './spread-postgres.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})
const folder = temporaryFolder()

test('every row is in exactly one part, determined by its number; a row without a number is in part 0', async ({
  skip,
}) => {
  const url = await present(server, skip).database()
  const collection = { name: 'things', policy: { kind: 'json' } } as const
  {
    await using store = await openPostgresStore({ url })
    const items = Array.from({ length: 50 }, (_, number) => item({ number }))
    await store.put([{ collection, items: [...items, item({ stranger: true })] }], 1_000)
  }
  const client = new pg.Client(url)
  await client.connect()
  const query: Query = async (sql) => (await client.query<Record<string, unknown>>(sql)).rows
  const out = join(folder, 'rows')
  mkdirSync(out)
  try {
    expect(await spreadPostgresRows(query, { folder: out, parts: 4 })).toBe(51)
    const parts = [0, 1, 2, 3].map((part) => readSpreadRows(out, part).rows)
    expect(parts.map(({ length }) => length)).toEqual([14, 13, 12, 12])
    const all = (await readPostgresStore(query)).rows
    expect(
      parts
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(all.map(({ id }) => id).toSorted())
    expect(parts.flat()).toEqual(expect.arrayContaining([...all]))
  } finally {
    await client.end()
  }
})
