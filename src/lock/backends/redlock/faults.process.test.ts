/** Redlock while nodes die, freeze and come back. Real servers. The outages are written to out/locks/faults.md. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { IngotError } from '../../../errors/error.ts'
import { type Breaker, createBreaker } from '../../../std/breaker.ts'
import { systemClock } from '../../../std/clock.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startIndependent } from '../../../testing/redis/servers.ts'
import type { LockBackend } from '../../backend.ts'
import { withBreaker } from '../../engine/decorate.ts'
import { createLocker, type Locker } from '../../locker.ts'
import { unmeasured } from '../../measure.ts'
import { newToken } from '../../token.ts'
import { connectRedlock } from './backend.ts'

const ON = 'redlock, five nodes'
const COMMAND_MS = 200
/** Delay that a busy machine may add to a timeout. */
const SLACK_MS = 400
const REST_MS = 500
const PREFIX = 'ingot:redlock:'

let servers: RedisServers | Absent
let backend: LockBackend<'none'>
let breaker: Breaker
let locker: Locker<'none'>

beforeAll(async () => {
  servers = await startIndependent()
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
})

function running(): RedisServers {
  if ('absent' in servers) throw new Error(servers.absent)
  return servers
}

beforeEach(async ({ skip }) => {
  present(servers, skip)
  // separate connections: each test begins like a service that starts now
  const plain = await connectRedlock(running().url, { clock: systemClock }, AbortSignal.timeout(10_000))
  breaker = createBreaker({ volume: 5, windowMs: 2_000, restMs: REST_MS })
  backend = withBreaker(plain, breaker, unmeasured)
  locker = createLocker(backend, { ttlMs: 3_000, waitMs: 3_000 })
  return async () => {
    await backend[Symbol.asyncDispose]()
    // a failed test must not fail the following ones
    await Promise.all(running().ports.map(revive))
  }
})

/** Resumes a frozen node, starts a dead one. */
async function revive(port: number): Promise<void> {
  await running()
    .signal(port, 'CONT')
    .catch(() => running().restart(port))
}

interface Sample {
  readonly atMs: number
  readonly tookMs: number
  /** `granted`, or the code of the error. */
  readonly outcome: string
}

/** Acquires and releases one lock. */
async function sample(): Promise<Sample> {
  const began = performance.now()
  const outcome = await locker.tryAcquire(newToken())
  const took = { atMs: performance.now(), tookMs: performance.now() - began }
  if (outcome.kind === 'granted') outcome.grant.releaseSoon()
  return { ...took, outcome: outcome.kind === 'unavailable' ? outcome.error.code : outcome.kind }
}

async function samplesFor(ms: number): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) samples.push(await sample())
  return samples
}

async function samplesUntilGranted(withinMs: number): Promise<Sample[]> {
  const samples = [await sample()]
  for (const end = performance.now() + withinMs; samples.at(-1)?.outcome !== 'granted'; await sleep(10)) {
    if (performance.now() > end) throw new Error(`no lock within ${withinMs} ms, last ${samples.at(-1)?.outcome}`)
    samples.push(await sample())
  }
  return samples
}

const slowest = (samples: readonly Sample[]): number => Math.max(...samples.map((s) => s.tookMs))
const outcomes = (samples: readonly Sample[]): readonly string[] =>
  [...new Set(samples.map((s) => s.outcome))].toSorted()

const some = (count: number): readonly number[] => running().ports.slice(0, count)
const signalAll = (ports: readonly number[], name: 'KILL' | 'STOP' | 'CONT') =>
  Promise.all(ports.map((port) => running().signal(port, name)))

test.each([
  ['dead', 'KILL'],
  ['frozen', 'STOP'],
] as const)('with two of five nodes %s, every lock is still granted, within a command timeout', async (how, signal) => {
  const down = some(2)
  await using held = await locker.acquire(newToken())
  expect(outcomes(await samplesFor(300))).toEqual(['granted'])
  await signalAll(down, signal)
  const during = await samplesFor(4_000)
  expect(outcomes(during)).toEqual(['granted'])
  expect(slowest(during)).toBeLessThan(COMMAND_MS + SLACK_MS)
  // longer than its lease: the three remaining nodes renew it
  expect(held.isHeld()).toBe(true)
  expect(breaker.state).toBe('closed')

  await (signal === 'KILL' ? Promise.all(down.map((port) => running().restart(port))) : signalAll(down, 'CONT'))
  await sleep(2_000)
  const after = await samplesFor(300)
  expect(outcomes(after)).toEqual(['granted'])
  // a renewal restores the lease on nodes that came back without it
  const votes = await Promise.all(running().ports.map((port) => running().cli(port, 'get', PREFIX + held.key)))
  expect(votes.filter((vote) => vote !== '')).toHaveLength(5)
  expect(await held.release()).toEqual({ kind: 'released' })
  const seen = `${during.length} locks granted, the slowest after ${Math.round(slowest(during))} ms`
  reportFault({ fault: `two of five nodes ${how}`, on: ON, seen })
})

