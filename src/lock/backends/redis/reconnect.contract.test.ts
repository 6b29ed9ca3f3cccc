/** Many callers while the connections of a cluster are lost repeatedly. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { present } from '../../../testing/present.ts'
import { startCluster } from '../../../testing/redis/servers.ts'
import { newToken } from '../../token.ts'
import { createRedisLock } from './backend.ts'

const RECONNECTS = 5
const CALLERS = 100
/** A reconnect takes at most a second and its back-off. A longer time is another failure. */
const LIMIT_MS = 20_000

function collectWarnings(): { readonly seen: string[] } & Disposable {
  const seen: string[] = []
  const note = (warning: Error): void => void seen.push(`${warning.name}: ${warning.message}`)
  process.on('warning', note)
  return { seen, [Symbol.dispose]: () => void process.off('warning', note) }
}

test('callers that wait for one reconnect cause no warning, and are all granted after it', async ({ skip }) => {
  await using servers = present(await startCluster(), skip)
  await using lock = createRedisLock(servers.url, { clock: systemClock })
  await lock.connect(AbortSignal.timeout(10_000))
  using warnings = collectWarnings()
  for (let round = 0; round < RECONNECTS; round++) {
    await Promise.all(servers.ports.slice(0, 3).map((port) => servers.cli(port, 'client', 'kill', 'type', 'normal')))
    await Promise.all(Array.from({ length: CALLERS }, (_, i) => untilGranted(`${round}/${i}`)))
  }
  // a warning is printed in a later turn
  await turn()
  expect(warnings.seen).toEqual([])

  async function untilGranted(key: string): Promise<void> {
    const request = { key, token: newToken(), ttlMs: 30_000 }
    const signal = AbortSignal.timeout(LIMIT_MS)
    let kind: string
    do {
      signal.throwIfAborted()
      // refused calls are repeated at once, so that some of them find a connection in progress
      await turn()
      kind = (await lock.tryAcquire(request, signal)).kind
    } while (kind !== 'granted')
  }
})
