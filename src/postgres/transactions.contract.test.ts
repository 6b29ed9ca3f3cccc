import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, runSql, startPostgres } from '../testing/postgres/server.ts'
import { type Absent, present } from '../testing/present.ts'
import { startTcpProxy } from '../testing/tcp/proxy.ts'
import { byteaArray, textArray } from './binary-array.ts'
import { COMMIT, createTransactions, type Transactions } from './transactions.ts'

let subject: PostgresServer | Absent
beforeAll(async () => {
  subject = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in subject)) await subject[Symbol.asyncDispose]()
})

function connect(url: string, options: { timeoutMs?: number; connections?: number } = {}): Transactions {
  return createTransactions({ url, errorCode: 'STORE_UNAVAILABLE', ...options })
}

test('keeps a commit that returned, and nothing of a failed transaction', async ({ skip }) => {
  const url = await present(subject, skip).database()
  await using transactions = connect(url)
  await transactions.once({ text: 'CREATE TABLE kept (n int)' })
  await transactions.once({ text: 'INSERT INTO kept VALUES ($1)', values: [1] })
  const failing = transactions.session((exchange) =>
    exchange([
      transactions.begin,
      { text: 'INSERT INTO kept VALUES (2)' },
      { text: 'SELECT 1 / 0' },
      { text: 'INSERT INTO kept VALUES (3)' },
      COMMIT,
    ]),
  )
  await expect(failing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', facts: { sqlstate: '22012' } })
  expect(await runSql(url, 'SELECT n FROM kept')).toEqual([{ n: 1 }])
})

test('rolls back when the caller throws between exchanges, and serves the next caller', async ({ skip }) => {
  const url = await present(subject, skip).database()
  await using transactions = connect(url, { connections: 1 })
  await transactions.once({ text: 'CREATE TABLE kept (n int)' })
  const failing = transactions.session(async (exchange) => {
    await exchange([transactions.begin, { text: 'INSERT INTO kept VALUES (1)' }])
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  expect((await transactions.once({ text: 'SELECT n FROM kept' })).rows).toEqual([])
})

test('syncs its commits whatever the role’s default is, and changes no setting of the session', async ({ skip }) => {
  const url = await present(subject, skip).database()
  await runSql(url, 'ALTER DATABASE test_3 SET synchronous_commit = off')
  await using transactions = connect(url, { connections: 1, timeoutMs: 4_321 })
  const settings = {
    text: "SELECT current_setting('synchronous_commit') AS sync, current_setting('statement_timeout') AS timeout",
  }
  expect((await transactions.once(settings)).rows).toEqual([{ sync: 'on', timeout: '4321ms' }])
  const outside = await transactions.session((exchange) => exchange([settings]))
  expect(outside[0]?.rows).toEqual([{ sync: 'off', timeout: '0' }])
})

test('ends a statement that takes too long, on the server too', async ({ skip }) => {
  const url = await present(subject, skip).database()
  await using transactions = connect(url, { timeoutMs: 300 })
  await expect(transactions.once({ text: 'SELECT pg_sleep(30)' })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    facts: { sqlstate: '57014' },
  })
  const running = await runSql(url, "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query ~ 'pg_sleep.30'")
  expect(running).toEqual([{ n: 1 }]) // the counting query itself
})

test('drops a connection that does not respond, and reconnects', async ({ skip }) => {
  const server = present(subject, skip)
  const url = new URL(await server.database())
  await using proxy = await startTcpProxy(server.port)
  url.host = `127.0.0.1:${proxy.port}`
  await using transactions = connect(url.href, { timeoutMs: 500, connections: 1 })
  await transactions.once({ text: 'CREATE TABLE kept (n int)' })
  proxy.swallowReplies()
  await expect(transactions.once({ text: 'INSERT INTO kept VALUES (1)' })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('timeout') as string,
  })
  proxy.restore()
  // the client did not learn the outcome; here the row is stored
  expect((await transactions.once({ text: 'SELECT n FROM kept' })).rows).toEqual([{ n: 1 }])
})

test('continues after the server has cut its connections', async ({ skip }) => {
  const url = await present(subject, skip).database()
  await using transactions = connect(url, { connections: 2 })
  const [one] = (await transactions.once({ text: 'SELECT pg_backend_pid() AS pid' })).rows
  await runSql(url, `SELECT pg_terminate_backend(${Number(one?.['pid'])})`)
  const asked = transactions.once({ text: 'SELECT 1 AS one' })
  // only the first statement may meet the broken connection
  await asked.catch(() => {})
  expect((await transactions.once({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }])
})

test('does not show the password when it cannot connect', async () => {
  await using transactions = connect('postgres://u:secret-word@127.0.0.1:1/x')
  const outcome = transactions.once({ text: 'SELECT 1' })
  await expect(outcome).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(outcome).rejects.not.toThrow('secret-word')
})

test('sends binary arrays that the server reads unchanged', async ({ skip }) => {
  await using transactions = connect(await present(subject, skip).database())
  const many = Array.from({ length: 300 }, (_, n) => Uint8Array.from({ length: n }, (_byte, at) => (n * at) % 256))
  const values = [byteaArray(many), byteaArray([]), textArray(['ä', null, '"{,}\\', ''])]
  const { rows } = await transactions.once({
    text: 'SELECT $1::bytea[] AS a, $2::bytea[] AS b, $3::text[] AS c',
    values,
  })
  expect(rows[0]?.['a']).toEqual(many.map((one) => Buffer.from(one)))
  expect(rows[0]?.['b']).toEqual([])
  expect(rows[0]?.['c']).toEqual(['ä', null, '"{,}\\', ''])
})