test.each([
  ['dead', 'KILL'],
  ['frozen', 'STOP'],
] as const)(
  'with three of five nodes %s, locks are refused, the breaker opens, and closes after the repair',
  async (how, signal) => {
    const down = some(3)
    const before = await samplesFor(300)
    const lastBefore = before.at(-1)?.atMs ?? 0
    await signalAll(down, signal)
    const during = await samplesFor(3_000)
    expect(outcomes(during.slice(1))).toEqual(['LOCK_BACKEND_UNAVAILABLE', 'LOCK_BREAKER_OPEN'])
    // a vote and its undoing, each a command timeout
    expect(slowest(during)).toBeLessThan(2 * COMMAND_MS + SLACK_MS)
    const fast = during.filter((s) => s.outcome === 'LOCK_BREAKER_OPEN')
    expect(fast.length).toBeGreaterThan(10)
    // sooner than any command timeout: nothing was sent
    expect(slowest(fast)).toBeLessThan(COMMAND_MS)
    // the votes of the two responding nodes were released
    for (const port of running().ports.slice(3)) expect(await running().cli(port, 'keys', `${PREFIX}*`)).toBe('')

    const repairedAt = performance.now()
    await (signal === 'KILL' ? Promise.all(down.map((port) => running().restart(port))) : signalAll(down, 'CONT'))
    const after = await samplesUntilGranted(10_000)
    const first = after.at(-1)?.atMs ?? 0
    expect(first - repairedAt).toBeLessThan(5_000)
    expect(breaker.state).toBe('closed')
    expect(outcomes(await samplesFor(500))).toEqual(['granted'])
    const back = Math.round(first - repairedAt)
    reportFault({
      fault: `three of five nodes ${how}`,
      on: ON,
      outageMs: first - lastBefore,
      seen: `down for ${Math.round(repairedAt - lastBefore)} ms: refused, breaker open; served ${back} ms after the repair`,
    })
  },
)

test('when a majority freezes, a lease is lost, and its holder is informed before its end', async () => {
  const grant = await locker.acquire(newToken(), { ttlMs: 2_000 })
  const began = performance.now()
  const lost = new Promise<number>((resolve) =>
    grant.signal.addEventListener('abort', () => resolve(performance.now() - began), { once: true }),
  )
  await signalAll(some(3), 'STOP')
  // a renewal may have come before the nodes were frozen, and the nodes keep the key for the allowed clock drift longer
  const endMs = grant.remainingMs() + 20
  // a busy machine delays every timer: the test compares the order of the two
  const end = new Promise<'the end'>((resolve) => setTimeout(() => resolve('the end'), endMs))
  // two nodes refuse, but two cannot prove that the key is held
  const rival = { key: grant.key, token: newToken(), ttlMs: 1_000 }
  expect((await backend.tryAcquire(rival, AbortSignal.timeout(2_000))).kind).toBe('unavailable')
  expect(await Promise.race([lost.then(() => 'told'), end])).toBe('told')
  const lostMs = await lost
  expect(grant.signal.reason).toBeInstanceOf(IngotError)
  await signalAll(some(3), 'CONT')
  reportFault({
    fault: 'majority frozen under a holder',
    on: ON,
    seen: `informed after ${Math.round(lostMs)} of 2000 ms`,
  })
})

test('a majority frozen for less than the lease causes no loss', async () => {
  await using grant = await locker.acquire(newToken(), { ttlMs: 4_000 })
  const rival = withBreaker(backend, createBreaker(), unmeasured)
  await sleep(1_000)
  await signalAll(some(3), 'STOP')
  // renewals fail meanwhile, and the package alone would release the lease on responding nodes
  await sleep(1_500)
  await signalAll(some(3), 'CONT')
  for (const end = performance.now() + 4_000; performance.now() < end; await sleep(100)) {
    expect(grant.isHeld()).toBe(true)
    const wanted = { key: grant.key, token: newToken(), ttlMs: 1_000 }
    expect((await rival.tryAcquire(wanted, AbortSignal.timeout(2_000))).kind).not.toBe('granted')
  }
  expect(await grant.release()).toEqual({ kind: 'released' })
})

test('starts with two nodes missing, and fails with a clear error with three', async () => {
  await signalAll(some(2), 'KILL')
  const started = await connectRedlock(running().url, { clock: systemClock }, AbortSignal.timeout(10_000))
  const wanted = { key: newToken(), token: newToken(), ttlMs: 1_000 }
  expect((await started.tryAcquire(wanted, AbortSignal.timeout(2_000))).kind).toBe('granted')
  await started[Symbol.asyncDispose]()
  await signalAll(running().ports.slice(2, 3), 'KILL')
  const refused = connectRedlock(running().url, { clock: systemClock }, AbortSignal.timeout(10_000))
  await expect(refused).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' })
  await Promise.all(some(3).map((port) => running().restart(port)))
})
