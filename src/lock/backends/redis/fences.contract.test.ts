/** Fences on real servers: they rise whatever the server loses, and they use 1,024 keys for any number of locks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { slotOf } from '../../../redis/slot.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startCluster, startStandalone } from '../../../testing/redis/servers.ts'
import type { LeaseRequest } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import type { Key } from '../../lock.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'
import { createNames, TAGS } from './keys.ts'

const names = createNames('ingot')
const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms)

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(start: () => Promise<RedisServers | Absent>, skip: (why: string) => never): Promise<RedisServers> {
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

/** Returns the fence of one grant, which is released. Waits for the end of outages and slot moves. */
async function fenceOf(lock: RedisLock<'always'>, key: Key): Promise<bigint> {
  for (let tries = 0; tries < 200; tries++) {
    const request = { key, token: newToken(), ttlMs: 5_000 }
    const attempt = await lock.tryAcquire(request, soon())
    if (attempt.kind === 'granted') {
      await lock.release(request, soon())
      return attempt.fence
    }
    await sleep(25)
  }
  throw new Error('no grant within five seconds')
}

/** Acquires all locks. A command that took longer than its deadline, on a busy machine, is sent again with the same tokens. */
async function grantAll(lock: RedisLock<'always'>, requests: readonly LeaseRequest[]): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const attempts = await lock.tryAcquireMany?.(requests, soon()).catch(() => [])
    if (attempts?.length === requests.length && attempts.every(({ kind }) => kind === 'granted')) return
    await sleep(100)
  }
  throw new Error(`${requests.length} locks were not granted in 50 tries`)
}

test('a million locks leave no more keys than there are tags', { timeout: 120_000 }, async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  const lock = await open(servers.url, createMemoryFences())
  const [port = 0] = servers.ports
  for (let from = 0; from < 1_000_000; from += 1_000) {
    const requests = Array.from({ length: 1_000 }, (_, i) => ({
      key: `item:${from + i}`,
      token: newToken(),
      ttlMs: 300,
    }))
    await grantAll(lock, requests)
  }
  let left = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 300 && left > TAGS; tries++) {
    await sleep(100)
    left = Number(await servers.cli(port, 'dbsize'))
  }
  expect(left).toBe(TAGS)
  expect(await servers.cli(port, '--raw', 'keys', '*lock*')).toBe('')
})

test('fences rise although the server lost all data, in a restart or by FLUSHALL', async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  const [port = 0] = servers.ports
  const fences = createMemoryFences()
  const [a, b] = [await open(servers.url, fences), await open(servers.url, fences)]
  const seen = [await fenceOf(a, 'k'), await fenceOf(b, 'k')]
  for (const loss of ['flushall', 'restart', 'flushall', 'flushall']) {
    if (loss === 'flushall') await servers.cli(port, 'flushall')
    else {
      await servers.signal(port, 'KILL')
      await servers.restart(port)
    }
    seen.push(await fenceOf(a, 'k'), await fenceOf(b, 'k'), await fenceOf(a, 'k'))
  }
  expect(seen).toEqual(seen.toSorted((x, y) => (x < y ? -1 : 1)))
  expect(new Set(seen).size).toBe(seen.length)
})

test('an epoch that was issued before the loss of the data is not adopted after it', async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  const [port = 0] = servers.ports
  const fences = createMemoryFences()
  let openGate = (): void => {}
  const gate = new Promise<void>((resolve) => {
    openGate = resolve
  })
  const asked: string[] = []
  const slow: FenceStore = {
    ...fences,
    async takeTerm(term, signal) {
      const epoch = await fences.takeTerm(term, signal)
      // only the first one: it arrives when its epoch is long outdated
      if (asked.push(term.owner) === 1) await gate
      return epoch
    },
  }
  const [late, quick] = [await open(servers.url, slow), await open(servers.url, fences)]
  const lateFence = fenceOf(late, 'k')
  while (asked.length === 0) await sleep(1)
  await fenceOf(quick, 'k')
  await servers.cli(port, 'flushall')
  const between = await fenceOf(quick, 'k')
  await servers.cli(port, 'flushall')
  openGate()
  expect(await lateFence).toBeGreaterThan(between)
})

