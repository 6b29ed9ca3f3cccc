/** When a waiter is woken, and when it is not. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { startTcpProxy } from '../../../testing/tcp/proxy.ts'
import { startZooKeeper, type ZooKeeperServers } from '../../../testing/zookeeper/servers.ts'
import type { LeaseRequest } from '../../backend.ts'
import type { Key } from '../../lock.ts'
import { newToken } from '../../token.ts'
import { connectZooKeeperLock } from './backend.ts'
import type { ZooKeeperLock } from './options.ts'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const request = (key: Key): LeaseRequest => ({ key, token: newToken(), ttlMs: 5_000, willWait: true })

let servers: ZooKeeperServers | Absent
beforeAll(async () => {
  servers = await startZooKeeper({ servers: 1 })
})
afterAll(async () => {
  if (!('absent' in servers)) await servers[Symbol.asyncDispose]()
})

const open = (url: string): Promise<ZooKeeperLock> => connectZooKeeperLock(url, { clock: systemClock }, soon())

/** Lets the token wait behind the holder. Resolves with the wait, and whether it is over. */
async function queueUp(backend: ZooKeeperLock, wanted: LeaseRequest) {
  const refused = await backend.tryAcquire(wanted, soon())
  if (refused.kind !== 'held' || refused.ticket === undefined) throw new Error(`expected a ticket, got ${refused.kind}`)
  const seen = { isOver: false }
  const over = backend.wait(wanted.key, refused.ticket, soon()).then(() => void (seen.isOver = true))
  return { seen, over }
}

test('a waiter sleeps through the renewals of the holder, and is woken by its release', async ({ skip }) => {
  await using backend = await open(present(servers, skip).url)
  const held = request('renewed')
  expect((await backend.tryAcquire(held, soon())).kind).toBe('granted')
  const { seen, over } = await queueUp(backend, request('renewed'))
  for (let i = 0; i < 3; i++) {
    expect((await backend.extend(held, soon())).kind).toBe('extended')
    await sleep(100)
  }
  expect(seen.isOver).toBe(false)
  await backend.release(held, soon())
  await over
})

test('a waiter whose connection ended looks again, and keeps its place', async ({ skip }) => {
  const { url, ports } = present(servers, skip)
  await using proxy = await startTcpProxy(ports[0] ?? 0)
  await using direct = await open(url)
  await using backend = await open(`zookeeper://127.0.0.1:${proxy.port}`)
  const held = request('cut')
  expect((await direct.tryAcquire(held, soon())).kind).toBe('granted')
  const first = request('cut')
  const { over } = await queueUp(backend, first)
  const second = request('cut')
  await queueUp(direct, second)
  proxy.cut()
  await over
  await direct.release(held, soon())
  expect((await direct.tryAcquire(second, soon())).kind).toBe('held')
  expect((await backend.tryAcquire(first, soon())).kind).toBe('granted')
})
