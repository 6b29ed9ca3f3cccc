/** Failures of holders, of the server and of the connection that wakes waiters; and sabotaged functions. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { expectSuccession, nextGrant } from '../../../testing/locks/dead-holder.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { present } from '../../../testing/present.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import type { Key } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { newToken } from '../../token.ts'
import { connectPostgresLock } from './backend.ts'

const ON = 'postgres'
const LOCKER = { waitMs: 30_000, callMs: 500 }
const soon = (ms = 10_000): AbortSignal => AbortSignal.timeout(ms)
const request = (key: Key, ttlMs = 30_000): LeaseRequest => ({ key, token: newToken(), ttlMs })

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

type Skip = (reason: string) => never

async function serve(skip: Skip): Promise<PostgresServer> {
  const server = present(await startPostgres(), skip)
  scope.defer(async () => server[Symbol.asyncDispose]())
  return server
}

async function open(url: string): Promise<LockBackend> {
  const backend = await connectPostgresLock(url, { clock: systemClock }, soon())
  scope.defer(async () => backend[Symbol.asyncDispose]())
  return backend
}

test('the key of a killed and of a frozen holder is free after the lease, and the frozen one learns of its loss', async ({
  skip,
}) => {
  const { url } = await serve(skip)
  const backend = await open(url)
  await expectSuccession({
    url,
    backend,
    ttlMs: 1_500,
    locker: LOCKER,
    on: ON,
    seen: 'the next holder has a higher fence',
  })
})

test('a server that is killed and restarted keeps its locks, and repeats no fence', async ({ skip }) => {
  const server = await serve(skip)
  const backend = await open(server.url)
  const kept = request('kept', 60_000)
  expect((await backend.tryAcquire(kept, soon())).kind).toBe('granted')
  const before = await nextGrant({ backend, locker: LOCKER }, 'crash', performance.now())
  const fromMs = performance.now()
  await server.kill()
  expect((await backend.tryAcquire(request('crash'), soon())).kind).toBe('unavailable')
  await server.start()
  const after = await nextGrant({ backend, locker: LOCKER }, 'crash', fromMs)
  expect(after.fence).toBeGreaterThan(before.fence)
  expect((await backend.tryAcquire(request('kept'), soon())).kind).toBe('held')
  expect((await backend.extend(kept, soon())).kind).toBe('extended')
  // the queue was lost with the crash, and the connection that wakes with it
  const wanted = createLocker(backend, { waitMs: 20_000 }).acquire('kept')
  await sleep(200)
  expect(await backend.release(kept, soon())).toEqual({ kind: 'released' })
  await using grant = await wanted
  expect(grant.isHeld()).toBe(true)
  reportFault({
    fault: 'server killed and restarted',
    on: ON,
    outageMs: after.outageMs,
    seen: 'locks kept, fences rise',
  })
})

test('a frozen server makes calls unavailable, and one lease that may have been granted is released', async ({
  skip,
}) => {
  const server = await serve(skip)
  const backend = await open(server.url)
  const fromMs = performance.now()
  await server.freeze()
  await using locker = createLocker(backend, { callMs: 300 })
  expect((await locker.tryAcquire('frozen', { ttlMs: 60_000 })).kind).toBe('unavailable')
  await server.thaw()
  const next = await nextGrant({ backend, locker: LOCKER }, 'frozen', fromMs)
  reportFault({ fault: 'server frozen', on: ON, outageMs: next.outageMs, seen: 'the unanswered lease was released' })
})

test('a waiter whose connection for wake-ups was cut gets the key', async ({ skip }) => {
  const { url } = await serve(skip)
  const backend = await open(url)
  const held = request('cut')
  expect((await backend.tryAcquire(held, soon())).kind).toBe('granted')
  const waiting = createLocker(backend, { waitMs: 20_000 }).acquire('cut')
  await sleep(100)
  const cut = await runSql(
    url,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query IN ('SELECT 1', 'SELECT pg_backend_pid() AS pid')",
  )
  expect(cut.length).toBeGreaterThan(0)
  const fromMs = performance.now()
  await backend.release(held, soon())
  await using grant = await waiting
  expect(grant.key).toBe('cut')
  reportFault({
    fault: 'connection for wake-ups cut',
    on: ON,
    outageMs: performance.now() - fromMs,
    seen: 'the waiter asked by itself',
  })
})

/** Returns how often two of several concurrent callers held one key, and how often a fence fell, in these rounds. */
async function contend(backend: LockBackend, rounds: number): Promise<{ overlaps: number; falls: number }> {
  let [overlaps, falls, greatest] = [0, 0, 0n]
  for (let round = 0; round < rounds; round++) {
    const wanted = Array.from({ length: 8 }, () => request('contended'))
    const attempts = await Promise.all(wanted.map((one) => backend.tryAcquire(one, soon())))
    const fences = attempts.flatMap((attempt) => (attempt.kind === 'granted' ? [attempt.fence ?? 0n] : []))
    if (fences.length > 1) overlaps++
    if (fences.some((fence) => fence <= greatest)) falls++
    for (const fence of fences) if (fence > greatest) greatest = fence
    await Promise.all(wanted.map((one) => backend.release(one, soon())))
  }
  return { overlaps, falls }
}

/** Replaces a part of a function in the database. */
async function sabotage(url: string, name: string, from: string, to: string): Promise<void> {
  const [row = {}] = await runSql(url, `SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE proname = '${name}'`)
  const text = String(row['text'])
  if (!text.includes(from)) throw new Error(`${name} has no ${from}`)
  await runSql(url, text.replace(from, to))
}

test('concurrent attempts give one grant; without the turn of the key they would give two', async ({ skip }) => {
  const { url } = await serve(skip)
  const backend = await open(url)
  expect(await contend(backend, 100)).toEqual({ overlaps: 0, falls: 0 })
  await sabotage(url, 'ingot_lock_take_1', 'PERFORM pg_advisory_xact_lock(turn)', 'PERFORM pg_sleep(0.002)')
  expect((await contend(backend, 50)).overlaps).toBeGreaterThan(0)
})

test('a clock that goes back keeps a dead holder no longer than its lease; without the cap it would', async ({
  skip,
}) => {
  const { url } = await serve(skip)
  const backend = await open(url)
  const dead = async (): Promise<void> => {
    expect((await backend.tryAcquire(request('clock', 500), soon())).kind).toBe('granted')
    // the server's clock goes back by an hour: all earlier ends are an hour later
    await runSql(url, "UPDATE ingot_lock SET ends = ends + interval '1 hour'")
    expect((await backend.tryAcquire(request('clock'), soon())).kind).toBe('held')
    await sleep(600)
  }
  await dead()
  const next = request('clock', 500)
  expect((await backend.tryAcquire(next, soon())).kind).toBe('granted')
  await backend.release(next, soon())
  await sabotage(url, 'ingot_lock_take_1', 'own.ends > moment + own.ttl', 'false')
  await dead()
  expect((await backend.tryAcquire(request('clock'), soon())).kind).toBe('held')
})
