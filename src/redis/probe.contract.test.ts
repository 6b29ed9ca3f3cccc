/** Probes of real servers and Sentinels, also while these are stopped or gone. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { untilTrue } from '../std/until.ts'
import { present } from '../testing/present.ts'
import { type SentinelServers, startSentinel } from '../testing/redis/servers.ts'
import { DEFAULT_SETTINGS } from './client.ts'
import { createSentinelProbe, createServerProbe, type Polled, type Probe } from './probe.ts'

const SETTINGS = { ...DEFAULT_SETTINGS, connectionName: 'ingot-operator:7' }
const SOON = { withinMs: 20_000, everyMs: 50 }

let started: Awaited<ReturnType<typeof startSentinel>>
let servers: SentinelServers

beforeAll(async () => {
  started = await startSentinel({ program: 'redis-server' })
})
beforeEach(({ skip }) => {
  servers = present(started, skip)
})
afterAll(async () => {
  if (!('absent' in started)) await started[Symbol.asyncDispose]()
})

const at = (port: number) => ({ endpoint: { host: '127.0.0.1', port }, database: 0, credentials: {} })
const serverAt = (port: number, isCluster = false) =>
  createServerProbe({ ...at(port), pod: `p-${port}`, isCluster }, SETTINGS)

async function seen<T>(probe: Probe<T>): Promise<T> {
  let last: Polled<T> | undefined
  await untilTrue('a response', async () => (last = await probe.poll()).kind === 'seen', SOON)
  if (last?.kind !== 'seen') throw new Error('there was no response')
  return last.value
}

test('a primary and a replica report their roles and offsets, under the name of the connection', async () => {
  const primary = await servers.master()
  const [replica = 0] = servers.ports.filter((port) => port !== primary)
  // a server that is no cluster refuses the questions about it
  using first = await serverAt(primary, true)
  using second = await serverAt(replica)
  const role = await seen(first)
  expect(role).toMatchObject({ pod: `p-${primary}`, role: 'primary', synced: true, replicas: servers.ports.length - 1 })
  expect(role.cluster).toBeUndefined()
  expect(role.offset).toBeGreaterThan(0)
  expect(await seen(second)).toMatchObject({ role: 'replica', synced: true })
  expect(await servers.cli(primary, 'client', 'list')).toContain('name=ingot-operator:7')
})

test('a Sentinel reports the primary, the Sentinels that it knows, and whether it can fail over', async () => {
  const [port = 0] = servers.sentinels
  using probe = await createSentinelProbe('ingot', at(port), SETTINGS)
  const { entries, epoch, ...view } = await seen(probe)
  const primary = await servers.master()
  expect(view).toEqual({ host: '127.0.0.1', port: primary, knows: 3, hasQuorum: true, flags: ['master'] })
  expect(epoch).toBeGreaterThanOrEqual(0)
  const portsOf = (kind: string) => new Set(entries.filter((one) => one.kind === kind).map((one) => one.port))
  expect(portsOf('sentinel')).toEqual(new Set(servers.sentinels.filter((one) => one !== port)))
  expect(portsOf('replica')).toEqual(new Set(servers.ports.filter((one) => one !== primary)))
  using other = await createSentinelProbe('unknown', at(port), SETTINGS)
  const none = { host: '', port: 0, knows: 1, hasQuorum: false, flags: [''], entries: [] }
  expect(await seen(other)).toEqual(none)
})

test('a stopped server is silent, and is seen again when it goes on', async () => {
  const primary = await servers.master()
  const [replica = 0] = servers.ports.filter((port) => port !== primary)
  using probe = await serverAt(replica)
  await seen(probe)
  await servers.signal(replica, 'STOP')
  try {
    expect(await probe.poll()).toMatchObject({ kind: 'silent' })
  } finally {
    await servers.signal(replica, 'CONT')
  }
  await seen(probe)
})

test('a server that is gone is silent with the reason, and is seen after its restart', async () => {
  const primary = await servers.master()
  const [replica = 0] = servers.ports.filter((port) => port !== primary)
  using probe = await serverAt(replica)
  await seen(probe)
  await servers.signal(replica, 'KILL')
  const refused = async (): Promise<boolean> => {
    const polled = await probe.poll()
    return polled.kind === 'silent' && polled.isClosed && polled.error.message.includes('ECONNREFUSED')
  }
  await untilTrue('a refused connection', refused, SOON)
  await servers.restart(replica)
  expect(await seen(probe)).toMatchObject({ role: 'replica' })
})
