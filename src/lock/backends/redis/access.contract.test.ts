/** TLS, passwords and rights, against a server that requires them. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import { type RedisServers, startStandalone } from '../../../testing/redis/servers.ts'
import { newToken } from '../../token.ts'
import { createRedisLock } from './backend.ts'

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const USER = 'locker'
const PASSWORD = 'p@ss/w:rd'

/** The rights that the lock library needs, and no others. LOCKS.md repeats them. */
const RIGHTS = `~ingot:* &ingot:* -@all +@connection +info +cluster|slots +cluster|info +eval +evalsha +get +set +del +pttl +pexpire +hget +hmget +hset +hdel +hincrby +lpos +rpush +lpop +lrem +spublish +ssubscribe +sunsubscribe`

let certificates: Certificates
let servers: RedisServers | Absent

beforeAll(async () => {
  certificates = createCertificates()
  const tls = ['--tls', '--cacert', '/tls/ca.pem', '--cert', '/tls/client.pem', '--key', '/tls/client.key']
  const files = ['ca.pem', 'server.pem', 'server.key', 'client.pem', 'client.key']
  servers = await startStandalone({
    files: Object.fromEntries(files.map((name) => [`/tls/${name}`, certificates.read(name)])),
    config: [
      'tls-ca-cert-file /tls/ca.pem',
      'tls-cert-file /tls/server.pem',
      'tls-key-file /tls/server.key',
      'tls-auth-clients yes',
      `user ${USER} on >${PASSWORD} ${RIGHTS}`,
      'user stranger on >known ~other:* +@all',
    ],
    tls: true,
    cliArgs: tls,
  })
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
  certificates[Symbol.dispose]()
})

interface Access {
  readonly user?: string
  readonly password?: string
  readonly query?: Readonly<Record<string, string>>
  readonly scheme?: string
}

function urlOf(port: number, { user = USER, password = PASSWORD, query, scheme = 'rediss' }: Access): string {
  const files = { ca: certificates.path('ca.pem'), ...client() }
  const search = new URLSearchParams(query ?? files).toString()
  return `${scheme}://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}${search === '' ? '' : `?${search}`}`
}

const client = (): Readonly<Record<string, string>> => ({
  cert: certificates.path('client.pem'),
  key: certificates.path('client.key'),
})

test('the documentation lists these rights', () => {
  const text = readFileSync(new URL('../../../../LOCKS.md', import.meta.url), 'utf8')
  expect(text.replaceAll(/\s+/g, ' ')).toContain(RIGHTS)
})

test('a client with the right certificate, user and password acquires locks and is woken', async ({ skip }) => {
  const [port = 0] = present(servers, skip).ports
  await using lock = createRedisLock(urlOf(port, {}), { clock: systemClock })
  await lock.connect(soon())
  const [first, second] = [newToken(), newToken()].map((token) => ({ key: 'tls', token, ttlMs: 5_000, willWait: true }))
  if (first === undefined || second === undefined) throw new Error('impossible')
  expect(await lock.tryAcquire(first, soon())).toMatchObject({ kind: 'granted' })
  const refused = await lock.tryAcquire(second, soon())
  if (refused.kind !== 'held' || refused.ticket === undefined) throw new Error(`expected a ticket: ${refused.kind}`)
  const woken = lock.wait('tls', refused.ticket, soon())
  expect(await lock.extend(first, soon())).toMatchObject({ kind: 'extended' })
  expect(await lock.release(first, soon())).toEqual({ kind: 'released' })
  await woken
  expect(await lock.tryAcquire(second, soon())).toMatchObject({ kind: 'granted' })
  expect(await lock.inspect('tls', soon())).toMatchObject({ kind: 'held' })
})

const WRONG: readonly (readonly [string, () => Access, string, string])[] = [
  ['a wrong password', () => ({ password: 'wrong' }), 'REDIS_ACCESS_REFUSED', 'WRONGPASS'],
  ['an unknown user', () => ({ user: 'nobody' }), 'REDIS_ACCESS_REFUSED', 'WRONGPASS'],
  [
    'a certificate of an unknown authority',
    () => ({ query: { ca: certificates.path('other-ca.pem'), ...client() } }),
    'REDIS_TLS_FAILED',
    '',
  ],
  [
    'a name that is not in the certificate',
    () => ({ query: { ca: certificates.path('ca.pem'), ...client(), servername: 'redis.example' } }),
    'REDIS_TLS_FAILED',
    'redis.example',
  ],
  ['no client certificate', () => ({ query: { ca: certificates.path('ca.pem') } }), 'REDIS_TLS_FAILED', ''],
  ['a missing file', () => ({ query: { ca: '/nowhere/ca.pem' } }), 'CONFIG_INVALID', '/nowhere/ca.pem'],
]

test.for(WRONG)('%s is one clear error, after one attempt', async ([, access, code, part], { skip }) => {
  const started = present(servers, skip)
  const [port = 0] = started.ports
  const connections = async (): Promise<number> =>
    Number(/total_connections_received:(\d+)/.exec(await started.cli(port, 'info', 'stats'))?.[1])
  const before = await connections()
  await using lock = createRedisLock(urlOf(port, access()), { clock: systemClock })
  const thrown: unknown = await lock.connect(soon()).catch((error: unknown) => error)
  expect(thrown).toMatchObject({ name: 'IngotError', code })
  expect(String(thrown)).toContain(part)
  expect(String(thrown)).not.toContain(encodeURIComponent(PASSWORD))
  await new Promise((resolve) => setTimeout(resolve, 500))
  // redis-cli's own attempt is one; a retry storm would be many
  expect((await connections()) - before).toBeLessThanOrEqual(2)
})

test('a user without rights on the keys is refused with the reason, at the first lock', async ({ skip }) => {
  const [port = 0] = present(servers, skip).ports
  await using lock = createRedisLock(urlOf(port, { user: 'stranger', password: 'known' }), { clock: systemClock })
  await lock.connect(soon())
  const attempt = await lock.tryAcquire({ key: 'k', token: newToken(), ttlMs: 1_000 }, soon())
  expect(attempt.kind === 'unavailable' && attempt.error.code).toBe('REDIS_ACCESS_REFUSED')
})
