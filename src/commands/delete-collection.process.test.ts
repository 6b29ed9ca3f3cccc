/** The purge of a deleted collection survives the death of its replica. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { untilTrue } from '../std/until.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { ask, jsonOf } from '../testing/http/requests.ts'
import { type PostgresServer, runSql, startPostgres } from '../testing/postgres/server.ts'
import { type Absent, present } from '../testing/present.ts'
import { type Service, startService } from '../testing/service.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

const root = temporaryFolder()
let folders = 0
const newFolder = (): string => join(root, `data-${++folders}`)

/** Many steps of a purge. */
const ITEMS = 40_000

async function start(data: string, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const service = await startService({ data, env })
  onTestFinished(async () => void (await service.kill()))
  return service
}

async function send({ url }: Service, from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, n) => `${from + n}\n`).join('')
  const answer = await ask(`${url}/v1/collections/things/items`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', prefer: 'return=minimal' },
    body: lines,
  })
  expect(answer.body.toString()).toContain(`"created":${to - from}`)
}

interface Progress {
  readonly deletedItems: number
  readonly state: string
}

const WAIT = { withinMs: 60_000, everyMs: 5 }

/** Starts the deletion and kills the replica after some steps of the purge. `removed` reads the progress directly. */
async function killDuringPurge(service: Service, removed: () => Promise<number> | number): Promise<void> {
  const request = ask(`${service.url}/v1/collections/things`, { method: 'DELETE' })
  request.catch(() => {}) // the replica dies before its response
  await untilTrue('the purge has begun', async () => (await removed()) > 0, WAIT)
  await service.kill()
  expect(await removed()).toBeLessThan(ITEMS)
}

async function expectEnd(service: Service): Promise<void> {
  const progress = `${service.url}/v1/collections/things/deletions/1`
  // nothing but the restart continues the purge
  await untilTrue('the purge has ended', async () => jsonOf<Progress>(await ask(progress)).state === 'complete', WAIT)
  expect(jsonOf<Progress>(await ask(progress)).deletedItems).toBe(ITEMS)
  const list = await ask(`${service.url}/v1/collections/things/items?limit=1000`)
  expect(jsonOf<{ items: unknown[] }>(list).items).toHaveLength(10)
}

test('sqlite: a killed purge continues by itself after the restart, and later items stay', async () => {
  const folder = newFolder()
  const first = await start(folder)
  await send(first, 0, ITEMS)
  const count = (): number => {
    const db = new DatabaseSync(join(folder, 'items.sqlite'), { readOnly: true })
    const row = db.prepare('SELECT coalesce(sum(deleted), 0) AS n FROM deletions').get()
    db.close()
    return Number(row?.['n'])
  }
  await killDuringPurge(first, count)
  const second = await start(folder)
  await send(second, 0, 10)
  await expectEnd(second)
})

test('postgres: another replica continues the purge of a killed one, and later items stay', async ({ skip }) => {
  const url = await present(server, skip).database()
  const env = { INGOT_STORE_URL: url }
  const first = await start(newFolder(), env)
  await send(first, 0, ITEMS)
  const count = async (): Promise<number> =>
    Number((await runSql(url, 'SELECT coalesce(sum(deleted), 0) AS n FROM ingot_deletions'))[0]?.['n'])
  await killDuringPurge(first, count)
  const second = await start(newFolder(), env)
  await send(second, 0, 10)
  await expectEnd(second)
  expect(await runSql(url, 'SELECT count(*)::int AS n FROM ingot_items')).toEqual([{ n: 10 }])
})
