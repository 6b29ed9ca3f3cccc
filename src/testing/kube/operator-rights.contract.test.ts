/** The operator's ServiceAccount may do what it needs on a real API server, and nothing else nearby. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { untilTrue } from '../../std/until.ts'
import { type Absent, present } from '../present.ts'
import { type BareApiServer, startBareApiServer } from './bare-api-server.ts'
import { type ChartServer, createChartServer, RESOURCES, reviewedRights as reviewed, soon } from './installed-charts.ts'
import {
  OPERATOR_NAMESPACE,
  RELEASE_NAMESPACE,
  type RenderedCharts,
  type Right,
  renderCharts,
} from './operator-rights.ts'

const {
  definitions: DEFINITIONS,
  topologies: TOPOLOGIES,
  pods: PODS,
  secrets: SECRETS,
  services: SERVICES,
  leases: LEASES,
  events: EVENTS,
  statefulSets: SETS,
} = RESOURCES
const SHOP = RELEASE_NAMESPACE
const SECOND = 'second-system'

let server: BareApiServer | Absent = { absent: 'the API server was not started' }
let charts: RenderedCharts | Absent = { absent: 'helm was not started' }
let installed: ChartServer
let operator: KubeApi
let second: KubeApi

const at = (name: string, namespace = SHOP) => ({ metadata: { name, namespace } })
const POD = { spec: { containers: [{ name: 'a', image: 'a' }] } }
const SERVICE = { spec: { ports: [{ port: 1 }] } }

async function prepare(kubeconfig: string, { objects }: RenderedCharts): Promise<void> {
  installed = createChartServer(kubeconfig)
  const { admin } = installed
  await installed.apply(objects)
  const values = { operatorNamespace: SECOND, operator: ['namespaces=["stock"]', 'crds.install=false'] }
  const more = present(renderCharts(values), (reason) => expect.fail(reason))
  await installed.apply(more.objects.filter(({ metadata }) => metadata.namespace !== SHOP))
  const metadata = { namespace: SHOP, labels: { app: 'redis' } }
  for (const name of ['ingot-redis-0', 'ingot-postgres-0']) {
    await admin.apply(PODS, { metadata: { ...metadata, name }, ...POD }, soon())
  }
  await admin.apply(RESOURCES.namespaces, { metadata: { name: 'other' } }, soon())
  await admin.apply(SECRETS, at('ingot-redis', 'other'), soon())
  operator = await installed.as(OPERATOR_NAMESPACE, 'ingot-operator')
  second = await installed.as(SECOND, 'ingot-operator')
  const patch = { metadata: { annotations: { early: 'x' } } }
  await untilTrue(
    'the admission policy is in force',
    () =>
      operator.patch(PODS, { namespace: SHOP, name: 'ingot-redis-0' }, patch, soon()).then(
        () => false,
        () => true,
      ),
    { withinMs: 50_000 },
  )
}

beforeAll(async () => {
  charts = renderCharts()
  server = await startBareApiServer({ controllers: true })
  if (!('absent' in server) && !('absent' in charts)) await prepare(server.kubeconfig, charts)
})

beforeEach(({ skip }) => {
  present(server, skip)
  present(charts, skip)
})

afterAll(async () => {
  if ('absent' in server) return
  installed[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

/** Lists, then watches for a second. */
async function watched(api: KubeApi, kind: Resource, namespace?: string): Promise<readonly string[]> {
  const { resourceVersion } = await api.list(kind, { namespace }, soon())
  const types: string[] = []
  for await (const { type } of api.watch(kind, { namespace, resourceVersion, timeoutSeconds: 1 }, soon())) {
    types.push(type)
  }
  return types
}

const patchOf = (labels: object) => ({ metadata: { labels } })
const event = (name: string, namespace = SHOP): KubeObject => ({
  ...at(name, namespace),
  eventTime: '2026-01-01T00:00:00.000000Z',
  type: 'Normal',
  reason: 'Test',
  action: 'Test',
  reportingController: 'ingot.dev/operator',
  reportingInstance: 'test',
  regarding: { kind: 'RedisTopology', apiVersion: 'ingot.dev/v1alpha1', name: 'ingot-redis', namespace },
})

