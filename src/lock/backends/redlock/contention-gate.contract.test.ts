import { expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { present } from '../../../testing/present.ts'
import { startIndependent } from '../../../testing/redis/servers.ts'
import { startTcpProxy } from '../../../testing/tcp/proxy.ts'
import { createLocker } from '../../locker.ts'
import { newToken } from '../../token.ts'
import { connectRedlock } from './backend.ts'

const ROUNDS = 3
const CONTENDERS = 20

/** Number of scripts that the nodes ran. */
function countScripts(commandstats: string): number {
  const calls = commandstats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)
  return Array.from(calls, ([, n]) => Number(n)).reduce((a, b) => a + b, 0)
}

test('contenders with uneven delays are all served, with fewer than 33 commands per grant', async ({ skip }) => {
  const servers = present(await startIndependent(), skip)
  await using stack = new AsyncDisposableStack()
  stack.use(servers)
  const used = async (): Promise<number> => {
    const stats = await Promise.all(servers.ports.map((port) => servers.cli(port, 'info', 'commandstats')))
    return stats.map(countScripts).reduce((a, b) => a + b, 0)
  }
  const delayMs = (): number => Math.random() * 10
  const proxies = await Promise.all(servers.ports.map((port) => startTcpProxy(port, { delayMs })))
  for (const proxy of proxies) stack.use(proxy)
  const url = `redlock://${proxies.map((proxy) => `127.0.0.1:${proxy.port}`).join(',')}?timeout=2s`

  // each with its own connections, like separate processes: nothing shared orders them
  const lockers = await Promise.all(
    Array.from({ length: CONTENDERS }, async () => {
      const backend = await connectRedlock(url, { clock: systemClock }, AbortSignal.timeout(10_000))
      stack.use(backend)
      return createLocker(backend, { waitMs: 30_000 })
    }),
  )
  const before = await used()
  let inside = 0
  let served = 0
  for (let round = 0; round < ROUNDS; round++) {
    const key = newToken()
    await Promise.all(
      lockers.map((locker) =>
        locker.withLock(key, async () => {
          expect(++inside).toBe(1)
          await systemClock.sleep(5)
          inside--
          served++
        }),
      ),
    )
  }
  expect(served).toBe(ROUNDS * CONTENDERS)
  expect((await used()) - before).toBeLessThan(33 * served)
})
