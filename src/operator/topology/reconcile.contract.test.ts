/** The observation of a topology: a real API server, and real Redis servers and Sentinels as its pods. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { DEFINITIONS, definitionOf } from '../../kube/crd/definition.ts'
import { connectSources, runController } from '../../kube/runtime/controller.ts'
import { createInformer } from '../../kube/runtime/informer.ts'
import { unmeasuredRuntime } from '../../kube/runtime/measures.ts'
import { createWorkQueue } from '../../kube/runtime/work-queue.ts'
import { DEFAULT_SETTINGS } from '../../redis/client.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { untilTrue } from '../../std/until.ts'
import { silentLog } from '../../telemetry/log.ts'
import { startBareApiServer } from '../../testing/kube/bare-api-server.ts'
import { present } from '../../testing/present.ts'
import { type SentinelServers, startSentinel } from '../../testing/redis/servers.ts'
import { REDIS_TOPOLOGIES, REDIS_TOPOLOGY } from '../kinds/redis-topology.ts'
import { createCredentialsReader } from './credentials.ts'
import { keepPod, PODS } from './pods.ts'
import { createTopologyReconciler } from './reconcile.ts'
import type { TopologyStatus } from './status.ts'

const SETS: Resource = { group: 'apps', version: 'v1', kind: 'StatefulSet', plural: 'statefulsets', namespaced: true }
const SECRETS: Resource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
const NAMESPACE = 'default'
const SOON = { withinMs: 30_000, everyMs: 100 }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

const scope = createScope()
let absent: string | undefined
let api: KubeApi
let servers: SentinelServers

beforeAll(async () => {
  const [kube, redis] = await Promise.all([startBareApiServer(), startSentinel({ program: 'redis-server' })])
  if ('absent' in kube || 'absent' in redis) {
    absent = 'absent' in kube ? kube.absent : 'there is no redis-server'
    for (const one of [kube, redis]) if (!('absent' in one)) await one[Symbol.asyncDispose]()
    return
  }
  scope.defer(() => kube[Symbol.asyncDispose]())
  scope.defer(() => redis[Symbol.asyncDispose]())
  servers = redis
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: kube.kubeconfig })
  scope.defer(() => connection[Symbol.dispose]())
  api = createKubeApi(connection)
  await api.apply(DEFINITIONS, definitionOf(REDIS_TOPOLOGY, '0.1.0'), soon())
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, SOON)
  await createPods('redis', 'redis', redis.ports)
  await createPods('sentinel', 'sentinel', redis.sentinels)
  scope.defer(operate())
})
beforeEach(({ skip }) => void present(absent === undefined ? {} : { absent }, skip))
afterAll(() => scope.close())

/** Creates a StatefulSet and, as no controller does, its pods: each is one of the servers on this machine. */
async function createPods(set: string, component: string, ports: readonly number[]): Promise<void> {
  const template = {
    metadata: { labels: { app: set } },
    spec: { containers: [{ name: component, image: 'redis' }] },
  }
  const spec = { selector: { matchLabels: { app: set } }, serviceName: set, template }
  const { metadata } = await api.apply(SETS, { metadata: { name: set, namespace: NAMESPACE }, spec }, soon())
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid: metadata.uid ?? '', controller: true }
  for (const [index, containerPort] of ports.entries()) {
    const pod = { name: `${set}-${index}`, namespace: NAMESPACE, labels: { app: set }, ownerReferences: [owner] }
    const containers = [{ name: component, image: 'redis', ports: [{ name: component, containerPort }] }]
    await api.apply(PODS, { metadata: pod, spec: { containers } }, soon())
    const status = { phase: 'Running', podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] }
    await api.applyStatus(PODS, { metadata: { name: pod.name, namespace: NAMESPACE }, status }, soon())
  }
}

