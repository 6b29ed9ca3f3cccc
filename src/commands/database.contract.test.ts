import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { systemClock } from '../std/clock.ts'
import { type PostgresServer, runSql, startPostgres } from '../testing/postgres/server.ts'
import { type Absent, present } from '../testing/present.ts'
import { noSignals } from '../testing/signals.ts'
import { runLine } from './line/line.ts'
import { COMMANDS } from './table.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})
afterEach(() => vi.unstubAllEnvs())

async function run(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const io = { stdin, stdout, stderr, clock: systemClock, signal: new AbortController().signal, takeSignals: noSignals }
  const code = await runLine(argv, io, { commands: COMMANDS, version: '0', debug: false })
  stdout.end()
  stderr.end()
  return { code, out: await text(stdout), err: await text(stderr) }
}

test('migrate reports the applied migrations, and that nothing is left to do', async ({ skip }) => {
  const url = await present(server, skip).database()
  vi.stubEnv('INGOT_STORE_URL', 'postgres://nobody@127.0.0.1:1/pooled')
  vi.stubEnv('INGOT_STORE_DIRECT_URL', url)
  expect(await run('migrate')).toMatchObject({ code: 0, out: expect.stringContaining('applied 0001-') as string })
  expect(await run('migrate')).toMatchObject({ code: 0, out: expect.stringContaining('nothing to do') as string })
  await runSql(url, "INSERT INTO ingot_migrations (version, name, checksum) VALUES (9999, '9999-future.sql', '')")
  expect(await run('migrate')).toMatchObject({ code: 2, err: expect.stringContaining('9999-future.sql') as string })
})

test('epoch new begins an epoch, and epoch show prints it', async ({ skip }) => {
  vi.stubEnv('INGOT_STORE_URL', await present(server, skip).database())
  const before = await run('epoch', 'show')
  const begun = await run('epoch', 'new')
  const epochOf = ({ out }: { out: string }): string => out.split('\n')[0] ?? ''
  expect(epochOf(begun)).not.toBe(epochOf(before))
  expect(epochOf(await run('epoch', 'show'))).toBe(epochOf(begun))
  expect((await run('epoch', 'forget')).code).toBe(2)
})

test('migrate --checksums reports how many items got a checksum', async ({ skip }) => {
  const url = await present(server, skip).database()
  vi.stubEnv('INGOT_STORE_URL', url)
  expect((await run('migrate')).code).toBe(0)
  expect(await run('migrate', '--checksums')).toMatchObject({
    code: 0,
    out: expect.stringContaining('checksums added to 0 items') as string,
  })
})
