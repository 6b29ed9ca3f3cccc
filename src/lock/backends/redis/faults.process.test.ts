/** Failures around one server: lost replies, lost messages, full memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import { present } from '../../../testing/present.ts'
import { type RedisServers, type StandaloneOptions, startStandalone } from '../../../testing/redis/servers.ts'
import { startTcpProxy, type TcpProxy } from '../../../testing/tcp/proxy.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import type { Key } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { newToken } from '../../token.ts'
import { FALLBACK_MS, PASS_ON_MS } from '../../wait-entries.ts'
import { createRedisLock, KEEP_MS, type RedisLock } from './backend.ts'
import { createNames } from './keys.ts'

const ON = 'redis, standalone'
const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 30_000): LeaseRequest => ({ key, token: newToken(), ttlMs })

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

type Skip = (reason: string) => never

async function serve(skip: Skip, options?: StandaloneOptions): Promise<RedisServers> {
  const servers = present(await startStandalone(options), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  return servers
}

async function open(url: string): Promise<RedisLock<'within-epoch'>> {
  const lock = createRedisLock(url, { clock: systemClock })
  scope.defer(async () => lock[Symbol.asyncDispose]())
  await lock.connect(soon())
  return lock
}

async function proxied(servers: RedisServers): Promise<readonly [TcpProxy, LockBackend]> {
  const proxy = await startTcpProxy(servers.ports[0] ?? 0)
  scope.defer(async () => proxy[Symbol.asyncDispose]())
  return [proxy, await open(`redis://127.0.0.1:${proxy.port}`)]
}

/** Loads the scripts into the server, so that the next command is one step. */
async function warm(backend: LockBackend): Promise<void> {
  const wanted = request('warm')
  await backend.tryAcquire(wanted, soon())
  await backend.release(wanted, soon())
}

/** Returns how long it takes until another client acquires the key. */
async function untilGranted(backend: LockBackend, key: Key, limitMs: number): Promise<number> {
  const began = performance.now()
  while (performance.now() - began < limitMs) {
    const wanted = request(key)
    const { kind } = await backend.tryAcquire(wanted, soon())
    if (kind === 'granted') {
      await backend.release(wanted, soon())
      return performance.now() - began
    }
    await sleep(10)
  }
  throw new Error(`the key was not free after ${limitMs} ms`)
}

test('after a lost reply to a successful acquisition, the repeated token has the lock, with one fence', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const direct = await open(servers.url)
  const [proxy, lock] = await proxied(servers)
  const wanted = request('lost-reply')
  await warm(direct)
  proxy.swallowReplies()
  expect((await lock.tryAcquire(wanted, soon())).kind).toBe('unavailable')
  const landed = await direct.inspect(wanted.key, soon())
  if (landed.kind !== 'held') throw new Error('inconclusive: the command did not take effect')
  proxy.restore()
  proxy.cut()
  let again = await lock.tryAcquire(wanted, soon())
  for (let tries = 0; again.kind === 'unavailable' && tries < 200; tries++) {
    await sleep(20)
    again = await lock.tryAcquire(wanted, soon())
  }
  expect(again).toMatchObject({ kind: 'granted', fence: landed.fence })
})

test('a lost reply that is not repeated leaves no lock beyond its time to live', async ({ skip }) => {
  const servers = await serve(skip)
  const direct = await open(servers.url)
  const [proxy, lock] = await proxied(servers)
  const wanted = request('ghost', 1_500)
  await warm(direct)
  proxy.swallowReplies()
  const sentMs = performance.now()
  expect((await lock.tryAcquire(wanted, soon())).kind).toBe('unavailable')
  expect((await direct.tryAcquire(request('ghost'), soon())).kind).toBe('held')
  await untilGranted(direct, 'ghost', 5_000)
  const goneMs = performance.now() - sentMs
  expect(goneMs).toBeLessThan(1_500 + 250)
  reportFault({
    fault: 'lost reply to an acquisition',
    on: ON,
    outageMs: goneMs,
    seen: 'free when its 1500 ms lease ended',
  })
})

test('the locker releases a lock that it may have acquired without a reply', async ({ skip }) => {
  const servers = await serve(skip)
  const direct = await open(servers.url)
  const [proxy, lock] = await proxied(servers)
  proxy.swallowReplies()
  const locker = createLocker(lock, { callMs: 1_000 })
  expect((await locker.tryAcquire('released', { ttlMs: 60_000 })).kind).toBe('unavailable')
  const freeMs = await untilGranted(direct, 'released', 10_000)
  reportFault({
    fault: 'lost reply, under the locker',
    on: ON,
    outageMs: freeMs,
    seen: 'released long before its 60 s lease',
  })
})

test('the locker releases each of several keys that it may have acquired without a reply', async ({ skip }) => {
  const servers = await serve(skip)
  const direct = await open(servers.url)
  const [proxy, lock] = await proxied(servers)
  await warm(direct)
  proxy.swallowReplies()
  const locker = createLocker(lock, { callMs: 1_000 })
  const asked = locker.tryAcquire(['several:a', 'several:b'], { ttlMs: 60_000 })
  const isHeld = async (key: Key): Promise<boolean> => (await direct.inspect(key, soon())).kind === 'held'
  // both took effect, and their replies are lost
  while (!(await isHeld('several:a')) || !(await isHeld('several:b'))) await sleep(5)
  expect((await asked).kind).toBe('unavailable')
  for (const key of ['several:a', 'several:b']) await untilGranted(direct, key, 10_000)
})

