/** Locks in front of a store that refuses duplicates by itself, while a real Redis is killed or frozen. */
import { afterEach, expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import { createRedisLock } from '../../lock/backends/redis/backend.ts'
import { withBreaker } from '../../lock/engine/decorate.ts'
import { createLocker } from '../../lock/locker.ts'
import { createBreaker } from '../../std/breaker.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { present } from '../../testing/present.ts'
import { startStandalone } from '../../testing/redis/servers.ts'
import { item } from '../contract.ts'
import { createMemoryStore } from '../stores/memory/store.ts'
import { withBatchLocks } from './batch-locks.ts'

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

const collection = { name: 'things', policy: DEFAULT_POLICY }

// below and above the timeout of a command (500 ms), and the longest wait that the service allows
for (const signal of ['KILL', 'STOP'] as const) {
  for (const waitMs of [50, 300, 1_000, 2_000]) {
    test(`no write is refused after SIG${signal} of Redis, when a batch waits for ${waitMs} ms`, async ({ skip }) => {
      const redis = present(await startStandalone(), skip)
      scope.defer(() => redis[Symbol.asyncDispose]())
      const lock = createRedisLock(redis.url, { clock: systemClock })
      await lock.connect(AbortSignal.timeout(10_000))
      const guarded = withBreaker(lock, createBreaker())
      scope.defer(() => guarded[Symbol.asyncDispose]())
      const unlocked: string[] = []
      const options = { waitMs, onUnlocked: (why: string) => unlocked.push(why) }
      const store = withBatchLocks(createMemoryStore(), createLocker(guarded), options)
      const put = (n: number) => store.put([{ collection, items: [item(n), item(n + 1)] }], n)
      await put(1)
      expect(unlocked).toEqual([])

      await redis.signal(redis.ports[0] ?? 0, signal)
      // batches that share content wait for each other in this process, and the last one stores nothing new
      const puts = await Promise.all([put(2), put(2), put(3), put(1)])
      const kinds = puts.flat().map((unit) => (unit.kind === 'stored' ? unit.outcomes.map(({ kind }) => kind) : unit))
      expect(kinds.flat().filter((kind) => kind === 'created')).toHaveLength(2)
      expect(kinds.flat().filter((kind) => kind === 'duplicate')).toHaveLength(6)
      for (let n = 10; n < 20; n++) await put(n)
      expect(unlocked.length).toBeGreaterThan(10)
      await redis.signal(redis.ports[0] ?? 0, 'CONT').catch(() => {})
    })
  }
}
