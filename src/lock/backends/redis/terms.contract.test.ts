/** The epochs of a server's fences, the cost of confirming them, and outages of the fence store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { IngotError } from '../../../errors/error.ts'
import { type Clock, systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startCluster, startIndependent, startStandalone } from '../../../testing/redis/servers.ts'
import { epochOfFence, type FenceStore, type PrimaryTerm } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import type { Attempt, Key } from '../../lock.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'
import { createNames, TAGS } from './keys.ts'

const names = createNames('ingot')
const ALL = '1'.repeat(TAGS)
const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms)

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

type Skip = (why: string) => never

async function serve(skip: Skip, start: () => Promise<RedisServers | Absent> = startStandalone): Promise<RedisServers> {
  const servers = present(await start(), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  return servers
}

async function open(url: string, fences: FenceStore, clock: Clock = systemClock): Promise<RedisLock<'always'>> {
  const lock = createRedisLock(url, { clock, fences }, { settings: { commandTimeoutMs: 3_000 } })
  scope.defer(async () => lock[Symbol.asyncDispose]())
  await lock.connect(soon())
  return lock
}

const ask = (lock: RedisLock<'always'>, key: Key, signal = soon()): Promise<Attempt<'always'>> =>
  lock.tryAcquire({ key, token: newToken(), ttlMs: 1 }, signal)

/** Returns the fence of one grant. Waits for the end of outages. */
async function fenceOf(lock: RedisLock<'always'>, key: Key): Promise<bigint> {
  for (let tries = 0; tries < 200; tries++) {
    const attempt = await ask(lock, key)
    if (attempt.kind === 'granted') return attempt.fence
    await sleep(10)
  }
  throw new Error('no grant')
}

const epochOf = async (lock: RedisLock<'always'>, key: Key): Promise<bigint> => epochOfFence(await fenceOf(lock, key))

/** A fence store that counts its calls, and that can be unavailable or slow. */
function watched(fences = createMemoryFences()) {
  const state = {
    calls: 0,
    away: false,
    gate: Promise.resolve(),
    answer: undefined as readonly PrimaryTerm[] | undefined,
  }
  async function pass<T>(call: () => Promise<T>): Promise<T> {
    state.calls++
    await state.gate
    if (state.away) throw new IngotError('FENCE_STORE_UNAVAILABLE', 'away')
    return call()
  }
  const store: FenceStore = {
    ...fences,
    termsOf: (lines, signal) =>
      pass(async () => {
        const early = state.answer
        state.answer = undefined
        return early ?? fences.termsOf(lines, signal)
      }),
    takeTerm: (term, signal) => pass(() => fences.takeTerm(term, signal)),
  }
  return { fences, store, state }
}

/** A clock that stands still unless the test moves it, so that the store is asked only after an event. */
function stillClock(): Clock & { move: (ms: number) => void } {
  let now = 0
  return { ...systemClock, monotonicMs: () => now, move: (ms) => void (now += ms) }
}

const keyOfEveryTag = (): readonly Key[] => {
  const found = new Map<number, Key>()
  for (let i = 0; found.size < TAGS; i++) found.set(names.of(`k${i}`).tag, `k${i}`)
  return [...found.values()]
}

async function lineOf(servers: RedisServers, key: Key): Promise<string> {
  return servers.cli(servers.ports[0] ?? 0, 'hget', names.of(key).fence, 'line')
}

test('the first use of a server takes one epoch for all its counters, and few calls of the store', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store, state } = watched()
  const lock = await open(servers.url, store, stillClock())
  const attempts = await Promise.all(Array.from({ length: 5_000 }, (_, i) => ask(lock, `item:${i}`)))
  expect(new Set(attempts.map(({ kind }) => kind))).toEqual(new Set(['granted']))
  expect(state.calls).toBeLessThanOrEqual(3)
  expect(await fences.epochOf('next', soon())).toBe(2n)
})

