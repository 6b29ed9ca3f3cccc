/** Credentials, TLS, rights, and the gateway that may be off. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { untilTrue } from '../../../std/until.ts'
import { type EtcdServers, startEtcd } from '../../../testing/etcd/servers.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import type { LockBackend } from '../../backend.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { openLockBackend } from '../../registry.ts'
import { newToken } from '../../token.ts'

const soon = (): AbortSignal => AbortSignal.timeout(15_000)
const PASSWORD = 'p@ss/w:rd'

async function fenceOf(backend: LockBackend): Promise<bigint> {
  const attempt = await backend.tryAcquire({ key: newToken(), token: newToken(), ttlMs: 5_000 }, soon())
  if (attempt.kind === 'unavailable') throw attempt.error
  return (attempt.kind === 'granted' && attempt.fence) || 0n
}

async function failureOf(url: string): Promise<unknown> {
  return openLockBackend(url, { clock: systemClock }, soon()).then(
    () => 'opened',
    (thrown: unknown) => thrown,
  )
}

describe('with users', () => {
  let servers: EtcdServers | Absent
  beforeAll(async () => {
    servers = await startEtcd({ members: 1 })
    if ('absent' in servers) return
    const steps: readonly (readonly [string, object])[] = [
      ['auth/user/add', { name: 'root', password: 'root' }],
      ['auth/user/grant', { user: 'root', role: 'root' }],
      ['auth/user/add', { name: 'locker', password: PASSWORD }],
      ['auth/role/add', { name: 'locks' }],
      ['auth/role/grant', { name: 'locks', perm: { permType: 2, key: btoa('ingot/l/'), range_end: btoa('ingot/l0') } }],
      ['auth/user/grant', { user: 'locker', role: 'locks' }],
      ['auth/user/add', { name: 'stranger', password: 'known' }],
      ['auth/enable', {}],
    ]
    for (const [method, body] of steps) await servers.call(method, body)
  })
  afterAll(async () => {
    if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
  })

  test('a user with rights on the names of the locks acquires them', async ({ skip }) => {
    const { ports } = present(servers, skip)
    const url = `etcd://locker:${encodeURIComponent(PASSWORD)}@127.0.0.1:${ports[0]}`
    await using backend = await openLockBackend(url, { clock: systemClock }, soon())
    expect(await fenceOf(backend)).toBeGreaterThan(0n)
  })

  test.for([
    ['a wrong password', 'LOCK_ACCESS_REFUSED', 'locker:hidden-word@'],
    ['an unknown user', 'LOCK_ACCESS_REFUSED', 'nobody:hidden-word@'],
    ['a user without rights', 'LOCK_ACCESS_REFUSED', 'stranger:known@'],
    ['no credentials', 'LOCK_ACCESS_REFUSED', ''],
    ['a user without a password', 'CONFIG_INVALID', 'hidden-word@'],
  ])('%s is one sentence at the start', async ([, code, credentials], { skip }) => {
    const { ports } = present(servers, skip)
    const thrown = await failureOf(`etcd://${credentials}127.0.0.1:${ports[0]}`)
    expect(thrown).toMatchObject({ name: 'IngotError', code })
    expect(String(thrown)).not.toContain('hidden-word')
  })
})

describe('with TLS', () => {
  let certificates: Certificates
  let servers: EtcdServers | Absent
  const files = (ca: string): string =>
    new URLSearchParams({
      ca: certificates.path(ca),
      cert: certificates.path('client.pem'),
      key: certificates.path('client.key'),
    }).toString()

  beforeAll(async () => {
    certificates = createCertificates()
    const names = ['ca.pem', 'server.pem', 'server.key']
    servers = await startEtcd({
      members: 1,
      scheme: 'https',
      files: Object.fromEntries(names.map((name) => [`/tls/${name}`, certificates.read(name)])),
      args: ['--cert-file /tls/server.pem --key-file /tls/server.key --client-cert-auth --trusted-ca-file /tls/ca.pem'],
    })
  })
  afterAll(async () => {
    if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
    certificates[Symbol.dispose]()
  })

  test('a client with the right certificates acquires locks; the others get one sentence', async ({ skip }) => {
    const at = `127.0.0.1:${present(servers, skip).ports[0]}`
    const ready = async (): Promise<boolean> => (await failureOf(`etcds://${at}?${files('ca.pem')}`)) === 'opened'
    await untilTrue('a server', ready, { withinMs: 20_000, everyMs: 200 })
    await using backend = await openLockBackend(`etcds://${at}?${files('ca.pem')}`, { clock: systemClock }, soon())
    expect(await fenceOf(backend)).toBeGreaterThan(0n)
    const failed = { name: 'IngotError', code: 'LOCK_TLS_FAILED' }
    expect(await failureOf(`etcds://${at}?${files('other-ca.pem')}`)).toMatchObject(failed)
    expect(await failureOf(`etcds://${at}?ca=${certificates.path('ca.pem')}`)).toMatchObject(failed)
    expect(await failureOf(`etcds://${at}?ca=/nowhere`)).toMatchObject(failed)
    expect(String(await failureOf(`etcd://${at}`))).toContain('etcds://')
  })
})

test('a gateway that is off is reported, and a fence store puts fences above those of an earlier service', async ({
  skip,
}) => {
  await using off = present(await startEtcd({ members: 1 }), skip)
  const fences = createMemoryFences()
  const earlier = await fences.epochOf('redis', soon())
  await using backend = await openLockBackend(off.url, { clock: systemClock, fences }, soon())
  expect(await fenceOf(backend)).toBeGreaterThan((earlier + 1n) << 40n)
  const [port = 0] = off.ports
  await off.signal(0, 'KILL')
  expect(await failureOf(`etcd://127.0.0.1:${port}`)).toMatchObject({ code: 'LOCK_BACKEND_UNAVAILABLE' })
})
