/** The effect on locks of a server's wall clock that jumps. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { LeaseRequest, LockBackend } from '../../lock/backend.ts'
import { createLocker } from '../../lock/locker.ts'
import { newToken } from '../../lock/token.ts'
import { reportFault } from '../fault-report.ts'
import { nextGrant } from './dead-holder.ts'

export interface MovedClock {
  readonly backend: LockBackend
  /** Lease of the tests, in milliseconds. */
  readonly ttlMs: number
  /** Sets the clock of all servers this many seconds ahead of the machine's, or behind it. */
  readonly move: (seconds: number) => Promise<void>
  /** Name of the service in the report. */
  readonly on: string
}

const HOUR_S = 3_600
const LIVING_MS = 60_000
const WAIT_MS = 60_000
const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const request = (key: string, ttlMs: number): LeaseRequest => ({ key, token: newToken(), ttlMs })

async function granted(backend: LockBackend, wanted: LeaseRequest): Promise<bigint> {
  const attempt = await backend.tryAcquire(wanted, soon())
  if (attempt.kind === 'granted') return attempt.fence ?? 0n
  throw new Error(`expected a grant, got ${attempt.kind}`, { cause: attempt })
}

/** Expects that a jump forward ends a lease: a second holder has a higher fence, and the first one learns of its loss. */
export async function expectSecondHolder({ backend, move, on }: MovedClock): Promise<void> {
  await move(0)
  const first = request('ahead', LIVING_MS)
  const fence = await granted(backend, first)
  await move(HOUR_S)
  const next = await granted(backend, request('ahead', LIVING_MS))
  expect(next).toBeGreaterThan(fence)
  expect((await backend.extend(first, soon())).kind).toBe('lost')
  const fault = "server's wall clock an hour ahead"
  reportFault({ fault, on, seen: 'two holders; the fence of the second one is higher' })
}

/** Expects that a jump in either direction ends no lease that is renewed. */
export async function expectNoEffect({ backend, ttlMs, move, on }: MovedClock): Promise<void> {
  await using locker = createLocker(backend, { ttlMs })
  for (const [name, seconds] of [
    ['ahead', HOUR_S],
    ['back', -HOUR_S],
  ] as const) {
    await move(0)
    await using grant = await locker.acquire(name)
    await move(seconds)
    await sleep(2 * ttlMs)
    expect(grant.isHeld()).toBe(true)
    expect((await backend.tryAcquire(request(name, LIVING_MS), soon())).kind).toBe('held')
    expect(await grant.release()).toMatchObject({ kind: 'released' })
    reportFault({ fault: `server's wall clock an hour ${name}`, on, seen: 'no effect' })
  }
}

/** Expects that the key of a dead holder is free after its lease although the clock has gone back by an hour. */
export async function expectFreeAfterLease({ backend, ttlMs, move, on }: MovedClock): Promise<void> {
  await move(0)
  const dead = request('back', ttlMs)
  const fence = await granted(backend, dead)
  const fromMs = performance.now()
  await move(-HOUR_S)
  const next = await nextGrant({ backend, locker: { waitMs: WAIT_MS } }, 'back', fromMs)
  expect(next.fence).toBeGreaterThan(fence)
  const fault = "server's wall clock an hour back"
  reportFault({ fault, on, outageMs: next.outageMs, seen: "a dead holder's key was free after its lease" })
}
