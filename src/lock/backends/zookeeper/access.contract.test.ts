/** Credentials, TLS, rights, and what else a start reports. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { peerCertificates } from '../../../std/peer-certificates.ts'
import { untilTrue } from '../../../std/until.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import { startZooKeeper, type ZooKeeperServers } from '../../../testing/zookeeper/servers.ts'
import type { LockBackend } from '../../backend.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { openLockBackend } from '../../registry.ts'
import { newToken } from '../../token.ts'

const soon = (): AbortSignal => AbortSignal.timeout(15_000)
const USER = `locker:${encodeURIComponent('p@ss/w:rd')}@`

let certificates: Certificates
let servers: ZooKeeperServers | Absent

beforeAll(async () => {
  certificates = createCertificates()
  const file = (name: string): string => certificates.read(name)
  // a store in the form PEM has the key and the certificate in one file
  const files = { '/tls/server.pem': file('server.key') + file('server.pem'), '/tls/ca.pem': file('ca.pem') }
  servers = await startZooKeeper({ servers: 1, files })
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
  certificates[Symbol.dispose]()
})

async function fenceOf(backend: LockBackend): Promise<bigint> {
  const attempt = await backend.tryAcquire({ key: newToken(), token: newToken(), ttlMs: 5_000 }, soon())
  if (attempt.kind === 'unavailable') throw attempt.error
  return (attempt.kind === 'granted' && attempt.fence) || 0n
}

async function failureOf(url: string): Promise<unknown> {
  try {
    await using _ = await openLockBackend(url, { clock: systemClock }, soon())
    return 'opened'
  } catch (thrown) {
    return thrown
  }
}

test('the nodes of a user are closed to everybody else, which is one sentence at the start', async ({ skip }) => {
  const at = `127.0.0.1:${present(servers, skip).ports[0]}/of-a-user`
  await using backend = await openLockBackend(`zookeeper://${USER}${at}`, { clock: systemClock }, soon())
  expect(await fenceOf(backend)).toBeGreaterThan(0n)
  for (const credentials of ['locker:hidden-word@', 'nobody:hidden-word@', '']) {
    const thrown = await failureOf(`zookeeper://${credentials}${at}`)
    expect(thrown).toMatchObject({ name: 'IngotError', code: 'LOCK_ACCESS_REFUSED' })
    expect(String(thrown)).toContain('/of-a-user/locks')
    expect(String(thrown)).not.toContain('hidden-word')
  }
})

test('a client with the right certificates acquires locks; the others get one sentence', async ({ skip }) => {
  const { ports, tlsPorts } = present(servers, skip)
  const at = `127.0.0.1:${tlsPorts[0]}`
  const path = (name: string): string => certificates.path(name)
  const filesOf = (ca: string): string =>
    new URLSearchParams({ ca: path(ca), cert: path('client.pem'), key: path('client.key') }).toString()
  const ready = async (): Promise<boolean> => (await failureOf(`zookeepers://${at}?${filesOf('ca.pem')}`)) === 'opened'
  await untilTrue('a server', ready, { withinMs: 20_000, everyMs: 200 })
  const url = `zookeepers://${USER}${at}/tls?${filesOf('ca.pem')}`
  await using backend = await openLockBackend(url, { clock: systemClock }, soon())
  expect(await fenceOf(backend)).toBeGreaterThan(0n)
  const { validTo } = new X509Certificate(certificates.read('server.pem'))
  expect(peerCertificates.expiries().get('zookeeper')).toBe(Date.parse(validTo))
  const failed = { name: 'IngotError', code: 'LOCK_TLS_FAILED' }
  expect(await failureOf(`zookeepers://${at}?${filesOf('other-ca.pem')}`)).toMatchObject(failed)
  expect(await failureOf(`zookeepers://${at}?ca=${path('ca.pem')}`)).toMatchObject(failed)
  expect(await failureOf(`zookeepers://${at}?ca=/nowhere`)).toMatchObject(failed)
  expect(String(await failureOf(`zookeeper://${at}`))).toContain('must begin with zookeepers://')
  const plain = `zookeepers://127.0.0.1:${ports[0]}?${filesOf('ca.pem')}`
  expect(String(await failureOf(plain))).toContain('must begin with zookeeper://')
})

test('a fence store puts fences above those of an earlier service', async ({ skip }) => {
  const { url } = present(servers, skip)
  const fences = createMemoryFences()
  const earlier = await fences.epochOf('redis', soon())
  await using backend = await openLockBackend(`${url}/composed`, { clock: systemClock, fences }, soon())
  const first = await fenceOf(backend)
  expect(first).toBeGreaterThan((earlier + 1n) << 40n)
  expect(await fenceOf(backend)).toBeGreaterThan(first)
})

test.for([
  ['a server that does not exist', 'LOCK_BACKEND_UNAVAILABLE', 'zookeeper://127.0.0.1:1'],
  ['a user without a password', 'CONFIG_INVALID', 'zookeeper://hidden-word@127.0.0.1:1'],
  ['a session that is no time', 'CONFIG_INVALID', 'zookeeper://127.0.0.1:1?session=20'],
  ['a session that is too short', 'CONFIG_INVALID', 'zookeeper://127.0.0.1:1?session=10ms'],
  ['a root that no node can have', 'CONFIG_INVALID', 'zookeeper://127.0.0.1:1/a/../b'],
  ['an unknown parameter', 'CONFIG_INVALID', 'zookeeper://127.0.0.1:1?namespace=x'],
])('%s is one sentence at the start', async ([, code, url = '']) => {
  const thrown = await failureOf(url)
  expect(thrown).toMatchObject({ name: 'IngotError', code })
  expect(String(thrown)).not.toContain('hidden-word')
})
