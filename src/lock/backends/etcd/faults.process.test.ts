/** Failures of holders and of members of the cluster, and delayed packets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { type EtcdServers, startEtcd } from '../../../testing/etcd/servers.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { expectSuccession, nextGrant } from '../../../testing/locks/dead-holder.ts'
import { expectNewLeader } from '../../../testing/locks/dead-leader.ts'
import { present } from '../../../testing/present.ts'
import { startTcpProxy } from '../../../testing/tcp/proxy.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import type { Key } from '../../lock.ts'
import { newToken } from '../../token.ts'
import { connectEtcdLock } from './backend.ts'
import { prefixOf } from './requests.ts'

const ON = 'etcd, three members'
const LOCKER = { waitMs: 40_000, closeMs: 3_000 }
const soon = (ms = 10_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 30_000): LeaseRequest => ({ key, token: newToken(), ttlMs })

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never, members = 3): Promise<EtcdServers> {
  const servers = present(await startEtcd({ members }), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  return servers
}

async function open(url: string): Promise<LockBackend> {
  const backend = await connectEtcdLock(url, { clock: systemClock }, soon())
  scope.defer(async () => backend[Symbol.asyncDispose]())
  return backend
}

test('the key of a killed and of a frozen holder is free after its lease, and the frozen one learns of its loss', async ({
  skip,
}) => {
  const { url } = await serve(skip, 1)
  const backend = await open(url)
  await expectSuccession({ url, backend, ttlMs: 2_000, locker: LOCKER, on: ON, seen: 'the next fence is higher' })
})

test.for(['KILL', 'STOP'] as const)(
  'after SIG%s of the leader the other members grant, a holder keeps its lock, and fences rise',
  async (fault, { skip }) => {
    const servers = await serve(skip)
    const backend = await open(servers.url)
    await expectNewLeader({ servers, backend, locker: LOCKER, on: ON, fault })
  },
)

test('without a majority nothing is granted or extended, and afterwards the locks are there', async ({ skip }) => {
  const servers = await serve(skip)
  const backend = await open(servers.url)
  const kept = request('kept', 30_000)
  expect((await backend.tryAcquire(kept, soon())).kind).toBe('granted')
  const leader = await servers.leader()
  const others = [0, 1, 2].filter((member) => member !== leader)
  const fromMs = performance.now()
  for (const member of others) await servers.signal(member, 'STOP')
  // a leader that is left alone still renews leases for a while, so an extension also reads
  expect((await backend.extend(kept, soon())).kind).toBe('unavailable')
  expect((await backend.tryAcquire(request('new'), soon())).kind).toBe('unavailable')
  for (const member of others) await servers.signal(member, 'CONT')
  const next = await nextGrant({ backend, locker: LOCKER }, 'new', fromMs)
  expect((await backend.tryAcquire(request('kept'), soon())).kind).toBe('held')
  reportFault({
    fault: 'majority frozen',
    on: ON,
    outageMs: next.outageMs,
    seen: 'no grant, no extension, nothing lost',
  })
})

test('a claim that arrives after its release leaves no lock behind', async ({ skip }) => {
  const servers = await serve(skip, 1)
  const direct = await open(servers.url)
  const proxy = await startTcpProxy(servers.ports[0] ?? 0)
  scope.defer(async () => proxy[Symbol.asyncDispose]())
  const backend = await open(`etcd://127.0.0.1:${proxy.port}`)
  const wanted = request('late')
  const hold = proxy.catchPacket(
    Buffer.from(Buffer.from(prefixOf('ingot', 'late')).toString('base64').slice(0, 16)),
    'hold',
  )
  const attempt = backend.tryAcquire(wanted, soon())
  await hold.caught
  expect((await attempt).kind).toBe('unavailable')
  expect((await backend.release(wanted, soon())).kind).toBe('lost')
  hold.release()
  await sleep(300)
  expect(await direct.inspect('late', soon())).toEqual({ kind: 'free' })
})

test('an entry that was deleted by hand is lost at the next extension', async ({ skip }) => {
  const servers = await serve(skip, 1)
  const backend = await open(servers.url)
  const wanted = request('by-hand')
  const first = await backend.tryAcquire(wanted, soon())
  if (first.kind !== 'granted') throw new Error(`expected a grant, got ${first.kind}`)
  const prefix = prefixOf('ingot', 'by-hand')
  await servers.call('kv/deleterange', { key: btoa(prefix), range_end: btoa(`${prefix.slice(0, -1)}0`) })
  expect(await backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
  const next = await backend.tryAcquire(request('by-hand'), soon())
  expect(next.kind === 'granted' && (next.fence ?? 0n) > (first.fence ?? 0n)).toBe(true)
})
