/** Repairs on real Redis servers and Sentinels, which Sentinels do not make by themselves. */
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Resource } from '../../kube/client/resource.ts'
import { createSingleClient, DEFAULT_SETTINGS } from '../../redis/client.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { type Attempt, until, untilTrue } from '../../std/until.ts'
import { lastingTerm, type OperatedTopologies, startOperatedTopologies } from '../../testing/kube/operated-topology.ts'
import { present } from '../../testing/present.ts'
import { type SentinelServers, startSentinel, startUnformedCluster } from '../../testing/redis/servers.ts'
import { REDIS_TOPOLOGIES } from '../kinds/redis-topology.ts'
import { PODS } from './pods.ts'

const SERVICES: Resource = { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true }
const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }
const NAMESPACE = 'default'
const SOON = { withinMs: 120_000, everyMs: 100 }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

// longer than the waits of a test together, so that the one that is missing fails
vi.setConfig({ testTimeout: 600_000 })

const scope = createScope()
const term = lastingTerm()
let absent: string | undefined
let operated: OperatedTopologies
let servers: SentinelServers

beforeAll(async () => {
  const [kube, redis] = await Promise.all([startOperatedTopologies(term), startSentinel({ program: 'redis-server' })])
  for (const one of [kube, redis]) if (!('absent' in one)) scope.defer(() => one[Symbol.asyncDispose]())
  if ('absent' in kube || 'absent' in redis) {
    absent = 'absent' in kube ? kube.absent : 'there is no redis-server'
    return
  }
  operated = kube
  servers = redis
  await operated.createPods('redis', 'redis', redis.ports)
  await operated.createPods('sentinel', 'sentinel', redis.sentinels)
  await operated.create('shop', {
    mode: 'Sentinel',
    statefulSet: 'redis',
    size: 3,
    sentinel: { statefulSet: 'sentinel', replicas: 3, quorum: 2 },
    allowShrink: true,
  })
})
beforeEach(({ skip }) => void present(absent === undefined ? {} : { absent }, skip))
afterAll(() => scope.close())

const roleOf = async (port: number): Promise<string> => (await servers.cli(port, 'role')).split('\n')[0] ?? ''
const portOf = (pod: string): number => servers.ports[Number(pod.split('-')[1])] ?? 0
const isHealthy = () => operated.untilCondition('shop', 'Ready', 'True Healthy')

async function eventsFor(reason: string): Promise<readonly unknown[]> {
  const { items } = await operated.api.list(EVENTS, { namespace: NAMESPACE }, soon())
  return items.filter((event) => event['reason'] === reason)
}

/** Sentinels learn replicas from the primary, so they forget a server that does not follow it. */
async function forgetAtSentinels(): Promise<void> {
  for (const port of servers.sentinels) await servers.cli(port, 'sentinel', 'reset', 'ingot')
}

/** Makes a server a second primary that no Sentinel knows. */
async function promoteUnknown(port: number): Promise<void> {
  await servers.cli(port, 'replicaof', 'no', 'one')
  await forgetAtSentinels()
}

test('labels the pods by role, and serves the primary and the replicas', async () => {
  await isHealthy()
  const isLabelled = async (): Promise<boolean> => {
    const roles = await Promise.all([0, 1, 2].map(async (pod) => operated.labelsOf(`redis-${pod}`)))
    return roles.map((labels) => labels['ingot.dev/role']).join() === 'primary,replica,replica'
  }
  await untilTrue('labels', isLabelled, SOON)
  const read = () => operated.api.get(SERVICES, { namespace: NAMESPACE, name: 'redis-primary' }, soon())
  await untilTrue('the Service', async () => (await read()) !== undefined, SOON)
  const service = await read()
  expect(service?.['spec']).toMatchObject({ selector: { app: 'redis', 'ingot.dev/role': 'primary' } })
  expect(service?.metadata.ownerReferences).toMatchObject([{ kind: 'RedisTopology', name: 'shop' }])
})

test('a second primary that the Sentinels do not know follows the primary again', async () => {
  const [primary, second] = [await servers.master(), portOf('redis-2')]
  await promoteUnknown(second)
  await operated.untilCondition('shop', 'Ready', 'False SeveralPrimaries')
  await untilTrue('one primary', async () => (await roleOf(second)) === 'slave', SOON)
  expect(await roleOf(primary)).toBe('master')
  await isHealthy()
  expect(await eventsFor('Demote')).toHaveLength(1)
})

test('a replica of a replica, which the Sentinels do not know, follows the primary', async () => {
  const [first, second] = [portOf('redis-1'), portOf('redis-2')]
  await servers.cli(second, 'replicaof', '127.0.0.1', String(first))
  await forgetAtSentinels()
  const primary = await servers.master()
  const follows = async (): Promise<boolean> => (await servers.cli(second, 'role')).split('\n')[2] === String(primary)
  await untilTrue('the primary as source', follows, SOON)
  await isHealthy()
})