test('a new term of a server takes one epoch, and its counters are raised without another call', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store, state } = watched()
  const [lock, other] = [await open(servers.url, store, stillClock()), await open(servers.url, store, stillClock())]
  const keys = keyOfEveryTag()
  for (let term = 1n; term <= 4n; term++) {
    const before = state.calls
    for (const key of keys) expect(await epochOf(lock, key)).toBe(term)
    for (const key of keys.slice(0, 10)) expect(await epochOf(other, key)).toBe(term)
    expect(state.calls - before).toBeLessThanOrEqual(5)
    await servers.cli(servers.ports[0] ?? 0, 'debug', 'change-repl-id')
  }
  expect(await fences.epochOf('next', soon())).toBe(5n)
})

test('of many clients that start to use a new server at once, few take an epoch', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store } = watched()
  const locks = await Promise.all(Array.from({ length: 10 }, () => open(servers.url, store)))
  const keys = keyOfEveryTag().slice(0, 100)
  for (const loss of [1, 2, 3]) {
    await Promise.all(locks.flatMap((lock, i) => keys.slice(10 * i, 10 * i + 10).map((key) => fenceOf(lock, key))))
    if (loss < 3) await servers.cli(servers.ports[0] ?? 0, 'flushall')
  }
  expect(await fences.epochOf('next', soon())).toBeLessThanOrEqual(3n * 10n)
})

test('in a cluster each primary takes one epoch', { timeout: 120_000 }, async ({ skip }) => {
  const servers = await serve(skip, startCluster)
  const { fences, store, state } = watched()
  const lock = await open(servers.url, store, stillClock())
  for (const key of keyOfEveryTag()) await fenceOf(lock, key)
  expect(await fences.epochOf('next', soon())).toBe(4n)
  expect(state.calls).toBeLessThanOrEqual(12)
})

test('two deployments that share a fence store take no epochs from each other', async ({ skip }) => {
  const servers = await serve(skip, () => startIndependent(2))
  const { fences, store } = watched()
  const locks = await Promise.all(servers.ports.map((port) => open(`redis://127.0.0.1:${port}`, store)))
  const epochs: bigint[][] = []
  for (let round = 0; round < 4; round++) {
    epochs.push(await Promise.all(locks.map((lock) => epochOf(lock, 'k'))))
    for (const port of servers.ports) await servers.cli(port, 'client', 'kill', 'type', 'normal')
  }
  expect(new Set(epochs.map((pair) => pair.join())).size).toBe(1)
  expect(await fences.epochOf('next', soon())).toBe(3n)
})

/** Makes another server the last one that took an epoch for the counters of this one. */
async function overtake(servers: RedisServers, fences: FenceStore, key: Key): Promise<bigint> {
  const line = await lineOf(servers, key)
  return fences.takeTerm({ owner: newToken(), above: 0n, parts: [{ line, members: ALL }] }, soon())
}

test('a server that was overtaken takes a new epoch at the next connection', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store } = watched()
  const lock = await open(servers.url, store, stillClock())
  await fenceOf(lock, 'k')
  const successor = await overtake(servers, fences, 'k')
  await servers.cli(servers.ports[0] ?? 0, 'client', 'kill', 'type', 'normal')
  expect(await epochOf(lock, 'k')).toBe(successor + 1n)
  expect(await epochOf(await open(servers.url, store), 'other')).toBe(successor + 1n)
})

test('a refused write makes the next grants confirm their epoch, and one of an earlier epoch does not', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const { fences, store, state } = watched()
  const lock = await open(servers.url, store, stillClock())
  const first = await fenceOf(lock, 'k')
  const successor = await overtake(servers, fences, 'k')
  expect(await epochOf(lock, 'k')).toBe(epochOfFence(first))
  lock.fenceRefused?.('k', first)
  expect(await epochOf(lock, 'k')).toBe(successor + 1n)
  const before = state.calls
  lock.fenceRefused?.('k', first)
  await fenceOf(lock, 'k')
  expect(state.calls).toBe(before)
})

