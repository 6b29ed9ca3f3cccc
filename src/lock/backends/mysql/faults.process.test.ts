/** Failures of holders and of the server, the sweeper, a clock that goes back, credentials and TLS. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { expectSuccession, nextGrant } from '../../../testing/locks/dead-holder.ts'
import { type MysqlServer, startMariadb } from '../../../testing/mysql/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Certificates, createCertificates } from '../../../testing/redis/certificates.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import type { Key } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { openLockBackend } from '../../registry.ts'
import { newToken } from '../../token.ts'
import { SWEEP } from './statements.ts'

const ON = 'mysql, on MariaDB'
const LOCKER = { waitMs: 30_000, closeMs: 3_000 }
const soon = (ms = 10_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 30_000): LeaseRequest => ({ key, token: newToken(), ttlMs })

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function open(url: string): Promise<LockBackend> {
  const backend = await openLockBackend(url, { clock: systemClock }, soon())
  scope.defer(async () => backend[Symbol.asyncDispose]())
  return backend
}

async function granted(backend: LockBackend, wanted: LeaseRequest): Promise<bigint> {
  const attempt = await backend.tryAcquire(wanted, soon())
  if (attempt.kind === 'unavailable') throw attempt.error
  if (attempt.kind !== 'granted') throw new Error(`expected a grant, got ${attempt.kind}`)
  return attempt.fence ?? 0n
}

let certificates: Certificates
let shared: MysqlServer | Absent = { absent: 'not started' }
beforeAll(async () => {
  certificates = createCertificates()
  const names = ['ca.pem', 'server.pem', 'server.key']
  shared = await startMariadb({
    files: Object.fromEntries(names.map((name) => [`/tls/${name}`, certificates.read(name)])),
    args: ['--ssl-ca=/tls/ca.pem --ssl-cert=/tls/server.pem --ssl-key=/tls/server.key'],
  })
  if ('absent' in shared) return
  await shared.sql("CREATE USER 'locker'@'%' IDENTIFIED BY 'p@ss' REQUIRE SSL; GRANT ALL ON locks.* TO 'locker'@'%'")
  await shared.sql("CREATE USER 'stranger'@'%' IDENTIFIED BY 'known'")
})
afterAll(async () => {
  if (!('absent' in shared)) await shared[Symbol.asyncDispose]()
  certificates[Symbol.dispose]()
})

test('the key of a killed and of a frozen holder is free after its lease, and the frozen one learns of its loss', async ({
  skip,
}) => {
  const { url } = present(shared, skip)
  const backend = await open(url)
  await expectSuccession({ url, backend, ttlMs: 1_500, locker: LOCKER, on: ON, seen: 'the next fence is higher' })
})

test('a server that is killed and restarted, or frozen, keeps its locks and repeats no fence', async ({ skip }) => {
  const server = present(shared, skip)
  const backend = await open(server.url)
  const kept = request('kept', 60_000)
  let last = await granted(backend, kept)
  for (const fault of ['killed', 'frozen'] as const) {
    const fromMs = performance.now()
    await (fault === 'killed' ? server.kill() : server.freeze())
    await using locker = createLocker(backend, { callMs: 500 })
    expect((await locker.tryAcquire('next', { ttlMs: 60_000 })).kind).toBe('unavailable')
    await (fault === 'killed' ? server.start() : server.thaw())
    const { fence, outageMs } = await nextGrant({ backend, locker: LOCKER }, 'next', fromMs)
    if (fault === 'frozen') expect(fence).toBeGreaterThan(last)
    last = fence
    expect((await backend.tryAcquire(request('kept'), soon())).kind).toBe('held')
    expect((await backend.extend(kept, soon())).kind).toBe('extended')
    reportFault({ fault: `server ${fault}`, on: ON, outageMs, seen: 'locks kept, fences rise' })
  }
})

test('20 first claims of many new keys at once give one grant each, also after a deadlock', async ({ skip }) => {
  const backend = await open(present(shared, skip).url)
  for (let round = 0; round < 20; round++) {
    const key = newToken()
    const attempts = await Promise.all(Array.from({ length: 20 }, () => backend.tryAcquire(request(key), soon())))
    expect(attempts.filter(({ kind }) => kind === 'granted')).toHaveLength(1)
    expect(attempts.filter(({ kind }) => kind === 'held')).toHaveLength(19)
  }
})

test('the fence of a key rises after the sweeper deleted its row; without the floor it would fall', async ({
  skip,
}) => {
  const server = present(shared, skip)
  const backend = await open(server.url)
  const acquire = async (): Promise<bigint> => {
    const wanted = request('swept')
    const fence = await granted(backend, wanted)
    await backend.release(wanted, soon())
    return fence
  }
  let before = 0n
  for (let i = 0; i < 50; i++) before = await acquire()
  // free since 1970, so older than an hour
  await server.sql(SWEEP.text)
  const after = await acquire()
  expect(after).toBeGreaterThan(before)
  await server.sql('DELETE FROM ingot_lock; UPDATE ingot_lock_floor SET n = 0')
  expect(await acquire()).toBeLessThan(after)
})

test('a clock that goes back keeps a dead holder no longer than its lease', async ({ skip }) => {
  const server = present(shared, skip)
  const backend = await open(server.url)
  await granted(backend, request('clock', 500))
  await server.sql('UPDATE ingot_lock SET ends = ends + INTERVAL 1 HOUR')
  expect((await backend.tryAcquire(request('clock'), soon())).kind).toBe('held')
  await sleep(600)
  await granted(backend, request('clock'))
})

test('a fence store puts fences above those of an earlier lock service', async ({ skip }) => {
  const fences = createMemoryFences()
  const earlier = await fences.epochOf('redis', soon())
  await using backend = await openLockBackend(present(shared, skip).url, { clock: systemClock, fences }, soon())
  expect(await granted(backend, request(newToken()))).toBeGreaterThan((earlier + 1n) << 40n)
})

describe('at the start', () => {
  const secure = (credentials: string, port: number, ca: string): string =>
    `mysqls://${credentials}@127.0.0.1:${port}/locks?ca=${certificates.path(ca)}`

  test('TLS works with the authority of the server', async ({ skip }) => {
    const backend = await open(secure('locker:p%40ss', present(shared, skip).port, 'ca.pem'))
    expect(await granted(backend, request(newToken()))).toBeGreaterThan(0n)
  })

  test.for([
    ['a wrong password', 'LOCK_ACCESS_REFUSED', (port: number) => `mysql://tester:hidden-word@127.0.0.1:${port}/locks`],
    ['no rights', 'LOCK_ACCESS_REFUSED', (port: number) => `mysql://stranger:known@127.0.0.1:${port}/locks`],
    ['an unknown database', 'LOCK_ACCESS_REFUSED', (port: number) => `mysql://tester:test-only@127.0.0.1:${port}/no`],
    [
      'no TLS where it is required',
      'LOCK_ACCESS_REFUSED',
      (port: number) => `mysql://locker:p%40ss@127.0.0.1:${port}/locks`,
    ],
    ['another authority', 'LOCK_TLS_FAILED', (port: number) => secure('locker:hidden-word', port, 'other-ca.pem')],
    ['no server', 'LOCK_BACKEND_UNAVAILABLE', () => 'mysql://u:hidden-word@127.0.0.1:1/locks'],
    ['no database', 'CONFIG_INVALID', (port: number) => `mysql://tester:hidden-word@127.0.0.1:${port}`],
  ] as const)('%s is one sentence', async ([, code, urlOf], { skip }) => {
    const thrown: unknown = await open(urlOf(present(shared, skip).port)).catch((error: unknown) => error)
    expect(thrown).toMatchObject({ name: 'IngotError', code })
    expect(String(thrown)).not.toContain('hidden-word')
  })

  test('a server that would forget grants is refused', async ({ skip }) => {
    const server = present(shared, skip)
    await server.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 2')
    await expect(open(server.url)).rejects.toMatchObject({ code: 'LOCK_UNSUITABLE' })
    await server.sql('SET GLOBAL innodb_flush_log_at_trx_commit = 1')
  })
})
