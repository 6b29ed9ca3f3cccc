/** Tests semaphores, leader election, extension and inspection on every lock backend. Part of the lock contract. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { LockBackend } from '../../lock/backend.ts'
import type { Semaphore } from '../../lock/engine/semaphore.ts'
import { createLocker } from '../../lock/locker.ts'
import { newToken } from '../../lock/token.ts'

interface Bench {
  readonly backend: LockBackend
}

type Case = readonly [title: string, body: (bench: Bench) => Promise<void>]

/** Long enough for a busy machine, and below the longest lease of any backend. */
const WAIT_MS = 40_000
const SHORT_MS = 600

export const FEATURES: readonly Case[] = [
  [
    'a semaphore serves 12 waiters of 3 lockers, never more than its 3 permits at once',
    async ({ backend }) => {
      const name = newToken()
      const fences = new Map<string, bigint>()
      let inside = 0
      let served = 0
      const open = () => createLocker(backend, { waitMs: WAIT_MS }).semaphore(name, { permits: 3 })
      const semaphores = [open(), open(), open()]
      const serve = (semaphore: Semaphore) =>
        semaphore.withPermit(async ({ key, fence }) => {
          expect(++inside).toBeLessThanOrEqual(3)
          if (fence !== undefined) expect(fence).toBeGreaterThan(fences.get(key) ?? 0n)
          if (fence !== undefined) fences.set(key, fence)
          await sleep(20)
          inside--
          served++
        })
      await Promise.all([...semaphores, ...semaphores, ...semaphores, ...semaphores].map(serve))
      expect(served).toBe(12)
    },
  ],
  [
    'a permit whose holder vanished returns after its lease',
    async ({ backend }) => {
      const semaphore = createLocker(backend, { waitMs: WAIT_MS }).semaphore(newToken(), { permits: 2 })
      await using kept = await semaphore.acquire()
      // no renewal extends it
      const vanished = await semaphore.acquire({ ttlMs: SHORT_MS, maxHoldMs: SHORT_MS })
      expect((await semaphore.inspect()).kind).toBe('known')
      await using next = await semaphore.acquire()
      expect(next.key).toBe(vanished.key)
      expect(vanished.isHeld()).toBe(false)
      expect(kept.isHeld()).toBe(true)
    },
  ],
  [
    'one leads at a time, and the next follows when it resigns',
    async ({ backend }) => {
      const key = newToken()
      const fences: (bigint | undefined)[] = []
      let leaders = 0
      const campaign = () =>
        createLocker(backend).lead(key, async (_, { fence, ...leadership }) => {
          expect(++leaders).toBe(1)
          fences.push(fence)
          await sleep(30)
          leaders--
          return leadership.isLeading()
        })
      const outcomes = await Promise.all([campaign(), campaign(), campaign()])
      expect(outcomes).toEqual(Array.from({ length: 3 }, () => ({ kind: 'done', value: true })))
      const rising = fences.flatMap((fence) => fence ?? [])
      expect(rising).toEqual(rising.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(new Set(rising).size).toBe(rising.length)
    },
  ],
  [
    'an extension by hand is never shortened by the renewal',
    async ({ backend }) => {
      await using locker = createLocker(backend, { ttlMs: 900 })
      await using grant = await locker.acquire(newToken())
      expect((await grant.extend(9_000)).kind).toBe('extended')
      await sleep(1_000)
      const seen = await locker.inspect(grant.key)
      expect(seen.kind).toBe('held')
      if (seen.kind === 'held') expect(seen.remainingMs ?? 0).toBeGreaterThan(900)
      expect(grant.isHeld()).toBe(true)
    },
  ],
  [
    'an extension never shortens a lease',
    async ({ backend }) => {
      const soon = (): AbortSignal => AbortSignal.timeout(10_000)
      const wanted = { key: newToken(), token: newToken(), ttlMs: 9_000 }
      expect((await backend.tryAcquire(wanted, soon())).kind).toBe('granted')
      expect((await backend.extend({ ...wanted, ttlMs: 50 }, soon())).kind).toBe('extended')
      await sleep(100)
      expect((await backend.tryAcquire({ ...wanted, token: newToken() }, soon())).kind).toBe('held')
      expect(await backend.release(wanted, soon())).toEqual({ kind: 'released' })
    },
  ],
]
