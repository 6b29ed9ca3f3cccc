/** Failures of holders and of the API server, objects that others change, and credentials. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { shareApiServer } from '../../../testing/kube/shared-api-server.ts'
import { expectSuccession, nextGrant } from '../../../testing/locks/dead-holder.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import type { Key } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { openLockBackend } from '../../registry.ts'
import { newToken } from '../../token.ts'
import { LEASES, objectName } from './lease-object.ts'

const ON = 'kubernetes'
const LOCKER = { waitMs: 30_000, closeMs: 3_000 }
const soon = (ms = 10_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 30_000): LeaseRequest => ({ key, token: newToken(), ttlMs })
const urlOf = (kubeconfig: string): string => `kubernetes:///default?kubeconfig=${kubeconfig}`

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

function adminOf(kubeconfig: string): KubeApi {
  const connection = createKubeConnection({ clock: systemClock, kubeconfig })
  scope.defer(async () => connection[Symbol.dispose]())
  return createKubeApi(connection)
}

async function granted(backend: LockBackend, wanted: LeaseRequest): Promise<bigint> {
  const attempt = await backend.tryAcquire(wanted, soon())
  if (attempt.kind === 'unavailable') throw attempt.error
  if (attempt.kind !== 'granted') throw new Error(`expected a grant, got ${attempt.kind}`)
  return attempt.fence ?? 0n
}

describe('on one API server', () => {
  const server = shareApiServer()

  test('the key of a killed and of a frozen holder is free after its lease, and the frozen one learns of its loss', async ({
    skip,
  }) => {
    const url = urlOf(server(skip).kubeconfig)
    const backend = await open(url)
    await expectSuccession({
      url,
      backend,
      ttlMs: 1_500,
      locker: LOCKER,
      on: ON,
      seen: 'the contender saw the lease unchanged for its length',
    })
  })

  test('a frozen API server makes calls unavailable, and forgets nothing', async ({ skip }) => {
    const { kubeconfig } = server(skip)
    const backend = await open(urlOf(kubeconfig))
    const kept = request('kept', 60_000)
    const first = await granted(backend, kept)
    const pid = Number(readFileSync(join(dirname(kubeconfig), 'pids'), 'utf8').split('\n')[1])
    const fromMs = performance.now()
    process.kill(pid, 'SIGSTOP')
    try {
      await using locker = createLocker(backend, { callMs: 300 })
      expect((await locker.tryAcquire('frozen', { ttlMs: 60_000 })).kind).toBe('unavailable')
      expect((await backend.extend(kept, soon())).kind).toBe('unavailable')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    const next = await nextGrant({ backend, locker: LOCKER }, 'frozen', fromMs)
    expect(next.fence).toBeGreaterThan(first)
    expect((await backend.tryAcquire(request('kept'), soon())).kind).toBe('held')
    expect((await backend.extend(kept, soon())).kind).toBe('extended')
    expect(await backend.release(kept, soon())).toEqual({ kind: 'released' })
    reportFault({ fault: 'API server frozen', on: ON, outageMs: next.outageMs, seen: 'locks kept' })
  })

  test.for([3_600_000, -3_600_000])(
    'a client whose wall clock is off by %d ms holds and finds locks as others do',
    async (offMs, { skip }) => {
      const url = urlOf(server(skip).kubeconfig)
      const clock = { ...systemClock, wallMs: () => Date.now() + offMs }
      const moved = await openLockBackend(url, { clock }, soon())
      scope.defer(async () => moved[Symbol.asyncDispose]())
      const backend = await open(url)
      const [own, other] = [request(`own ${offMs}`, 1_500), request(`other ${offMs}`, 1_500)]
      const fence = await granted(moved, own)
      await granted(backend, other)
      expect((await backend.tryAcquire(request(own.key), soon())).kind).toBe('held')
      expect((await moved.tryAcquire(request(other.key), soon())).kind).toBe('held')
      expect((await moved.extend(own, soon())).kind).toBe('extended')
      // neither is renewed: each key is free after the lease
      const next = await nextGrant({ backend, locker: LOCKER }, own.key, performance.now())
      expect(next.fence).toBeGreaterThan(fence)
      await nextGrant({ backend: moved, locker: LOCKER }, other.key, performance.now())
    },
  )

  test('a holder keeps its lock when somebody annotates its object, and loses it when somebody edits the holder', async ({
    skip,
  }) => {
    const { kubeconfig } = server(skip)
    const backend = await open(urlOf(kubeconfig))
    const admin = adminOf(kubeconfig)
    const wanted = request('edited')
    const fence = await granted(backend, wanted)
    const at = { namespace: 'default', name: objectName('edited') }
    await admin.patch(LEASES, at, { metadata: { annotations: { by: 'somebody' } } }, soon())
    expect((await backend.extend(wanted, soon())).kind).toBe('extended')
    expect(await granted(backend, wanted)).toBe(fence)
    await admin.patch(LEASES, at, { spec: { holderIdentity: 'somebody' } }, soon())
    expect(await backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
    expect((await backend.tryAcquire(request('edited'), soon())).kind).toBe('held')
  })

  test('fences rise across a deletion of the object', async ({ skip }) => {
    const { kubeconfig } = server(skip)
    const backend = await open(urlOf(kubeconfig))
    const wanted = request('deleted')
    const fence = await granted(backend, wanted)
    await adminOf(kubeconfig).delete(LEASES, { namespace: 'default', name: objectName('deleted') }, soon())
    expect(await granted(backend, request('deleted'))).toBeGreaterThan(fence)
    expect(await backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
  })

  test('a fence store puts fences above those of an earlier lock service', async ({ skip }) => {
    const fences = createMemoryFences()
    const earlier = await fences.epochOf('redis', soon())
    const url = urlOf(server(skip).kubeconfig)
    await using backend = await openLockBackend(url, { clock: systemClock, fences }, soon())
    expect(await granted(backend, request('composed'))).toBeGreaterThan((earlier + 1n) << 40n)
  })

  test.for([
    ['wrong credentials', 'LOCK_ACCESS_REFUSED', /token: \w+/, 'token: hidden-word'],
    ['no credentials', 'LOCK_ACCESS_REFUSED', /token: \w+/, ''],
    ['a certificate that nobody vouches for', 'LOCK_TLS_FAILED', 'insecure-skip-tls-verify: true', ''],
    ['no server', 'LOCK_BACKEND_UNAVAILABLE', /127\.0\.0\.1:\d+/, '127.0.0.1:1'],
    ['a context that does not exist', 'CONFIG_INVALID', 'current-context: api', 'current-context: other'],
  ] as const)('%s: one sentence at the start', async ([, code, from, to], { skip }) => {
    const { kubeconfig } = server(skip)
    const path = `${kubeconfig}-${newToken()}`
    writeFileSync(path, readFileSync(kubeconfig, 'utf8').replace(from, to))
    const thrown: unknown = await open(urlOf(path)).catch((error: unknown) => error)
    expect(thrown).toMatchObject({ name: 'IngotError', code })
    expect(String(thrown)).not.toContain('hidden-word')
  })
})

test.for(['kubernetes://namespace', 'kubernetes:///Not_A_Name', 'kubernetes:///a?unknown=1'])(
  'refuses the URL %s',
  async (url) => {
    await expect(open(url)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  },
)
