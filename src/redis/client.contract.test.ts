/** What ioredis does with our settings on real servers, where its own behaviour would end a client. */
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { present } from '../testing/present.ts'
import { startSentinel } from '../testing/redis-servers.ts'
import { createSentinelClient, DEFAULT_SETTINGS } from './client.ts'
import { parseRedisUrl } from './topology.ts'

/** `once` of node:events would reject for the errors that are part of this. */
function event(client: Redis, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once(name, () => resolve())
    signal.addEventListener('abort', () => reject(new Error(`no "${name}", the client is "${client.status}"`)))
  })
}

test('a client that is told to reconnect while it asks the Sentinels is not lost', async ({ skip }) => {
  await using servers = present(await startSentinel(), skip)
  const topology = parseRedisUrl(servers.url)
  if (topology.kind !== 'sentinel') throw new Error(`not Sentinels: ${servers.url}`)
  const phase = { started: false }
  const client = await createSentinelClient(topology, DEFAULT_SETTINGS, phase)
  client.on('error', () => undefined)
  await client.connect()
  phase.started = true

  const signal = AbortSignal.timeout(10_000)
  client.disconnect(true) // as the failover detector does when another master is announced
  await event(client, 'connecting', signal)
  client.disconnect(true) // and another one, while the Sentinels are being asked
  await event(client, 'ready', signal)
  expect(await client.ping()).toBe('PONG')

  phase.started = false
  client.disconnect()
  await event(client, 'end', signal)
  expect(client.status).toBe('end')
})