test('a lost wake-up causes a bounded delay', async ({ skip }) => {
  const servers = await serve(skip)
  const [holder, waiter] = [await open(servers.url), await open(servers.url)]
  const wanted = request('silent')
  await holder.tryAcquire(wanted, soon())
  const waiting = createLocker(waiter).acquire('silent', { ttlMs: 5_000, waitMs: 10_000 })
  await sleep(200)
  // the key is gone, and no client is informed
  await servers.cli(servers.ports[0] ?? 0, 'del', createNames('ingot').of('silent').lock)
  const goneMs = performance.now()
  await using grant = await waiting
  const delayMs = performance.now() - goneMs
  expect(grant.key).toBe('silent')
  expect(delayMs).toBeLessThan(FALLBACK_MS + 250)
  reportFault({ fault: 'lost wake-up message', on: ON, outageMs: delayMs, seen: 'the waiter retried by itself' })
})

test('a subscription that breaks while the key is released delays the waiter only by the reconnect', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const [port = 0] = servers.ports
  const holder = await open(servers.url)
  const [proxy, waiter] = await proxied(servers)
  const wanted = request('broken')
  await holder.tryAcquire(wanted, soon())
  const waiting = createLocker(waiter).acquire('broken', { ttlMs: 5_000, waitMs: 10_000 })
  await sleep(200)
  expect(await servers.cli(port, 'pubsub', 'shardchannels')).toContain('wake:')
  proxy.cut()
  await holder.release(wanted, soon())
  const releasedMs = performance.now()
  await using grant = await waiting
  const delayMs = performance.now() - releasedMs
  expect(grant.key).toBe('broken')
  expect(delayMs).toBeLessThan(FALLBACK_MS + 500)
  reportFault({ fault: 'connection cut while waiting', on: ON, outageMs: delayMs, seen: 'the waiter subscribed anew' })
})

test('a waiter that is stopped when it is woken is skipped', async ({ skip }) => {
  const servers = await serve(skip)
  const [holder, waiter] = [await open(servers.url), await open(servers.url)]
  const stopped = await startPeer(servers.url)
  scope.defer(async () => stopped[Symbol.asyncDispose]())
  const wanted = request('frozen')
  await holder.tryAcquire(wanted, soon())
  const refused = await stopped.tryAcquire({ ...request('frozen'), willWait: true })
  if (refused.kind !== 'held' || refused.ticket === undefined)
    throw new Error(`expected an entry in the queue: ${refused.kind}`)
  const waiting = createLocker(waiter).acquire('frozen', { ttlMs: 5_000, waitMs: 10_000 })
  await sleep(200)
  stopped.signal('SIGSTOP')
  expect(await holder.release(wanted, soon())).toEqual({ kind: 'released' })
  const releasedMs = performance.now()
  const kept = await servers.cli(servers.ports[0] ?? 0, 'get', createNames('ingot').of('frozen').lock)
  if (!kept.startsWith('?')) throw new Error('inconclusive: the lock was not reserved for the stopped waiter')
  await using grant = await waiting
  const delayMs = performance.now() - releasedMs
  expect(grant.key).toBe('frozen')
  expect(delayMs).toBeLessThan(KEEP_MS + FALLBACK_MS + 250)
  reportFault({ fault: 'SIGSTOP of the next in line', on: ON, outageMs: delayMs, seen: 'the next waiter was served' })
})

test('a pending grant is not passed on because of an earlier wake-up', async ({ skip }) => {
  const servers = await serve(skip)
  const holder = await open(servers.url)
  const [proxy, waiter] = await proxied(servers)
  const held = request('late')
  await holder.tryAcquire(held, soon())
  const wanted = { ...request('late'), willWait: true }
  const refused = await waiter.tryAcquire(wanted, soon())
  if (refused.kind !== 'held' || refused.ticket === undefined)
    throw new Error(`expected an entry in the queue: ${refused.kind}`)
  const hold = proxy.catchPacket(Buffer.from(wanted.token), 'hold')
  const again = waiter.tryAcquire(wanted, soon())
  await hold.caught
  // reserved for the waiter, which is not waiting but already sending an attempt
  await holder.release(held, soon())
  await sleep(2 * PASS_ON_MS)
  hold.release()
  const grant = await again
  if (grant.kind !== 'granted') throw new Error(`inconclusive: ${grant.kind}`)
  await sleep(50)
  expect((await holder.tryAcquire(request('late'), soon())).kind).toBe('held')
})

test('a full memory refuses new locks, and still extends and releases existing ones', async ({ skip }) => {
  const servers = await serve(skip, { config: ['maxmemory-policy noeviction'] })
  const [port = 0] = servers.ports
  const lock = await open(servers.url)
  const [kept, ended] = [request('kept'), request('ended')]
  await lock.tryAcquire(kept, soon())
  await lock.tryAcquire(ended, soon())
  await servers.cli(port, 'config', 'set', 'maxmemory', '100kb')
  const fullMs = performance.now()
  const refused = await lock.tryAcquire(request('new'), soon())
  expect(refused).toMatchObject({ kind: 'unavailable', error: { code: 'REDIS_OUT_OF_MEMORY' } })
  expect(refused.kind === 'unavailable' && refused.error.message).toContain('OOM')
  expect((await lock.extend(kept, soon())).kind).toBe('extended')
  expect(await lock.release(ended, soon())).toEqual({ kind: 'released' })
  expect((await lock.inspect('kept', soon())).kind).toBe('held')
  await servers.cli(port, 'config', 'set', 'maxmemory', '0')
  await untilGranted(lock, 'new', 2_000)
  const outageMs = performance.now() - fullMs
  reportFault({
    fault: 'out of memory (noeviction)',
    on: ON,
    outageMs,
    seen: 'no new lock; existing ones extended, released',
  })
})