describe('the operator may', () => {
  test('watch topologies and pods of all namespaces', async () => {
    await expect(watched(operator, TOPOLOGIES)).resolves.toBeDefined()
    await expect(watched(operator, PODS)).resolves.toBeDefined()
  })

  test('write the status of a topology', async () => {
    const status = { observedGeneration: 1 }
    const written = await operator.applyStatus(TOPOLOGIES, { ...at('ingot-redis'), status }, soon())
    expect(written['status']).toEqual(status)
  })

  test('read the version of its definitions', async () => {
    const found = await operator.get(DEFINITIONS, { name: 'redistopologies.ingot.dev' }, soon())
    expect(found?.metadata.annotations).toHaveProperty(['ingot.dev/crd-version'])
  })

  test('hold its Lease', async () => {
    const lease = { ...at('ingot-operator', OPERATOR_NAMESPACE), spec: { leaseDurationSeconds: 15 } }
    const made = await operator.create(LEASES, lease, soon())
    expect(await operator.get(LEASES, made.metadata, soon())).toBeDefined()
    await expect(operator.replace(LEASES, made, soon())).resolves.toBeDefined()
  })

  test('read the Secret of Redis', async () => {
    const secret = await operator.get(SECRETS, { namespace: SHOP, name: 'ingot-redis' }, soon())
    expect(secret?.['data']).toHaveProperty('operator-password')
  })

  test('label a pod of Redis', async () => {
    for (const labels of [{ 'ingot.dev/role': 'primary' }, { 'ingot.dev/role': 'replica' }]) {
      const pod = await operator.patch(PODS, { namespace: SHOP, name: 'ingot-redis-0' }, patchOf(labels), soon())
      expect(pod.metadata.labels).toEqual({ ...labels, app: 'redis' })
    }
  })

  test('apply its Services twice, with the topology as their owner', async () => {
    const topology = await operator.list(TOPOLOGIES, { namespace: SHOP }, soon())
    const uid = topology.items[0]?.metadata.uid ?? ''
    const ownerReferences = [{ apiVersion: 'ingot.dev/v1alpha1', kind: 'RedisTopology', name: 'ingot-redis', uid }]
    for (const name of ['ingot-redis-primary', 'ingot-redis-replicas']) {
      const service = { metadata: { name, namespace: SHOP, ownerReferences }, ...SERVICE }
      await operator.apply(SERVICES, service, soon())
      await expect(operator.apply(SERVICES, service, soon())).resolves.toMatchObject({ metadata: { ownerReferences } })
    }
  })

  test('write Events', async () => {
    await operator.create(EVENTS, event('first'), soon())
    const series = { series: { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' } }
    await expect(operator.patch(EVENTS, { namespace: SHOP, name: 'first' }, series, soon())).resolves.toBeDefined()
  })
})

type Call = (api: KubeApi) => Promise<unknown>

const remove =
  (kind: Resource, name: string, namespace = SHOP): Call =>
  (api) =>
    api.delete(kind, { namespace, name }, soon())
const read =
  (kind: Resource, name: string, namespace = SHOP): Call =>
  (api) =>
    api.get(kind, { namespace, name }, soon())

/** Resolves with the status of a raw request. */
const statusOf = async (api: KubeApi, method: 'GET' | 'POST', path: string): Promise<number> =>
  (await api.connection.send({ method, path, signal: soon() })).status

const REFUSED: Readonly<Record<string, Call>> = {
  'read another Secret': read(SECRETS, 'ingot-token'),
  'read a Secret of another namespace': read(SECRETS, 'ingot-redis', 'other'),
  'list Secrets': (api) => api.list(SECRETS, { namespace: SHOP }, soon()),
  'change the Secret of Redis': (api) => api.patch(SECRETS, { namespace: SHOP, name: 'ingot-redis' }, {}, soon()),
  'delete a pod of Redis': remove(PODS, 'ingot-redis-0'),
  'label another pod': (api) => api.patch(PODS, { namespace: SHOP, name: 'ingot-postgres-0' }, patchOf({}), soon()),
  'create a pod': (api) => api.create(PODS, { ...at('ingot-redis-9'), ...POD }, soon()),
  'apply another Service': (api) => api.apply(SERVICES, { ...at('ingot'), ...SERVICE }, soon()),
  'create a Service by name': (api) => api.create(SERVICES, { ...at('ingot-redis-primary'), ...SERVICE }, soon()),
  'apply its Service in another namespace': (api) =>
    api.apply(SERVICES, { ...at('ingot-redis-primary', 'other'), ...SERVICE }, soon()),
  'delete its own Service': remove(SERVICES, 'ingot-redis-primary'),
  'read another Lease': read(LEASES, 'other', OPERATOR_NAMESPACE),
  'delete its Lease': remove(LEASES, 'ingot-operator', OPERATOR_NAMESPACE),
  'create a Lease elsewhere': (api) => api.create(LEASES, at('ingot-operator'), soon()),
  'change a topology': (api) => api.patch(TOPOLOGIES, { namespace: SHOP, name: 'ingot-redis' }, {}, soon()),
  'delete a topology': remove(TOPOLOGIES, 'ingot-redis'),
  'read another definition': (api) => api.get(DEFINITIONS, { name: 'other.example.org' }, soon()),
  'list definitions': (api) => api.list(DEFINITIONS, {}, soon()),
  'change a definition': (api) => api.patch(DEFINITIONS, { name: 'redistopologies.ingot.dev' }, {}, soon()),
  'change a StatefulSet': (api) => api.patch(SETS, { namespace: SHOP, name: 'ingot-redis' }, {}, soon()),
  'write an Event elsewhere': (api) => api.create(EVENTS, event('first', 'other'), soon()),
}

describe('the operator may not', () => {
  test.each(Object.entries(REFUSED))('%s', async (_what, call) => {
    await expect(call(operator)).rejects.toMatchObject({ code: 'KUBE_FORBIDDEN' })
  })

  const image = { spec: { containers: [{ name: 'a', image: 'b' }] } }
  test.each([
    ['the image', image, 'may not change the spec'],
    ['another label', patchOf({ app: 'other' }), 'no label of a pod but ingot.dev/role'],
    ['a new label', patchOf({ more: 'x' }), 'no label of a pod but ingot.dev/role'],
    ['a removed label', patchOf({ app: null }), 'no label of a pod but ingot.dev/role'],
    ['an annotation', { metadata: { annotations: { a: 'b' } } }, 'may not change annotations'],
    ['a finalizer', { metadata: { finalizers: ['example.org/x'] } }, 'owners and finalizers'],
  ])('patch %s of a pod of Redis', async (_what, patch, message) => {
    const call = operator.patch(PODS, { namespace: SHOP, name: 'ingot-redis-0' }, patch, soon())
    await expect(call).rejects.toThrow(message)
  })

  test.each(['exec', 'log', 'portforward'])('use %s of a pod', async (subresource) => {
    const path = `/api/v1/namespaces/${SHOP}/pods/ingot-redis-0/${subresource}`
    expect(await statusOf(operator, 'GET', path)).toBe(403)
    expect(await statusOf(operator, 'POST', path)).toBe(403)
  })
})

const textOf = ({ verb, group, resource: one, name = '*' }: Right): string => `${verb} ${group}/${one} ${name}`

describe('the API server lists the rights of the charts and no others', () => {
  test.each([SHOP, OPERATOR_NAMESPACE, 'other'])('in the namespace %s', async (namespace) => {
    const { rights } = present(charts, (reason) => expect.fail(reason))
    const inside = rights.filter((right) => right.namespace === undefined || right.namespace === namespace)
    expect(await reviewed(operator, namespace)).toEqual(new Set(inside.map(textOf)))
  })
})

test('an additional Role is noticed', async () => {
  const { rights } = present(charts, (reason) => expect.fail(reason))
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }]
  const binding = {
    ...at('extra', 'other'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'extra' },
    subjects: [{ kind: 'ServiceAccount', name: 'ingot-operator', namespace: OPERATOR_NAMESPACE }],
  }
  await installed.admin.apply(RESOURCES.roles, { ...at('extra', 'other'), rules }, soon())
  await installed.admin.apply(RESOURCES.roleBindings, binding, soon())
  const wanted = new Set(rights.filter(({ namespace }) => namespace === undefined).map(textOf))
  await untilTrue('RBAC has read the Role', async () => (await reviewed(operator, 'other')).size > wanted.size, {
    withinMs: 20_000,
  })
  expect([...(await reviewed(operator, 'other'))].filter((right) => !wanted.has(right))).toEqual(['list /secrets *'])
})

