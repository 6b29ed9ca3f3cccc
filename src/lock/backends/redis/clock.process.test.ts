/** Jumps of a Redis server's wall clock. Redis ends leases by it. Clients measure them by their monotonic clocks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { createScope } from '../../../std/scope.ts'
import { reportFault } from '../../../testing/fault-report.ts'
import { createFencedRegister } from '../../../testing/locks/fenced-register.ts'
import {
  BUILD_CLOCK,
  clockIsBuilt,
  MOVED_CLOCK,
  moveClock,
  type RootShell,
} from '../../../testing/moved-clock/moved-clock.ts'
import { present } from '../../../testing/present.ts'
import { type RedisServers, startStandalone } from '../../../testing/redis/servers.ts'
import { createLocker } from '../../locker.ts'
import { newToken } from '../../token.ts'
import { createRedisLock, type RedisLock } from './backend.ts'
import { createNames } from './keys.ts'

const ON = 'redis, standalone'
const soon = (): AbortSignal => AbortSignal.timeout(5_000)

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never): Promise<RedisServers> {
  const servers = present(await startStandalone({ prepare: BUILD_CLOCK, env: MOVED_CLOCK }), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  present(await clockIsBuilt(shellOf(servers)), skip)
  return servers
}

async function open(url: string): Promise<RedisLock<'within-epoch'>> {
  const lock = createRedisLock(url, { clock: systemClock })
  scope.defer(async () => lock[Symbol.asyncDispose]())
  await lock.connect(soon())
  return lock
}

const shellOf =
  (servers: RedisServers): RootShell =>
  (script) =>
    servers.exec('sh', '-c', script)

/** Sets the server's clock this many seconds ahead of the machine's, or behind it. */
function setClock(servers: RedisServers, seconds: number): Promise<void> {
  const [port = 0] = servers.ports
  return moveClock(
    shellOf(servers),
    seconds,
    async () => Number((await servers.cli(port, 'time')).split('\n')[0]) * 1_000,
  )
}

test("a server's wall clock that jumps past a lease allows two holders, and the fence decides", async ({ skip }) => {
  const servers = await serve(skip)
  const locker = createLocker(await open(servers.url))
  const first = await locker.acquire('clock', { ttlMs: 30_000 })
  expect((await locker.tryAcquire('clock')).kind).toBe('held')

  await setClock(servers, 120)
  // a lease of 30 s ends at once; its holder measures by another clock and cannot detect it
  const second = await createLocker(await open(servers.url)).acquire('clock', { ttlMs: 30_000, waitMs: 5_000 })
  expect(first.signal.aborted).toBe(false)
  const register = createFencedRegister()
  register.write(second.fence, 'second')
  register.write(first.fence, 'first, late')
  if (register.refusals === 0) throw new Error('inconclusive: no late write was refused')
  expect(register.value).toBe('second')
  expect(await first.release()).toMatchObject({ kind: 'lost' })
  reportFault({
    fault: "server's wall clock 120 s ahead",
    on: ON,
    seen: 'two holders; the late write was refused by its fence',
  })
})

const BACK_S = 120
const LEASE_MS = 1_000
/** Lease of the living holder: long enough for a loaded machine to renew it in time. */
const LIVING_MS = 3_000
/** By then both leases have ended unless they were extended, on a clock that runs evenly. */
const AFTER_LEASES_MS = 3_500

test("after a server's wall clock goes back, a dead holder's key stays until it is deleted, and living holders are unaffected", async ({
  skip,
}) => {
  const servers = await serve(skip)
  const [port = 0] = servers.ports
  const [holder, waiter] = [await open(servers.url), await open(servers.url)]
  const [holders, waiters] = [createLocker(holder), createLocker(waiter)]
  // a dead holder renews and releases nothing
  const dead = async (key: string) => {
    const attempt = await holder.tryAcquire({ key, token: newToken(), ttlMs: LEASE_MS }, soon())
    if (attempt.kind !== 'granted') throw new Error(`inconclusive: ${attempt.kind}`)
    return attempt
  }
  const living = await holders.acquire('living', { ttlMs: LIVING_MS })
  const before = await dead('before')
  await setClock(servers, -BACK_S)
  await dead('after')
  await sleep(AFTER_LEASES_MS)

  // the step is added to earlier leases, and to no others
  const refused = await waiters.tryAcquire('before')
  expect(refused.kind === 'held' && (refused.remainingMs ?? 0) > (BACK_S * 1_000) / 2).toBe(true)
  expect((await waiters.tryAcquire('after')).kind).toBe('granted')

  // renewed since then and still exclusive; its release frees the key as usual
  expect(living.isHeld()).toBe(true)
  expect((await waiters.tryAcquire('living')).kind).toBe('held')
  expect((await living.release()).kind).toBe('released')
  expect((await waiters.tryAcquire('living')).kind).toBe('granted')

  // the procedure of LOCKS.md for operators; a waiter then continues by itself
  const waiting = waiters.acquire('before', { waitMs: 20_000 })
  expect(await servers.cli(port, 'del', createNames('ingot').of('before').lock)).toBe('1')
  expect((await waiting).fence).toBeGreaterThan(before.fence)
  reportFault({
    fault: `server's wall clock ${BACK_S} s back`,
    on: ON,
    seen: `a dead holder's key stayed ${BACK_S} s longer or until it was deleted; a living holder was not affected`,
  })
})