/** Runs the controller until the returned function is called. */
function operate(): () => Promise<void> {
  const deps = { api, clock: systemClock, random: Math.random, log: silentLog, measures: unmeasuredRuntime }
  const topologies = createInformer({ resource: REDIS_TOPOLOGIES, namespace: NAMESPACE }, deps)
  const pods = createInformer({ resource: PODS, namespace: NAMESPACE, keep: keepPod }, deps)
  const reconciler = createTopologyReconciler({
    ...deps,
    topologies,
    pods,
    credentials: createCredentialsReader(api, systemClock),
    settings: { ...DEFAULT_SETTINGS, connectionName: 'ingot-operator:1' },
  })
  const queue = createWorkQueue({ ...deps, name: 'topology', reconcile: reconciler.reconcile })
  connectSources({ queue, primary: topologies, clock: systemClock })
  const stop = new AbortController()
  const running = Promise.all([
    topologies.run(stop.signal),
    pods.run(stop.signal),
    runController({ queue, primary: topologies, clock: systemClock }, stop.signal),
  ])
  return async () => {
    stop.abort(new Error('the test ended'))
    await running.catch(() => undefined)
    reconciler[Symbol.dispose]()
  }
}

async function statusOf(name: string): Promise<Partial<TopologyStatus>> {
  const topology = await api.get(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name }, soon())
  return topology?.['status'] ?? {}
}

async function untilCondition(name: string, type: string, wanted: string): Promise<Partial<TopologyStatus>> {
  let status: Partial<TopologyStatus> = {}
  const isMet = async (): Promise<boolean> => {
    status = await statusOf(name)
    return status.conditions?.some((one) => one.type === type && `${one.status} ${one.reason}` === wanted) === true
  }
  await untilTrue(`${type} ${wanted}`, isMet, SOON)
  return status
}

const SPEC = {
  mode: 'Sentinel',
  statefulSet: 'redis',
  size: 3,
  sentinel: { statefulSet: 'sentinel', replicas: 3, quorum: 2 },
}
const create = (name: string, spec: object): Promise<KubeObject> =>
  api.create(REDIS_TOPOLOGIES, { metadata: { name, namespace: NAMESPACE }, spec }, soon())

test('reports roles, lag and Sentinels of healthy servers, and then writes nothing more', async () => {
  await create('healthy', SPEC)
  const status = await untilCondition('healthy', 'FailoverPossible', 'True ReplicaInSync')
  expect(status).toMatchObject({
    size: 3,
    selector: 'app=redis',
    servers: [{ pod: 'redis-0', role: 'primary' }, { role: 'replica', linked: true }, { role: 'replica' }],
    sentinels: { reachable: 3, known: 3, agreed: 3, canFailOver: true },
  })
  const version = async (): Promise<string | undefined> =>
    (await api.get(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 'healthy' }, soon()))?.metadata.resourceVersion
  const before = await version()
  await systemClock.sleep(4_000)
  expect(await version()).toBe(before)
  await api.delete(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name: 'healthy' }, soon())
})

test('says why a topology cannot be observed, and recovers when the cause is gone', async () => {
  await create('elsewhere', { ...SPEC, statefulSet: 'missing' })
  await create('secretive', { ...SPEC, auth: { secretName: 'login' } })
  await untilCondition('elsewhere', 'Stalled', 'True PodsMissing')
  await untilCondition('secretive', 'Stalled', 'True SecretMissing')
  const secret = { name: 'login', namespace: NAMESPACE }
  await api.apply(SECRETS, { metadata: secret, data: { other: 'eA==' } }, soon())
  await untilCondition('secretive', 'Stalled', 'True SecretIncomplete')
  await api.apply(SECRETS, { metadata: secret, data: { 'operator-password': 'd3Jvbmc=' } }, soon())
  const refused = await untilCondition('secretive', 'Stalled', 'True AccessRefused')
  expect(JSON.stringify(refused)).not.toContain('wrong')
  for (const port of [...servers.ports, ...servers.sentinels]) {
    await servers.cli(port, 'acl', 'setuser', 'operator', 'on', '>wrong', '+@all', '~*', '&*')
  }
  await untilCondition('secretive', 'Ready', 'True Healthy')
  await untilCondition('secretive', 'Stalled', 'False Observed')
})

test('reports a primary that dies, and its successor', async () => {
  await create('failing', SPEC)
  await untilCondition('failing', 'Ready', 'True Healthy')
  const primary = await servers.master()
  await servers.signal(primary, 'KILL')
  await untilCondition('failing', 'Ready', 'False ServersMissing')
  const followed = async (): Promise<boolean> => {
    const { primaries = [] } = await statusOf('failing')
    return primaries.length === 1 && primaries[0]?.pod !== 'redis-0'
  }
  await untilTrue('another primary', followed, SOON)
  await servers.restart(primary)
})
