/** Redlock nodes that are killed and come back without their data during a lease. Real servers, real kills. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { IngotError } from '../../../errors/error.ts'
import { systemClock } from '../../../std/clock.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { type Peer, startPeer } from '../../../testing/locks/processes.ts'
import { present } from '../../../testing/present.ts'
import { serverFolder } from '../../../testing/redis/container.ts'
import { DURABLE, type RedisServers, startIndependent } from '../../../testing/redis/servers.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import type { Attempt, Fencing } from '../../lock.ts'
import { createLocker } from '../../locker.ts'
import { newToken } from '../../token.ts'
import { connectRedlock } from './backend.ts'

const MAX_LEASE_MS = 6_000
const FORGETFUL: readonly (readonly [name: string, config: readonly string[]])[] = [
  ['off', []],
  ['everysec', ['appendonly yes', 'appendfsync everysec']],
  ['always, but not while the file is rewritten', [...DURABLE, 'no-appendfsync-on-rewrite yes']],
  ['always, but CONFIG is refused', [...DURABLE, 'user default on nopass ~* &* +@all -config']],
]

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const open = (url: string): Promise<LockBackend> => connectRedlock(url, { clock: systemClock }, soon())

function request(ttlMs = MAX_LEASE_MS, key = newToken()): LeaseRequest {
  return { key, token: newToken(), ttlMs }
}

/** Tries until the key is granted, and returns after how long. Each attempt has a new owner, and leaves nothing. */
async function grantedAfter(backend: LockBackend, key: string, withinMs: number): Promise<number> {
  const began = performance.now()
  for (;;) {
    const wanted = request(1_000, key)
    const attempt = await backend.tryAcquire(wanted, soon())
    await backend.release(wanted, soon())
    if (attempt.kind === 'granted') return performance.now() - began
    if (performance.now() - began > withinMs) throw new Error(`no grant within ${withinMs} ms`, { cause: attempt })
    await sleep(20)
  }
}

/** In one command, because a busy machine takes long to start one. */
async function restart(servers: RedisServers, ports: readonly number[], keep: 'empty' | 'with data'): Promise<void> {
  const lines = ports.map((port) => {
    const folder = serverFolder(port)
    const forget = keep === 'empty' ? `rm -rf ${folder}/appendonlydir;` : ''
    return `kill -KILL $(cat ${folder}/pid); ${forget} sleep 0.1; redis-server ${folder}/conf >/dev/null`
  })
  await servers.exec('sh', '-c', lines.join('\n'))
}

describe.each(FORGETFUL)('nodes with appendfsync: %s', (name, config) => {
  test('a majority that restarts empty during a lease gives no second grant before its end', async ({ skip }) => {
    await using servers = present(await startIndependent(5, config), skip)
    const url = `${servers.url}?max-lease=${MAX_LEASE_MS}ms`
    await using holder = await open(url)
    const startMs = await grantedAfter(holder, newToken(), 2 * MAX_LEASE_MS)
    await using rival = await open(url)
    const held = request()
    expect((await holder.tryAcquire(held, soon())).kind).toBe('granted')
    const grantedAt = performance.now()

    await restart(servers, servers.ports.slice(0, 3), 'empty')
    // one client that was always connected, and one that starts now
    await using newcomer = await open(url)
    const early: Attempt<Fencing>['kind'][] = []
    const ask = async (backend: LockBackend): Promise<void> => {
      const wanted = request(1_000, held.key)
      const attempt = await backend.tryAcquire(wanted, soon())
      if (performance.now() - grantedAt < MAX_LEASE_MS) early.push(attempt.kind)
      await backend.release(wanted, soon())
    }
    // alone at first, so that its vote is not split with another's
    await ask(newcomer)
    while (performance.now() - grantedAt < MAX_LEASE_MS) {
      await Promise.all([ask(rival), ask(newcomer), sleep(20)])
    }
    expect(early.length).toBeGreaterThan(10)
    expect(early).not.toContain('granted')

    const restMs = await grantedAfter(newcomer, held.key, 3 * MAX_LEASE_MS)
    const outageMs = performance.now() - grantedAt
    const seen = `no second grant; the key was free ${Math.round(restMs)} ms after its lease; first start ${Math.round(startMs)} ms`
    reportFault({ fault: `three of five nodes restart empty, appendfsync ${name}`, on: 'redlock', outageMs, seen })
  })
})