test('a client that was stopped asks the store before its next grant', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store } = watched()
  const clock = stillClock()
  const lock = await open(servers.url, store, clock)
  await fenceOf(lock, 'k')
  const successor = await overtake(servers, fences, 'k')
  clock.move(3_000)
  expect(await epochOf(lock, 'k')).toBe(successor + 1n)
})

test('a client that acquires locks asks the store again by itself', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store } = watched()
  const clock = stillClock()
  const lock = await open(servers.url, store, clock)
  await fenceOf(lock, 'k')
  const successor = await overtake(servers, fences, 'k')
  clock.move(600)
  let epoch = 0n
  for (let i = 0; epoch < successor && i < 200; i++) epoch = await epochOf(lock, 'k')
  expect(epoch).toBe(successor + 1n)
})

test('without its fence store, a client grants in confirmed epochs, and after a reconnect nothing', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const { store, state } = watched()
  const clock = stillClock()
  const lock = await open(servers.url, store, clock)
  await fenceOf(lock, 'k')
  state.away = true
  for (let i = 0; i < 5; i++) {
    clock.move(5_000)
    await fenceOf(lock, 'k')
  }
  await servers.cli(servers.ports[0] ?? 0, 'client', 'kill', 'type', 'normal')
  const seen = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const attempt = await ask(lock, 'k')
    if (attempt.kind === 'unavailable') seen.add(attempt.error.code)
    else throw new Error('expected no grant without the fence store')
    await sleep(10)
  }
  expect(seen).toContain('FENCE_STORE_UNAVAILABLE')
  state.away = false
  await fenceOf(lock, 'k')
})

test('a caller that gives up does not end the confirmation that others wait for', async ({ skip }) => {
  const servers = await serve(skip)
  const { store, state } = watched()
  const lock = await open(servers.url, store, stillClock())
  const { promise, resolve } = Promise.withResolvers<void>()
  state.gate = promise
  const abort = new AbortController()
  const first = ask(lock, 'k', abort.signal)
  while (state.calls === 0) await sleep(1)
  const second = ask(lock, 'k2')
  abort.abort(new Error('enough'))
  expect((await first).kind).toBe('unavailable')
  resolve()
  expect((await second).kind).toBe('granted')
})

test('a response to a request from before a reconnect is not used after it', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store, state } = watched()
  const lock = await open(servers.url, store, stillClock())
  await fenceOf(lock, 'k')
  const port = servers.ports[0] ?? 0
  await servers.cli(port, 'client', 'kill', 'type', 'normal')
  const { promise, resolve } = Promise.withResolvers<void>()
  // the response is computed now, and arrives after the next reconnect
  const late = await fences.termsOf([await lineOf(servers, 'k')], soon())
  state.answer = late
  state.gate = promise
  const before = state.calls
  const attempt = (async () => {
    for (;;) {
      const outcome = await ask(lock, 'k')
      if (outcome.kind === 'granted') return outcome.fence
      await sleep(5)
    }
  })()
  while (state.calls === before) await sleep(1)
  const successor = await overtake(servers, fences, 'k')
  await servers.cli(port, 'client', 'kill', 'type', 'normal')
  resolve()
  expect(epochOfFence(await attempt)).toBe(successor + 1n)
})

test('a repeated token is granted anew if its lease has a fence from before another primary', async ({ skip }) => {
  const servers = await serve(skip)
  const { fences, store } = watched()
  const lock = await open(servers.url, store, stillClock())
  const request = { key: 'k', token: newToken(), ttlMs: 60_000 }
  const first = await lock.tryAcquire(request, soon())
  const successor = await overtake(servers, fences, 'k')
  lock.fenceRefused?.('k', first.kind === 'granted' ? first.fence : 0n)
  let again = await lock.tryAcquire(request, soon())
  for (let i = 0; again.kind !== 'granted' && i < 200; i++) {
    await sleep(10)
    again = await lock.tryAcquire(request, soon())
  }
  if (again.kind !== 'granted') throw new Error('expected a grant')
  expect(epochOfFence(again.fence)).toBe(successor + 1n)
  expect(await lock.tryAcquire(request, soon())).toMatchObject({ kind: 'granted', fence: again.fence })
})