test('a hand-over on request loses no write, and is reported', async () => {
  const before = await isHealthy()
  const from = before.primaries?.[0]?.pod ?? ''
  await servers.cli(portOf(from), 'set', 'key', 'value')
  const at = { namespace: NAMESPACE, name: 'shop' }
  const to = from === 'redis-1' ? 'redis-2' : 'redis-1'
  const annotations = { 'ingot.dev/handover': `a1b2c3d4/${to}` }
  await operated.api.patch(REDIS_TOPOLOGIES, at, { metadata: { annotations } }, soon())
  const isDone = async (): Promise<boolean> => {
    const { handover } = await operated.statusOf('shop')
    return handover?.request === 'a1b2c3d4' && handover.phase !== 'Running'
  }
  await untilTrue('the hand-over', isDone, SOON)
  expect((await operated.statusOf('shop')).handover).toMatchObject({ phase: 'Done' })
  expect(await servers.cli(portOf(to), 'get', 'key')).toBe('value')
  const isReported = async (): Promise<boolean> => (await operated.statusOf('shop')).lastFailover?.to === to
  await untilTrue('the failover in the status', isReported, SOON)
  const { lastFailover } = await operated.statusOf('shop')
  expect(lastFailover).toMatchObject({ from, to, planned: true, reason: 'Handover' })
  await untilTrue('its label', async () => (await operated.labelsOf(to))['ingot.dev/role'] === 'primary', SOON)
  await isHealthy()
})

test('a failover after a kill is reported with its reason and gap', async () => {
  const { primaries } = await isHealthy()
  const from = primaries?.[0]?.pod ?? ''
  await servers.signal(portOf(from), 'KILL')
  const isReported = async (): Promise<boolean> => (await operated.statusOf('shop')).lastFailover?.from === from
  await untilTrue('the failover', isReported, SOON)
  const { lastFailover } = await operated.statusOf('shop')
  expect(lastFailover).toMatchObject({ from, planned: false, reason: 'ServerSilent' })
  expect(lastFailover?.writeGapMs).toBeGreaterThan(0)
  await servers.restart(portOf(from))
  await isHealthy()
})

test('beside an operator with a higher number, the own number rises above it before anything changes', async () => {
  const second = (await operated.statusOf('shop')).servers?.find(({ role }) => role === 'replica')?.pod ?? ''
  const settings = { ...DEFAULT_SETTINGS, connectionName: 'ingot-operator:99' }
  const endpoint = { host: '127.0.0.1', port: portOf(second) }
  const other = await createSingleClient({ endpoint, database: 0, credentials: {} }, settings, { started: false })
  other.on('error', () => undefined)
  const closed = once(other, 'close')
  await other.connect()
  await promoteUnknown(portOf(second))
  const isRaised = async (): Promise<Attempt<true>> => {
    if (term.number === 100) return { value: true }
    const roles = await Promise.all(servers.ports.map(roleOf))
    // a Sentinel that still knew the server has repaired it before the operator
    if (term.number < 99 && (await roleOf(portOf(second))) === 'slave') await promoteUnknown(portOf(second))
    const { conditions } = await operated.statusOf('shop')
    return { missing: `a higher number than ${term.number}: ${roles.join()}, ${JSON.stringify(conditions)}` }
  }
  await until(isRaised, { ...SOON, everyMs: 1_000 })
  // the new name of the connections ends those with the lower number
  await untilTrue('one primary', async () => (await roleOf(portOf(second))) === 'slave', SOON)
  await closed
  await isHealthy()
})

test('Sentinels forget a replica that has left, one at a time', async () => {
  await isHealthy()
  const known = async (): Promise<string> => {
    const lists = await Promise.all(servers.sentinels.map((port) => servers.cli(port, 'sentinel', 'replicas', 'ingot')))
    return lists.map((list) => list.split('\n').filter((line) => line === 'port').length).join()
  }
  const primary = await servers.master()
  const last = portOf('redis-2')
  if (last === primary) {
    const annotations = { 'ingot.dev/handover': 'e5f6a7b8/redis-1' }
    await operated.api.patch(
      REDIS_TOPOLOGIES,
      { namespace: NAMESPACE, name: 'shop' },
      { metadata: { annotations } },
      soon(),
    )
    await untilTrue('another primary', async () => (await servers.master()) !== last, SOON)
    await isHealthy()
  }
  await untilTrue('both replicas at each Sentinel', async () => (await known()) === '2,2,2', SOON)
  await servers.signal(last, 'KILL')
  await operated.api.delete(PODS, { namespace: NAMESPACE, name: 'redis-2' }, soon())
  await operated.api.patch(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 'shop' }, { spec: { size: 2 } }, soon())
  await untilTrue('one replica at each Sentinel', async () => (await known()) === '1,1,1', SOON)
  expect((await eventsFor('ResetSentinel')).length).toBeGreaterThan(0)
  await isHealthy()
})

test('servers that never met become a cluster, and find each other again', async ({ skip }) => {
  const cluster = present(await startUnformedCluster(6, 'redis-server'), skip)
  scope.defer(() => cluster[Symbol.asyncDispose]())
  await operated.createPods('node', 'redis', cluster.ports)
  await operated.create('cluster', { mode: 'Cluster', statefulSet: 'node', size: 6, replicasPerShard: 1 })
  const { servers: nodes = [] } = await operated.untilCondition('cluster', 'Ready', 'True Healthy')
  const slots = nodes.map((node) => node.slots ?? -1).toSorted((a, b) => a - b)
  expect(slots).toEqual([0, 0, 0, 5_461, 5_461, 5_462])
  await systemClock.sleep(1_000)
  // a server that forgets the others and is forgotten by them
  const [lost = 0] = cluster.ports.slice(-1)
  await cluster.cli(lost, 'cluster', 'reset')
  for (const port of cluster.ports.slice(0, -1)) {
    const id = await cluster.cli(lost, 'cluster', 'myid')
    await cluster.cli(port, 'cluster', 'forget', id).catch(() => undefined)
  }
  await operated.untilCondition('cluster', 'Ready', 'False ReplicasMissing')
  await operated.untilCondition('cluster', 'Ready', 'True Healthy')
})
