/** Late or lost replies of the nodes and of the fence store: nothing is granted, and no vote stays. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { IngotError } from '../../../errors/error.ts'
import { systemClock } from '../../../std/clock.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startIndependent } from '../../../testing/redis/servers.ts'
import { startTcpProxy, type TcpProxy } from '../../../testing/tcp/proxy.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { newToken } from '../../token.ts'
import { connectRedlock } from './backend.ts'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

let servers: RedisServers | Absent
let proxies: TcpProxy[] = []
let delay = 0

beforeAll(async () => {
  servers = await startIndependent()
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
})
beforeEach(async ({ skip }) => {
  const { ports } = present(servers, skip)
  delay = 0
  proxies = await Promise.all(ports.map((port) => startTcpProxy(port, { delayMs: () => delay })))
})
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
})

const url = (): string => `redlock://${proxies.map((proxy) => `127.0.0.1:${proxy.port}`).join(',')}?max-lease=20s`

/** Returns how many nodes have the key, asked without the proxies. */
async function votesFor(key: string): Promise<number> {
  if ('absent' in servers) throw new Error(servers.absent)
  const running = servers
  const holders = await Promise.all(running.ports.map((port) => running.cli(port, 'get', `ingot:redlock:${key}`)))
  return holders.filter((holder) => holder !== '').length
}

test('a quorum that arrives after the end of its lease is refused, and its votes are released', async () => {
  await using backend = await connectRedlock(url(), { clock: systemClock }, soon())
  const wanted = { key: newToken(), token: newToken(), ttlMs: 100 }
  expect((await backend.tryAcquire(wanted, soon())).kind).toBe('granted')
  await backend.release(wanted, soon())
  delay = 80
  expect((await backend.tryAcquire(wanted, soon())).kind).toBe('unavailable')
  expect(await votesFor(wanted.key)).toBe(0)
})

test('a fence that arrives after the end of its lease is refused, and the votes are released', async () => {
  const inner = createMemoryFences()
  let late = true
  const fences: FenceStore = {
    ...inner,
    async nextFence(key, signal) {
      if (late) await systemClock.sleep(600)
      return inner.nextFence(key, signal)
    },
  }
  await using backend = await connectRedlock(url(), { clock: systemClock, fences }, soon())
  const wanted = { key: newToken(), token: newToken(), ttlMs: 500 }
  expect((await backend.tryAcquire(wanted, soon())).kind).toBe('unavailable')
  expect(await votesFor(wanted.key)).toBe(0)
  late = false
  expect(await backend.tryAcquire(wanted, soon())).toMatchObject({ kind: 'granted', fence: 2n })
})

test('without its fence store nothing is granted, and the votes are released', async () => {
  const fences: FenceStore = {
    ...createMemoryFences(),
    nextFence: () => Promise.reject(new IngotError('FENCE_STORE_UNAVAILABLE', 'switched off')),
  }
  await using backend = await connectRedlock(url(), { clock: systemClock, fences }, soon())
  const wanted = { key: newToken(), token: newToken(), ttlMs: 5_000 }
  const refused = await backend.tryAcquire(wanted, soon())
  expect(refused).toMatchObject({ kind: 'unavailable', error: { code: 'FENCE_STORE_UNAVAILABLE' } })
  expect(await votesFor(wanted.key)).toBe(0)
})

test('votes whose replies are lost are granted to the same token later, and released with it', async () => {
  await using backend = await connectRedlock(url(), { clock: systemClock }, soon())
  const wanted = { key: newToken(), token: newToken(), ttlMs: 20_000 }
  for (const proxy of proxies.slice(0, 3)) proxy.swallowReplies()
  expect((await backend.tryAcquire(wanted, soon())).kind).toBe('unavailable')
  for (const proxy of proxies) proxy.restore()
  for (const proxy of proxies) proxy.cut()
  let attempt = await backend.tryAcquire(wanted, soon())
  for (const end = performance.now() + 5_000; attempt.kind !== 'granted' && performance.now() < end; ) {
    await systemClock.sleep(50)
    attempt = await backend.tryAcquire(wanted, soon())
  }
  expect(attempt.kind).toBe('granted')
  expect(await backend.release(wanted, soon())).toEqual({ kind: 'released' })
  expect(await votesFor(wanted.key)).toBe(0)
})

test('an aborted call returns at once', async () => {
  await using backend = await connectRedlock(url(), { clock: systemClock }, soon())
  delay = 180
  const wanted = { key: newToken(), token: newToken(), ttlMs: 5_000 }
  const abort = new AbortController()
  const attempt = backend.tryAcquire(wanted, abort.signal)
  const began = performance.now()
  abort.abort(new Error('enough'))
  expect((await attempt).kind).toBe('unavailable')
  // sooner than the votes arrive
  expect(performance.now() - began).toBeLessThan(180)
})
