/** Keys that another program wrote under the names of locks: they fail their own lock, and no others. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBreaker } from '../../../std/breaker.ts'
import { systemClock } from '../../../std/clock.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startStandalone } from '../../../testing/redis/servers.ts'
import type { LeaseRequest } from '../../backend.ts'
import { withBreaker } from '../../engine/decorate.ts'
import type { Key } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { unmeasured } from '../../measure.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'
import { createNames } from './keys.ts'

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const names = createNames('ingot')
const request = (key: Key): LeaseRequest => ({ key, token: newToken(), ttlMs: 30_000 })

let servers: RedisServers | Absent
let lock: RedisLock<'within-epoch'>

beforeAll(async () => {
  servers = await startStandalone()
  if ('absent' in servers) return
  lock = createRedisLock(servers.url, { clock: systemClock })
  await lock.connect(soon())
})
afterAll(async () => {
  await lock?.[Symbol.asyncDispose]()
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
})

type Skip = (reason: string) => never

/** Stores a value of another type under one of a lock's three names, like another program. Returns the name. */
async function occupy(skip: Skip, key: Key, which: 'lock' | 'fence' | 'queue'): Promise<string> {
  const redis = present(servers, skip)
  const name = names.of(key)[which]
  const [port = 0] = redis.ports
  await (which === 'lock' ? redis.cli(port, 'RPUSH', name, 'mine') : redis.cli(port, 'SET', name, 'mine'))
  return name
}

/** Three keys with different fences. The second key gets the foreign value. */
function threeKeys(prefix: string): readonly [Key, Key, Key] {
  const keys = Array.from({ length: 20 }, (_, i) => `${prefix}:${i}`)
  const [first = '', second = '', third = ''] = [...new Map(keys.map((key) => [names.of(key).tag, key])).values()]
  return [first, second, third]
}

const foreign = { kind: 'unavailable', scope: 'key', error: { code: 'REDIS_KEY_FOREIGN' } }

for (const which of ['lock', 'fence'] as const) {
  test(`a ${which} of another type fails its own key of a batch alone, and is named`, async ({ skip }) => {
    const keys = threeKeys(which)
    const name = await occupy(skip, keys[1], which)
    const wanted = keys.map(request)
    const attempts = await Promise.all(wanted.map((w) => lock.tryAcquire(w, soon())))
    expect(attempts).toMatchObject([{ kind: 'granted' }, foreign, { kind: 'granted' }])
    expect(attempts[1]?.kind === 'unavailable' && attempts[1].error.message).toContain(`"${name}"`)
    const releases = await Promise.all(wanted.map((lease) => lock.release(lease, soon())))
    expect(releases.map(({ kind }) => kind)).toEqual(['released', 'lost', 'released'])
  })
}

test('a queue of another type fails waiters of its key, but neither holders nor other keys', async ({ skip }) => {
  const keys = threeKeys('queue')
  const held = keys.map(request)
  for (const wanted of held) expect((await lock.tryAcquire(wanted, soon())).kind).toBe('granted')
  const name = await occupy(skip, keys[1], 'queue')
  const waiting = keys.map((key) => ({ ...request(key), willWait: true }))
  const refusals = await Promise.all(waiting.map((w) => lock.tryAcquire(w, soon())))
  expect(refusals).toMatchObject([{ kind: 'held' }, foreign, { kind: 'held' }])
  expect(refusals[1]?.kind === 'unavailable' && refusals[1].error.message).toContain(`"${name}"`)
  for (const lease of [...waiting, ...held]) await lock.release(lease, soon())
  for (const key of keys) {
    const wanted = request(key)
    expect((await lock.tryAcquire(wanted, soon())).kind).toBe('granted')
    expect(await lock.release(wanted, soon())).toEqual({ kind: 'released' })
  }
})

test('the holder of a lease that another program overwrote detects the loss', async ({ skip }) => {
  const [key] = threeKeys('overwritten')
  const wanted = request(key)
  expect((await lock.tryAcquire(wanted, soon())).kind).toBe('granted')
  const redis = present(servers, skip)
  await redis.cli(redis.ports[0] ?? 0, 'DEL', names.of(key).lock)
  const name = await occupy(skip, key, 'lock')
  expect(await lock.extend(wanted, soon())).toEqual({ kind: 'lost' })
  const seen = await lock.inspect(key, soon())
  expect(seen).toMatchObject(foreign)
  expect(seen.kind === 'unavailable' && seen.error.message).toContain(`"${name}"`)
  expect(await lock.release(wanted, soon())).toEqual({ kind: 'lost' })
})

test('a key of another type fails its acquisition at once, and opens no breaker', async ({ skip }) => {
  const [key, other] = threeKeys('breaker')
  await occupy(skip, key, 'lock')
  using breaker = createBreaker({ volume: 2 })
  const locker = createLocker(withBreaker(lock, breaker, unmeasured), { waitMs: 60_000 })
  for (let i = 0; i < 10; i++) await expect(locker.acquire(key)).rejects.toMatchObject({ code: 'REDIS_KEY_FOREIGN' })
  expect(breaker.state).toBe('closed')
  await using grant = await locker.acquire(other)
  expect(grant.isHeld()).toBe(true)
})