test('the mark of a dead client is replaced', async ({ skip }) => {
  const servers = await serve(skip)
  const port = servers.ports[0] ?? 0
  const replid = /master_replid:(\w+)/.exec(await servers.cli(port, 'info', 'replication'))?.[1] ?? ''
  await servers.cli(port, 'hset', names.of('k').fence, 'mark', `${replid}:dead.1:dead.1`)
  const { store } = watched()
  const lock = await open(servers.url, store)
  expect((await ask(lock, 'k')).kind).toBe('granted')
})

test('fences of an earlier version rise, whatever the fence store remembers', async ({ skip }) => {
  const servers = await serve(skip)
  const port = servers.ports[0] ?? 0
  const replid = /master_replid:(\w+)/.exec(await servers.cli(port, 'info', 'replication'))?.[1] ?? ''
  const old = ['id', replid, 'epoch', '7', 'n', String((7n << 40n) + 12n)]
  await servers.cli(port, 'hset', names.of('k').fence, ...old)
  const { store } = watched()
  const lock = await open(servers.url, store)
  expect(await epochOf(lock, 'k')).toBeGreaterThan(7n)
})

test('a process of an earlier version beside this one: its epoch is exceeded, and it continues from ours', async ({
  skip,
}) => {
  const servers = await serve(skip)
  const port = servers.ports[0] ?? 0
  const { fences, store } = watched()
  const lock = await open(servers.url, store, stillClock())
  const seen = [await fenceOf(lock, 'k')]
  await servers.cli(port, 'debug', 'change-repl-id')
  // its adopt.lua in the new term, which knows no lines
  const replid = /master_replid:(\w+)/.exec(await servers.cli(port, 'info', 'replication'))?.[1] ?? ''
  const epoch = await fences.epochOf(replid, soon())
  const number = epoch << 40n
  await servers.cli(port, 'hset', names.of('k').fence, 'id', replid, 'epoch', String(epoch), 'n', String(number))
  seen.push(BigInt(await servers.cli(port, 'hincrby', names.of('k').fence, 'n', '1')))
  seen.push(await fenceOf(lock, 'k'))
  seen.push(BigInt(await servers.cli(port, 'hincrby', names.of('k').fence, 'n', '1')))
  seen.push(await fenceOf(lock, 'k'))
  expect(seen).toEqual(seen.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(new Set(seen).size).toBe(seen.length)
})

test('mutation: if the store forgets the last server, the fence of a returning server falls', async ({ skip }) => {
  const servers = await serve(skip, () => startIndependent(2))
  const [a = 0, b = 0] = servers.ports
  async function play(store: FenceStore): Promise<readonly bigint[]> {
    const seen = [await fenceOf(await open(`redis://127.0.0.1:${a}`, store), 'k')]
    await servers.cli(b, 'replicaof', '127.0.0.1', String(a))
    while (!/master_link_status:up/.test(await servers.cli(b, 'info', 'replication'))) await sleep(20)
    await servers.cli(b, 'replicaof', 'no', 'one')
    seen.push(await fenceOf(await open(`redis://127.0.0.1:${b}`, store), 'k'))
    seen.push(await fenceOf(await open(`redis://127.0.0.1:${a}`, store), 'k'))
    return seen
  }
  const isRising = ([x = 0n, y = 0n, z = 0n]: readonly bigint[]): boolean => x < y && y < z
  const fences = createMemoryFences()
  expect(isRising(await play(fences))).toBe(true)
  await servers.cli(a, 'flushall')
  const own = new Map<string, bigint>()
  const forgetful: FenceStore = {
    ...fences,
    // reports every server as the last one
    async takeTerm(term, signal) {
      const epoch = own.get(term.owner) ?? (await fences.takeTerm(term, signal))
      own.set(term.owner, epoch)
      return epoch
    },
  }
  expect(isRising(await play(forgetful))).toBe(false)
})