describe('an operator of some namespaces', () => {
  test('may watch in these only', async () => {
    await expect(watched(second, TOPOLOGIES, 'stock')).resolves.toBeDefined()
    await expect(watched(second, PODS, 'stock')).resolves.toBeDefined()
    for (const namespace of [undefined, SHOP]) {
      await expect(second.list(TOPOLOGIES, { namespace }, soon())).rejects.toMatchObject({ code: 'KUBE_FORBIDDEN' })
    }
  })

  test('reads the version from the OpenAPI document, because it may not read definitions', async () => {
    await expect(second.get(DEFINITIONS, { name: 'redistopologies.ingot.dev' }, soon())).rejects.toMatchObject({
      code: 'KUBE_FORBIDDEN',
    })
    expect(await statusOf(second, 'GET', '/openapi/v3/apis/ingot.dev/v1alpha1')).toBe(200)
  })
})

test('the administrator of a namespace may install the chart ingot there', async () => {
  const { objects } = present(charts, (reason) => expect.fail(reason))
  await installed.admin.apply(RESOURCES.accounts, at('installer'), soon())
  const binding = {
    ...at('installer'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'installer', namespace: SHOP }],
  }
  await installed.admin.apply(RESOURCES.roleBindings, binding, soon())
  const installer = await installed.as(SHOP, 'installer')
  const release = objects.filter(
    ({ kind = '', metadata }) => metadata.namespace === SHOP && /^(Role|RoleBinding|RedisTopology)$/.test(kind),
  )
  expect(release).toHaveLength(3)
  // the controller adds the rules to the role admin
  await untilTrue(
    'the installer has the rights',
    async () => (await reviewed(installer, SHOP)).has('patch events.k8s.io/events *'),
    { withinMs: 20_000 },
  )
  await expect(installed.apply(release, installer)).resolves.toBeUndefined()
})