test('nodes with appendfsync always count at once, and still know the lease after a kill', async ({ skip }) => {
  await using servers = present(await startIndependent(), skip)
  await using backend = await open(servers.url)
  const held = request(10_000)
  expect((await backend.tryAcquire(held, soon())).kind).toBe('granted')
  await restart(servers, servers.ports, 'with data')
  // none of them counts because of time alone: their longest lease is ten seconds
  await grantedAfter(backend, newToken(), 5_000)
  expect((await backend.tryAcquire(request(1_000, held.key), soon())).kind).toBe('held')
  expect(await backend.release(held, soon())).toEqual({ kind: 'released' })
})

test('a client that starts later counts nodes at once that have run for longer than the longest lease', async ({
  skip,
}) => {
  await using servers = present(await startIndependent(3, []), skip)
  const url = `${servers.url}?max-lease=500ms`
  await sleep(500 + 1_000 + 1_100)
  await using backend = await open(url)
  expect((await backend.tryAcquire(request(500), soon())).kind).toBe('granted')
})

test('a lease is not renewed by nodes that came back empty, and its holder is informed', async ({ skip }) => {
  await using servers = present(await startIndependent(5, []), skip)
  await using backend = await open(`${servers.url}?max-lease=${MAX_LEASE_MS}ms`)
  await using locker = createLocker(backend, { waitMs: 3 * MAX_LEASE_MS })
  const grant = await locker.acquire(newToken())
  const lost = new Promise((resolve) => grant.signal.addEventListener('abort', resolve, { once: true }))
  await restart(servers, servers.ports.slice(0, 3), 'empty')
  await lost
  expect(grant.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
})

test('a lease above the longest one is refused with the remedy, by the locker and by the backend', async ({ skip }) => {
  await using servers = present(await startIndependent(3), skip)
  await using backend = await open(servers.url)
  expect(() => createLocker(backend, { ttlMs: 10_001 })).toThrow(/10001 ms.*10000 at most.*max-lease/)
  await using locker = createLocker(backend)
  const acquiring = locker.acquire(newToken(), { ttlMs: 20_000 })
  await expect(acquiring).rejects.toMatchObject({ code: 'LOCK_OPTION_INVALID' })
  await expect(backend.tryAcquire(request(20_000), soon())).rejects.toBeInstanceOf(IngotError)
  await using short = await open(`${servers.url}?max-lease=2s`)
  // the default is limited to the maximum
  await using grant = await createLocker(short).acquire(newToken())
  expect(grant.remainingMs()).toBeLessThanOrEqual(2_000)
})

test('two addresses of one server are refused', async ({ skip }) => {
  await using servers = present(await startIndependent(2), skip)
  const [a = 0, b = 0] = servers.ports
  const url = `redlock://127.0.0.1:${a},localhost:${a},127.0.0.1:${b}`
  await expect(open(url)).rejects.toMatchObject({ code: 'REDIS_UNSUITABLE' })
})

test('mutation: counting every vote gives the second grant that the first test looks for', async ({ skip }) => {
  await using servers = present(await startIndependent(5, []), skip)
  const sabotaged = (): Promise<Peer> => startPeer(servers.url, '', ['redlock/count-every-vote'])
  await using holder = await sabotaged()
  const held = request(10_000)
  expect((await holder.tryAcquire(held)).kind).toBe('granted')
  await restart(servers, servers.ports.slice(0, 3), 'empty')
  await using rival = await sabotaged()
  expect((await rival.tryAcquire(request(1_000, held.key))).kind).toBe('granted')
})