test('fences of one key never repeat, however many clients take epochs at once', async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  const [port = 0] = servers.ports
  const fences = createMemoryFences()
  const locks = await Promise.all(Array.from({ length: 4 }, () => open(servers.url, fences)))
  const seen: bigint[] = []
  for (let round = 0; round < 10; round++) {
    await servers.cli(port, 'flushall')
    for (const fence of await Promise.all(locks.map((lock) => fenceOf(lock, 'k')))) seen.push(fence)
  }
  expect(new Set(seen).size).toBe(40)
  // rounds are sequential: each is above all earlier ones
  const rounds = Array.from({ length: 10 }, (_, i) => seen.slice(4 * i, 4 * i + 4).toSorted((x, y) => (x < y ? -1 : 1)))
  expect(rounds.flat()).toEqual(seen.toSorted((x, y) => (x < y ? -1 : 1)))
})

test('fences rise when a slot moves to another shard and back', { timeout: 60_000 }, async ({ skip }) => {
  const servers = await serve(startCluster, skip)
  const lock = await open(servers.url, createMemoryFences())
  const key = 'moving'
  const slot = String(slotOf(names.of(key).lock))
  const from = await servers.master(Number(slot))
  const to = servers.ports.slice(0, 3).find((port) => port !== from) ?? 0

  async function move(source: number, target: number): Promise<void> {
    const [sourceId, targetId] = [
      await servers.cli(source, 'cluster', 'myid'),
      await servers.cli(target, 'cluster', 'myid'),
    ]
    await servers.cli(target, 'cluster', 'setslot', slot, 'importing', sourceId)
    await servers.cli(source, 'cluster', 'setslot', slot, 'migrating', targetId)
    const keys = (await servers.cli(source, '--raw', 'cluster', 'getkeysinslot', slot, '1000'))
      .split('\n')
      .filter(Boolean)
    if (keys.length > 0) {
      await servers.cli(source, 'migrate', '127.0.0.1', String(target), '', '0', '5000', 'replace', 'keys', ...keys)
    }
    for (const port of [target, source]) await servers.cli(port, 'cluster', 'setslot', slot, 'node', targetId)
  }

  const seen = [await fenceOf(lock, key)]
  // another key of the target raises the epochs there, and those of the way back here
  for (const [source, target] of [
    [from, to],
    [to, from],
  ] as const) {
    const [moving, meanwhile] = [move(source, target), fenceOf(lock, key)]
    seen.push(await meanwhile)
    await moving
    seen.push(await fenceOf(lock, key), await fenceOf(lock, key))
  }
  expect(seen).toEqual(seen.toSorted((x, y) => (x < y ? -1 : 1)))
  expect(new Set(seen).size).toBe(seen.length)
  expect(await servers.master(Number(slot))).toBe(from)
})

test('fences stay exact where a double would round them', async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  // epochs of 2^13 and above put the number beyond 2^53
  const fences = createMemoryFences()
  const members = '1'.repeat(TAGS)
  await fences.takeTerm({ owner: 'another', above: 8_191n * 64n - 1n, parts: [{ line: 'another', members }] }, soon())
  const lock = await open(servers.url, fences)
  const base = (8_191n * 64n + 1n) << 40n
  expect([await fenceOf(lock, 'k'), await fenceOf(lock, 'k')]).toEqual([base + 1n, base + 2n])
  const request = { key: 'k', token: newToken(), ttlMs: 5_000 }
  expect(await lock.tryAcquire(request, soon())).toMatchObject({ fence: base + 3n })
  expect(await lock.tryAcquire(request, soon())).toMatchObject({ fence: base + 3n })
  expect(await lock.inspect('k', soon())).toMatchObject({ fence: base + 3n })
})

test('an epoch without numbers left grants nothing', async ({ skip }) => {
  const servers = await serve(startStandalone, skip)
  const lock = await open(servers.url, createMemoryFences())
  await fenceOf(lock, 'k')
  await servers.cli(servers.ports[0] ?? 0, 'hset', names.of('k').fence, 'n', String(2n ** 41n - 3n))
  expect(await fenceOf(lock, 'k')).toBe(2n ** 41n - 2n)
  const attempt = await lock.tryAcquire({ key: 'k', token: newToken(), ttlMs: 5_000 }, soon())
  expect(attempt.kind === 'unavailable' && attempt.error.code).toBe('FENCE_EXHAUSTED')
})
