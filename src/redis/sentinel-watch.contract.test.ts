/**
 * Tests the reaction of the watch to announcements. A normal Redis server publishes them here, because a Sentinel cannot be
 * made to. sentinel-watch.process.test.ts tests with real Sentinels.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterEach, expect, test, vi } from 'vitest'
import { createScope } from '../std/scope.ts'
import { silentLog } from '../telemetry/log.ts'
import { createFakeClock, type FakeClock } from '../testing/clock.ts'
import { present } from '../testing/present.ts'
import { createCertificates } from '../testing/redis/certificates.ts'
import { type RedisServers, startIndependent, startStandalone } from '../testing/redis/servers.ts'
import { createAnnouncers, createSingleClient, DEFAULT_SETTINGS } from './client.ts'
import type { Sentinel } from './redis-url.ts'
import { createSentinelWatch } from './sentinel-watch.ts'

const HOST = '127.0.0.1'
const WAIT = { timeout: 10_000, interval: 50 }
/** Wait before a test asserts that nothing happened. */
const A_WHILE_MS = 300

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function clientOf(port: number): Promise<Redis> {
  const target = { endpoint: { host: HOST, port }, database: 0, credentials: {} }
  const client = await createSingleClient(target, DEFAULT_SETTINGS, { started: true })
  client.on('error', () => undefined)
  scope.defer(() => client.disconnect())
  return client
}

interface Fixture {
  readonly servers: RedisServers
  /** Port of the server to which the watched client connects, regardless of announcements. */
  readonly at: number
  /** Port of the server that publishes announcements. */
  readonly by: number
  readonly client: Redis
  readonly clock: FakeClock
  readonly warnings: string[]
  /** Number of connections that the client lost. */
  readonly closes: () => number
  readonly start: () => void
  /** Publishes the messages when there is a subscriber. */
  readonly announce: (...messages: readonly string[]) => Promise<void>
}

