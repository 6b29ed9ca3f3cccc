/** Credentials, TLS, rights and settings of the server, and its pooler. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { startPgBouncer } from '../../../testing/postgres/bouncer.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import type { LockBackend } from '../../backend.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { createLocker } from '../../locker.ts'
import { openLockBackend } from '../../registry.ts'
import { newToken } from '../../token.ts'
import type { PostgresLockDeps } from './backend.ts'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const PASSWORD = 'p@ss/w:rd'

let certificates: Certificates
let server: PostgresServer | Absent

/** Turns TLS on, and creates a user without the right to create tables. */
async function prepare(postgres: PostgresServer): Promise<void> {
  const { url } = postgres
  const files = Object.entries({ 'server.crt': 'server.pem', 'server.key': 'server.key' })
  for (const [name, source] of files) {
    const path = `/var/lib/postgresql/data/${name}`
    await postgres.exec('sh', '-c', `cat > ${path} <<'END'\n${certificates.read(source)}END\nchmod 600 ${path}`)
  }
  await postgres.exec('sh', '-c', 'echo "hostssl all all all scram-sha-256" > /var/lib/postgresql/data/pg_hba.conf')
  await postgres.exec(
    'sh',
    '-c',
    'echo "hostnossl all postgres all scram-sha-256" >> /var/lib/postgresql/data/pg_hba.conf',
  )
  await runSql(url, 'ALTER SYSTEM SET ssl = on')
  await runSql(url, `CREATE ROLE locker LOGIN PASSWORD '${PASSWORD}'; SELECT pg_reload_conf()`)
}

beforeAll(async () => {
  certificates = createCertificates()
  server = await startPostgres()
  if (!('absent' in server)) await prepare(server)
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
  certificates[Symbol.dispose]()
})

/** Returns the URL with these parts, and TLS verified with this authority. */
function secure(url: string, parts: Partial<Pick<URL, 'username' | 'password'>>, ca = 'ca.pem'): string {
  const made = Object.assign(new URL(url), parts)
  made.search = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: certificates.path(ca) }).toString()
  return made.href
}

const open = (url: string, deps: Partial<PostgresLockDeps> = {}): Promise<LockBackend> =>
  openLockBackend(url, { clock: systemClock, ...deps }, soon())

async function fenceOf(backend: LockBackend): Promise<bigint> {
  const wanted = { key: newToken(), token: newToken(), ttlMs: 5_000 }
  const attempt = await backend.tryAcquire(wanted, soon())
  if (attempt.kind !== 'granted') throw new Error(`expected a grant, got ${attempt.kind}`)
  return attempt.fence ?? 0n
}

test('a user without the right to create tables uses those that exist, through TLS', async ({ skip }) => {
  const { url } = present(server, skip)
  await using owner = await open(url)
  await runSql(
    url,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ingot_lock, ingot_lock_waiter TO locker;
     GRANT USAGE, SELECT ON SEQUENCE ingot_fence TO locker; GRANT USAGE ON SCHEMA public TO locker`,
  )
  await using user = await open(secure(url, { username: 'locker', password: encodeURIComponent(PASSWORD) }))
  const first = await fenceOf(owner)
  expect(await fenceOf(user)).toBeGreaterThan(first)
  expect(user.capabilities).toMatchObject({ fencing: 'always', wakes: true, fair: true })
})

/** Returns the URL with these parts, without TLS. */
const plain = (url: string, parts: Partial<URL>): string => Object.assign(new URL(url), parts).href

test.for([
  ['a wrong password', 'LOCK_ACCESS_REFUSED', (url: string) => secure(url, { password: 'hidden-word' })],
  [
    'an unknown user',
    'LOCK_ACCESS_REFUSED',
    (url: string) => secure(url, { username: 'stranger', password: 'hidden-word' }),
  ],
  ['an unknown database', 'LOCK_ACCESS_REFUSED', (url: string) => plain(url, { pathname: '/nowhere' })],
  ['no TLS where the server needs it', 'LOCK_ACCESS_REFUSED', (url: string) => plain(url, { username: 'locker' })],
  [
    'an authority that did not sign its certificate',
    'LOCK_TLS_FAILED',
    (url: string) => secure(url, {}, 'other-ca.pem'),
  ],
  ['no server', 'LOCK_BACKEND_UNAVAILABLE', () => 'postgres://u:hidden-word@127.0.0.1:1/db'],
] as const)('%s is one sentence at the start', async ([, code, change], { skip }) => {
  const { url } = present(server, skip)
  const thrown: unknown = await open(change(url)).catch((error: unknown) => error)
  expect(thrown).toMatchObject({ name: 'IngotError', code })
  expect(String(thrown)).not.toContain('hidden-word')
})

test('a server that does not use TLS is reported, and one that may lose grants is refused', async ({ skip }) => {
  const unsafe = present(await startPostgres({ settings: ['fsync=off'] }), skip)
  try {
    await expect(open(secure(unsafe.url, {}))).rejects.toMatchObject({ code: 'LOCK_TLS_FAILED' })
    await expect(open(unsafe.url)).rejects.toMatchObject({ code: 'LOCK_UNSUITABLE' })
    await expect(open(unsafe.url)).rejects.toThrow('fsync')
  } finally {
    await unsafe[Symbol.asyncDispose]()
  }
})

test('fences are within-epoch where a standby exists for which commits do not wait', async ({ skip }) => {
  const { url } = present(server, skip)
  const fencing = async (): Promise<string> => {
    await using backend = await open(url)
    return backend.capabilities.fencing
  }
  expect(await fencing()).toBe('always')
  await runSql(url, "SELECT pg_create_physical_replication_slot('standby')")
  expect(await fencing()).toBe('within-epoch')
  await runSql(url, "SELECT pg_drop_replication_slot('standby')")
  expect(await fencing()).toBe('always')
})

test('a fence store puts fences above those of an earlier lock service', async ({ skip }) => {
  const { url } = present(server, skip)
  const fences = createMemoryFences()
  await using before = await open(url)
  expect(await fenceOf(before)).toBeLessThan(2n ** 40n)
  const earlier = await fences.epochOf('redis', soon())
  await using after = await open(url, { fences })
  expect(await fenceOf(after)).toBeGreaterThan((earlier + 1n) << 40n)
  await using again = await open(url, { fences })
  // a second start does not put the counter back
  const last = await fenceOf(before)
  expect(await fenceOf(again)).toBeGreaterThan(last)
})

test('waiters poll behind a pooler without a direct URL, and a direct URL to a pooler is refused', async ({ skip }) => {
  const { url } = present(server, skip)
  await using bouncer = present(await startPgBouncer(url), skip)
  const pooled = bouncer.through(url)
  await using backend = await open(pooled)
  expect(backend.capabilities).toMatchObject({ wakes: false, fair: false })
  const locker = createLocker(backend)
  const first = await locker.acquire('polled')
  const second = createLocker(backend).acquire('polled')
  await first.release()
  expect((await second).fence).toBeGreaterThan(first.fence ?? 0n)
  await expect(open(pooled, { directUrl: pooled })).rejects.toMatchObject({ code: 'LOCK_UNSUITABLE' })
})
