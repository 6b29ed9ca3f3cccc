/**
 * A server that was never demoted becomes the primary again after another one, and an address leads to one server after
 * the other. Fences must rise nevertheless, for every client, including one that has just started.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startIndependent, startSentinel } from '../../../testing/redis/servers.ts'
import { startTcpProxy, type TcpProxy } from '../../../testing/tcp/proxy.ts'
import type { LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'

const LIMIT_MS = 30_000
const HOST = '127.0.0.1'
const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms)

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

type Skip = (reason: string) => never

async function serve(start: () => Promise<RedisServers | Absent>, skip: Skip): Promise<RedisServers> {
  const servers = present(await start(), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  return servers
}

async function open(url: string, fences: FenceStore): Promise<RedisLock<'always'>> {
  const lock = createRedisLock(url, { clock: systemClock, fences })
  scope.defer(async () => lock[Symbol.asyncDispose]())
  await lock.connect(soon())
  return lock
}

/** Returns the fence of one grant, which is released. Waits for the end of outages. */
async function fenceOf(lock: LockBackend<'always'>, key = 'k'): Promise<bigint> {
  const end = performance.now() + LIMIT_MS
  while (performance.now() < end) {
    const request = { key, token: newToken(), ttlMs: 1_000 }
    const attempt = await lock.tryAcquire(request, soon(2_000))
    if (attempt.kind !== 'held') await lock.release(request, soon(2_000))
    if (attempt.kind === 'granted') return attempt.fence
    await sleep(20)
  }
  throw new Error(`no grant within ${LIMIT_MS} ms`)
}

function expectRising(fences: readonly bigint[]): void {
  expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(new Set(fences).size).toBe(fences.length)
}

const untilPrimary = (servers: RedisServers, isMeant: (port: number) => boolean): Promise<true> =>
  untilTrue('another primary', async () => isMeant(await servers.master()), { withinMs: LIMIT_MS })

test('Sentinel: fences rise when the primary before the last one returns without having been demoted', async ({
  skip,
}) => {
  const servers = await serve(startSentinel, skip)
  const fences = createMemoryFences()
  const lock = await open(servers.url, fences)
  const sentinel = Number(/:(\d+)/.exec(servers.url.slice('redis+sentinel:'.length))?.[1])
  const first = await servers.master()
  // the other replica must not be promoted in the end
  const replid = async (port: number): Promise<string | undefined> =>
    /master_replid:(\w+)/.exec(await servers.cli(port, 'info', 'replication'))?.[1]
  const before = await replid(first)
  const seen = [await fenceOf(lock), await fenceOf(lock)]
  await servers.cli(sentinel, 'sentinel', 'failover', 'ingot')
  await untilPrimary(servers, (port) => port !== first)
  const second = await servers.master()
  seen.push(await fenceOf(lock), await fenceOf(lock))
  const others = servers.ports.filter((port) => port !== first && port !== second)
  await Promise.all(others.map((port) => servers.signal(port, 'KILL')))
  await sleep(1_000)
  await servers.signal(second, 'KILL')
  await untilPrimary(servers, (port) => port === first)
  if ((await replid(first)) !== before) throw new Error('inconclusive: the first primary was demoted meanwhile')
  const fresh = await open(servers.url, fences)
  seen.push(await fenceOf(fresh), await fenceOf(lock), await fenceOf(fresh, 'another'), await fenceOf(lock))
  expectRising(seen.filter((_, i) => i !== 6))
  expect(seen[6]).toBeGreaterThan(seen[3] ?? 0n)
  reportFault({ fault: 'a primary returns that was not demoted', on: 'redis, Sentinel', seen: 'fences rose' })
})

async function addressed(skip: Skip): Promise<readonly [RedisServers, TcpProxy, number, number]> {
  const servers = await serve(() => startIndependent(2), skip)
  const [a = 0, b = 0] = servers.ports
  const proxy = await startTcpProxy(a)
  scope.defer(async () => proxy[Symbol.asyncDispose]())
  return [servers, proxy, a, b]
}

/** Makes `to` copy the data of `from`, and then act as a primary beside it. */
async function succeed(servers: RedisServers, from: number, to: number): Promise<void> {
  await servers.cli(to, 'replicaof', HOST, String(from))
  await untilTrue(
    'a replica in step',
    async () => /master_link_status:up/.test(await servers.cli(to, 'info', 'replication')),
    { withinMs: LIMIT_MS },
  )
  await servers.cli(to, 'replicaof', 'no', 'one')
}

test.for(['cut', 'kept'] as const)(
  'an address that leads from A to B, to A and to B, its connections %s: fences rise',
  async (connections, { skip }) => {
    const [servers, proxy, a, b] = await addressed(skip)
    const fences = createMemoryFences()
    const url = `redis://${HOST}:${proxy.port}`
    const lock = await open(url, fences)
    const seen = [await fenceOf(lock)]
    await succeed(servers, a, b)
    for (const [to, from] of [
      [b, a],
      [a, b],
      [b, a],
    ] as const) {
      proxy.redirect(to)
      if (connections === 'cut') proxy.cut()
      // only the server of the address accepts writes: the other one is no primary for its clients
      await servers.cli(to, 'client', 'unpause')
      await servers.cli(from, 'client', 'pause', '60000', 'write')
      const fresh = await open(url, fences)
      seen.push(await fenceOf(fresh), await fenceOf(lock), await fenceOf(fresh), await fenceOf(lock))
    }
    expectRising(seen)
  },
)

test('a client leaves a demoted primary behind an address, even if its old connection stays open', async ({ skip }) => {
  const [servers, proxy, a, b] = await addressed(skip)
  const fences = createMemoryFences()
  const url = `redis://${HOST}:${proxy.port}`
  const fenced = await open(url, fences)
  const plain = createRedisLock(url, { clock: systemClock }, { namespace: 'plain' })
  scope.defer(async () => plain[Symbol.asyncDispose]())
  await plain.connect(soon())
  const before = await fenceOf(fenced)
  await plain.tryAcquire({ key: 'k', token: newToken(), ttlMs: 10 }, soon())
  await succeed(servers, a, b)
  proxy.redirect(b)
  await servers.cli(a, 'replicaof', HOST, String(b))
  const outage = async (lock: LockBackend): Promise<number> => {
    const began = performance.now()
    for (;;) {
      const attempt = await lock.tryAcquire({ key: 'k', token: newToken(), ttlMs: 10 }, soon(2_000))
      if (attempt.kind === 'granted') return performance.now() - began
      if (performance.now() - began > LIMIT_MS) throw new Error('the client stayed with the demoted primary')
      await sleep(20)
    }
  }
  const [fencedMs, plainMs] = await Promise.all([outage(fenced), outage(plain)])
  expect(await fenceOf(fenced)).toBeGreaterThan(before)
  const fault = 'demoted primary, connection stays open'
  reportFault({ fault, on: 'redis, address', outageMs: fencedMs, seen: 'with fences' })
  reportFault({ fault, on: 'redis, address, without fences', outageMs: plainMs, seen: 'READONLY' })
})
