/** Failures of holders, of servers and of sessions, and delayed packets. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { defined } from '../../../std/defined.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { expectSuccession, nextGrant } from '../../../testing/locks/dead-holder.ts'
import { expectNewLeader } from '../../../testing/locks/dead-leader.ts'
import { present } from '../../../testing/present.ts'
import { startTcpProxy, type TcpProxy } from '../../../testing/tcp/proxy.ts'
import { startZooKeeper, type ZooKeeperServers } from '../../../testing/zookeeper/servers.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import { epochOfFence, type FenceStore } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import type { Attempt, Fencing, Key } from '../../lock.ts'
import { newToken } from '../../token.ts'
import { connectZooKeeperLock } from './backend.ts'
import { queueOf, readNode } from './requests.ts'
import { createSession } from './session.ts'
import { parseLockUrl } from './url.ts'
import { OP } from './wire.ts'

const ON = 'zookeeper, three servers'
const LOCKER = { waitMs: 40_000, closeMs: 3_000 }
const soon = (ms = 10_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 20_000): LeaseRequest => ({ key, token: newToken(), ttlMs })

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never, count = 3): Promise<ZooKeeperServers> {
  const servers = present(await startZooKeeper({ servers: count }), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  return servers
}

async function open(url: string, fences?: FenceStore): Promise<LockBackend> {
  const backend = await connectZooKeeperLock(url, { clock: systemClock, ...defined({ fences }) }, soon())
  scope.defer(async () => backend[Symbol.asyncDispose]())
  return backend
}

async function proxyOf(servers: ZooKeeperServers): Promise<TcpProxy> {
  const proxy = await startTcpProxy(servers.ports[0] ?? 0)
  scope.defer(async () => proxy[Symbol.asyncDispose]())
  return proxy
}

function fenceOf(attempt: Attempt<Fencing>): bigint {
  if (attempt.kind === 'granted') return attempt.fence ?? 0n
  throw new Error(`expected a grant, got ${attempt.kind}`, { cause: attempt })
}

test('the key of a killed and of a frozen holder is free after its session, and the frozen one learns of its loss', async ({
  skip,
}) => {
  const servers = await serve(skip, 1)
  const url = `${servers.url}?session=2s`
  const backend = await open(url)
  await expectSuccession({
    url,
    backend,
    ttlMs: 1_000,
    locker: LOCKER,
    on: 'zookeeper',
    seen: 'the next fence is higher',
  })
})

test.for(['KILL', 'STOP'] as const)(
  'after SIG%s of the leader the other servers grant, a holder keeps its lock, and fences rise',
  async (fault, { skip }) => {
    const servers = await serve(skip)
    const backend = await open(`${servers.url}?session=40s`)
    await expectNewLeader({ servers, backend, locker: LOCKER, on: ON, fault })
  },
)

test('with a fence store fences rise across a change of the leader, for clients that ask for its epoch in turn', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const fences = createMemoryFences()
  const [first, second] = [await open(servers.url, fences), await open(servers.url, fences)]
  const next = async (backend: LockBackend): Promise<bigint> =>
    (await nextGrant({ backend, locker: LOCKER }, 'composed', performance.now())).fence
  const before = [await next(first), await next(second), await next(first)]
  await servers.signal(await servers.leader(), 'KILL')
  const after = [await next(second), await next(first), await next(second)]
  const all = [...before, ...after]
  expect(all).toEqual(all.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(new Set(all).size).toBe(all.length)
  const epochs = all.map(epochOfFence)
  expect(epochs.at(-1) ?? 0n).toBeGreaterThan(epochs[0] ?? 0n)
})

test('a follower that is cut off from its leader extends and grants nothing, though it responds to reads', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const leader = await servers.leader()
  const [follower = 0, other = 0] = [0, 1, 2].filter((server) => server !== leader)
  const url = `zookeeper://127.0.0.1:${servers.ports[follower]}?session=40s`
  const backend = await open(url)
  const kept = request('kept')
  fenceOf(await backend.tryAcquire(kept, soon()))
  const reader = createSession({ ...parseLockUrl(url), clock: systemClock })
  scope.defer(async () => reader[Symbol.asyncDispose]())
  const connection = await reader.start(soon())
  const fromMs = performance.now()
  await Promise.all([leader, other].map((server) => servers.signal(server, 'STOP')))
  const extension = backend.extend(kept, soon())
  // an extension by a read would succeed here
  await connection.request(OP.exists, readNode(queueOf('/ingot/locks', 'kept')))
  expect((await extension).kind).toBe('unavailable')
  expect((await backend.tryAcquire(request('new'), soon())).kind).toBe('unavailable')
  await Promise.all([leader, other].map((server) => servers.signal(server, 'CONT')))
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
  const proxy = await proxyOf(servers)
  const backend = await open(`zookeeper://127.0.0.1:${proxy.port}?session=4s`)
  const wanted = request('late')
  const hold = proxy.catchPacket(Buffer.from(queueOf('/ingot/locks', 'late')), 'hold')
  const attempt = backend.tryAcquire(wanted, soon())
  await hold.caught
  expect((await attempt).kind).toBe('unavailable')
  expect((await backend.release(wanted, soon())).kind).toBe('lost')
  expect(hold.release()).toBeGreaterThan(0)
  await sleep(300)
  expect(await direct.inspect('late', soon())).toEqual({ kind: 'free' })
  fenceOf(await direct.tryAcquire(request('late'), soon()))
})

test('a claim whose response was lost is found and removed', async ({ skip }) => {
  const servers = await serve(skip, 1)
  const direct = await open(servers.url)
  const proxy = await proxyOf(servers)
  const backend = await open(`zookeeper://127.0.0.1:${proxy.port}?session=4s`)
  await backend.release(request('mute'), soon())
  const wanted = request('mute')
  fenceOf(await direct.tryAcquire(wanted, soon()))
  await direct.release(wanted, soon())
  const mute = proxy.catchPacket(Buffer.from(queueOf('/ingot/locks', 'mute')), 'mute')
  const attempt = backend.tryAcquire(wanted, soon())
  await mute.caught
  expect((await attempt).kind).toBe('unavailable')
  const seen = await direct.inspect('mute', soon())
  expect((await backend.release(wanted, soon())).kind).toBe('lost')
  expect(seen.kind).toBe('held')
  expect(await direct.inspect('mute', soon())).toEqual({ kind: 'free' })
})

test('after the end of its session a client keeps no lock of it, and its next fence is higher', async ({ skip }) => {
  const servers = await serve(skip, 1)
  const direct = await open(servers.url)
  const proxy = await proxyOf(servers)
  const backend = await open(`zookeeper://127.0.0.1:${proxy.port}?session=2s`)
  const wanted = request('expired', 1_000)
  const first = fenceOf(await backend.tryAcquire(wanted, soon()))
  proxy.redirect(1)
  proxy.cut()
  const between = await nextGrant({ backend: direct, locker: LOCKER }, 'expired', performance.now())
  proxy.redirect(servers.ports[0] ?? 0)
  expect(await backend.extend(wanted, soon())).toEqual({ kind: 'lost' })
  const next = await nextGrant({ backend, locker: LOCKER }, 'expired', performance.now())
  expect(between.fence).toBeGreaterThan(first)
  expect(next.fence).toBeGreaterThan(between.fence)
  expect(await backend.release(wanted, soon())).toEqual({ kind: 'lost' })
})
