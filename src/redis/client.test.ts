import { afterEach, expect, test } from 'vitest'
import {
  createAnnouncers,
  createClusterClient,
  createSentinelClient,
  createSingleClient,
  DEFAULT_SETTINGS,
} from './client.ts'
import type { ClusterTopology, Sentinel } from './redis-url.ts'

const endpoint = { host: '127.0.0.1', port: 1 }
const opened: { disconnect(): void }[] = []
afterEach(() => {
  for (const client of opened.splice(0)) client.disconnect()
})

/** Settings with which a client sends nothing twice, queues nothing, and ends every wait. */
const SAFE = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 500,
  connectTimeout: 1_000,
  socketTimeout: 1_000,
  keepAlive: 5_000,
  protocol: 3,
}

test('a client of one server has the safe settings', async () => {
  const client = await createSingleClient({ endpoint, database: 2, credentials: {} }, DEFAULT_SETTINGS, {
    started: false,
  })
  opened.push(client)
  expect(client.options).toMatchObject({ ...SAFE, enableOfflineQueue: false, db: 2 })
  expect(client.options.reconnectOnError?.(new Error('READONLY no writes here'))).toBe(1)
  expect(client.options.reconnectOnError?.(new Error('ERR something else'))).toBe(false)
})

test('a client does not retry until it has started, and retries for ever afterwards', async () => {
  const phase = { started: false }
  const client = await createSingleClient({ endpoint, database: 0, credentials: {} }, DEFAULT_SETTINGS, phase)
  opened.push(client)
  expect(client.options.retryStrategy?.(1)).toBeNull()
  phase.started = true
  for (const attempt of [1, 5, 1_000]) expect(client.options.retryStrategy?.(attempt)).toBeLessThanOrEqual(1_000)
})

test('a client of Sentinels limits every wait for a Sentinel', async () => {
  const target: Sentinel = {
    kind: 'sentinel',
    sentinels: [endpoint],
    masterName: 'm',
    database: 0,
    credentials: { user: 'u', password: 'p' },
    sentinelCredentials: { password: 's' },
  }
  const client = await createSentinelClient(target, DEFAULT_SETTINGS, { started: true })
  opened.push(client)
  expect(client.options).toMatchObject({
    ...SAFE,
    enableOfflineQueue: false,
    sentinelCommandTimeout: 500,
    role: 'master',
    username: 'u',
    password: 'p',
    sentinelPassword: 's',
  })
  expect(client.options.sentinelRetryStrategy?.(50)).toBeLessThanOrEqual(1_000)
})

test('at most five Sentinels have subscribers, with their own credentials, which reconnect for ever', async () => {
  const target: Sentinel = {
    kind: 'sentinel',
    sentinels: Array.from({ length: 7 }, (_, n) => ({ host: '127.0.0.1', port: n + 1 })),
    masterName: 'm',
    database: 3,
    credentials: { user: 'u', password: 'p' },
    sentinelCredentials: { user: 's', password: 'sp' },
  }
  const announcers = await createAnnouncers(target, DEFAULT_SETTINGS)
  expect(announcers.map(({ options }) => options.port)).toEqual([1, 2, 3, 4, 5])
  for (const { options } of announcers) {
    expect(options).toMatchObject({ ...SAFE, enableOfflineQueue: false, username: 's', password: 'sp', db: 0 })
    expect(options.retryStrategy?.(1_000)).toBeLessThanOrEqual(1_000)
  }
})

test('a client of a cluster neither redirects nor retries by itself', async () => {
  const target: ClusterTopology = { kind: 'cluster', seeds: [endpoint], credentials: {} }
  const client = await createClusterClient(target, DEFAULT_SETTINGS, { started: false })
  opened.push(client)
  expect(client.options).toMatchObject({
    enableOfflineQueue: false,
    maxRedirections: 0,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshInterval: 1_000,
    slotsRefreshTimeout: 500,
    redisOptions: SAFE,
  })
})