async function stage(skip: (reason: string) => never): Promise<Fixture> {
  const servers = present(await startIndependent(2), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  const [at = 0, by = 0] = servers.ports
  const [client, speaker] = [await clientOf(at), await clientOf(by)]
  await Promise.all([client.connect(), speaker.connect()])
  let closes = 0
  client.on('close', () => closes++)
  const credentials = { credentials: {}, sentinelCredentials: {} }
  const target: Sentinel = {
    kind: 'sentinel',
    sentinels: [{ host: HOST, port: by }],
    masterName: 'm',
    database: 0,
    ...credentials,
  }
  const warnings: string[] = []
  const log = { ...silentLog, warn: (_fields: object, event: string) => void warnings.push(event) }
  const clock = createFakeClock()
  const announcers = await createAnnouncers(target, DEFAULT_SETTINGS)
  const watch = createSentinelWatch(client, target.masterName, { announcers, log, clock })
  scope.defer(() => watch[Symbol.dispose]())
  return {
    servers,
    at,
    by,
    client,
    clock,
    warnings,
    closes: () => closes,
    start: () => watch.start(),
    async announce(...messages) {
      await vi.waitFor(async () => expect(await speaker.publish('+switch-master', 'nobody')).toBe(1), WAIT)
      await Promise.all(messages.map((message) => speaker.publish('+switch-master', message)))
    },
  }
}

test('a client that is connected to the announced primary is not disconnected, whatever the name of the primary', async ({
  skip,
}) => {
  const { start, announce, at, by, closes } = await stage(skip)
  start()
  await announce(
    `m ${HOST} ${by} ${HOST} ${at}`,
    `m ${HOST} ${by} localhost ${at}`,
    `other ${HOST} ${at} ${HOST} ${by}`,
  )
  await sleep(A_WHILE_MS)
  expect(closes()).toBe(0)
})

test.for([
  ['at another port', HOST, 1],
  ['at another address', '127.0.0.2', 0],
  ['with an unknown name', 'nobody.invalid', 0],
] as const)(
  'a primary %s has the client reconnect once, however many announce it',
  async ([, host, offset], { skip }) => {
    const { start, announce, at, client, clock, closes } = await stage(skip)
    start()
    client.once('close', () => clock.block(10_001)) // the announcement is no longer recent when it is back
    const message = `m ${HOST} ${at} ${host} ${at + offset}`
    await announce(message, message, message)
    await vi.waitFor(() => expect(closes()).toBe(1), WAIT)
    await vi.waitFor(() => expect(client.status).toBe('ready'), WAIT)
    await sleep(A_WHILE_MS)
    expect(closes()).toBe(1)
  },
)

test('a client that connects to the old primary again is disconnected while the announcement is recent', async ({
  skip,
}) => {
  const { start, announce, at, by, client, clock, closes } = await stage(skip)
  start()
  await announce(`m ${HOST} ${at} ${HOST} ${by}`)
  await vi.waitFor(() => expect(closes()).toBeGreaterThan(2), WAIT)
  clock.block(10_001)
  await sleep(A_WHILE_MS)
  await vi.waitFor(() => expect(client.status).toBe('ready'), WAIT)
  const before = closes()
  await sleep(A_WHILE_MS)
  expect(closes()).toBe(before)
})

test('a Sentinel that was down is subscribed to when it is up again', async ({ skip }) => {
  const { servers, start, announce, at, by, closes } = await stage(skip)
  await servers.signal(by, 'KILL')
  start()
  for (const times of [1, 2]) {
    await servers.restart(by)
    await announce()
    if (times === 1) await servers.signal(by, 'KILL')
  }
  await announce(`m ${HOST} ${at} ${HOST} ${by}`)
  await vi.waitFor(() => expect(closes()).toBeGreaterThan(0), WAIT)
})

test('announcements arrive over TLS for a user with only the right to subscribe', async ({ skip }) => {
  using certificates = createCertificates()
  const files = ['ca.pem', 'server.pem', 'server.key', 'client.pem', 'client.key']
  const config = [
    'tls-ca-cert-file /tls/ca.pem',
    'tls-cert-file /tls/server.pem',
    'tls-key-file /tls/server.key',
    'user watcher on >secret -@all +@connection +subscribe &+switch-master',
  ]
  const started = await startStandalone({
    files: Object.fromEntries(files.map((name) => [`/tls/${name}`, certificates.read(name)])),
    cliArgs: ['--tls', '--cacert', '/tls/ca.pem', '--cert', '/tls/client.pem', '--key', '/tls/client.key'],
    config,
    tls: true,
  })
  await using servers = present(started, skip)
  const [port = 0] = servers.ports
  const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) => certificates.path(name))
  if (ca === undefined || cert === undefined || key === undefined) throw new Error('impossible')
  const credentials = { credentials: {}, sentinelCredentials: { user: 'watcher', password: 'secret' } }
  const sentinels = [{ host: HOST, port }]
  const target: Sentinel = {
    kind: 'sentinel',
    sentinels,
    masterName: 'm',
    database: 0,
    ...credentials,
    tls: { ca, cert, key },
  }
  const announcers = await createAnnouncers(target, DEFAULT_SETTINGS)
  using watch = createSentinelWatch(await clientOf(port), 'm', { announcers, log: silentLog, clock: createFakeClock() })
  watch.start()
  await vi.waitFor(async () => expect(await servers.cli(port, 'publish', '+switch-master', 'm')).toBe('1'), WAIT)
})

test('a refused subscription is logged and retried after five seconds', async ({ skip }) => {
  const { servers, start, announce, by, clock, warnings } = await stage(skip)
  await servers.cli(by, 'acl', 'setuser', 'default', '-subscribe')
  start()
  await vi.waitFor(() => expect(warnings).toEqual(['a sentinel refuses to announce failovers']), WAIT)
  await servers.cli(by, 'acl', 'setuser', 'default', '+subscribe')
  await clock.advance(5_000)
  await announce()
  expect(warnings).toHaveLength(1)
})
