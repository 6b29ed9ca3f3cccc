/** The account of drills may break its own release on a real API server, and no other one. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { KubeApi } from '../../kube/client/api.ts'
import { JOBS } from '../../operator/drills/workers.ts'
import { untilTrue } from '../../std/until.ts'
import { type Absent, present } from '../present.ts'
import { type BareApiServer, startBareApiServer } from './bare-api-server.ts'
import { type ChartServer, createChartServer, RESOURCES, soon } from './installed-charts.ts'
import { OPERATOR_NAMESPACE, renderCharts, RELEASE_NAMESPACE as SHOP } from './operator-rights.ts'

const POLICIES = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
}
const { pods: PODS } = RESOURCES

/** Pods of this release, and pods of others whose names begin in the same way. */
const OWN = [
  'ingot-redis-0',
  'ingot-sentinel-2',
  'ingot-postgres-0',
  'ingot-7c9fd8b6c4-x2x8z',
  'ingot-legacy-7c9fd8b6c4-x2x8z',
]
const FOREIGN = ['ingot-shop-redis-0', 'ingot-shop-7c9fd8b6c4-x2x8z', 'shop-redis-0', 'ingot-operator-0', 'ingot']

let server: BareApiServer | Absent = { absent: 'the API server was not started' }
let installed: ChartServer
let drill: KubeApi
let operator: KubeApi

async function createPod(name: string, labels: object = { 'app.kubernetes.io/name': 'ingot' }): Promise<void> {
  const pod = {
    metadata: { namespace: SHOP, name, labels: { ...labels } },
    spec: { containers: [{ name: 'a', image: 'a' }] },
  }
  await installed.admin.apply(PODS, pod, soon())
}

const evict = (name: string) =>
  drill.connection.send({
    method: 'POST',
    path: `/api/v1/namespaces/${SHOP}/pods/${name}/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: SHOP } },
    signal: soon(),
  })

beforeAll(async () => {
  const charts = renderCharts({ release: ['drills.enabled=true', 'drills.exec=true'] })
  server = 'absent' in charts ? charts : await startBareApiServer()
  if ('absent' in server || 'absent' in charts) return
  installed = createChartServer(server.kubeconfig)
  await installed.apply(charts.objects)
  drill = await installed.as(SHOP, 'ingot-drill')
  operator = await installed.as(OPERATOR_NAMESPACE, 'ingot-operator')
  await createPod('foreign-0')
  const isRefused = () =>
    drill.delete(PODS, { namespace: SHOP, name: 'foreign-0' }, soon()).then(
      () => false,
      () => true,
    )
  const isInForce = async (): Promise<boolean> => {
    await createPod('foreign-0')
    return isRefused()
  }
  await untilTrue('the admission policy is in force', isInForce, { withinMs: 50_000 })
}, 60_000)
beforeEach(({ skip }) => void present(server, skip))
afterAll(async () => {
  if ('absent' in server) return
  installed[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

describe('a drill', () => {
  test.each(OWN)('deletes and evicts %s', async (name) => {
    await createPod(name)
    expect((await evict(name)).status).toBe(201)
    await createPod(name)
    await expect(drill.delete(PODS, { namespace: SHOP, name }, soon())).resolves.toBeUndefined()
  })

  test.each(FOREIGN)('neither deletes nor evicts %s', async (name) => {
    await createPod(name)
    const refused = await evict(name)
    expect(refused.status).toBe(422)
    expect(refused.body).toContain('only pods of its own release')
    await expect(drill.delete(PODS, { namespace: SHOP, name }, soon())).rejects.toThrow('only pods of its own release')
    const path = `/api/v1/namespaces/${SHOP}/pods/${name}/exec?command=true&stdout=true`
    expect((await drill.connection.send({ method: 'POST', path, signal: soon() })).body).toContain(
      'only pods of its own',
    )
  })

  test('changes labels of its pods, and not what runs in them', async () => {
    await createPod('ingot-redis-1')
    const at = { namespace: SHOP, name: 'ingot-redis-1' }
    await drill.patch(PODS, at, { metadata: { labels: { 'ingot.dev/isolated': 'x' } } }, soon())
    const image = { spec: { containers: [{ name: 'a', image: 'b' }] } }
    await expect(drill.patch(PODS, at, image, soon())).rejects.toThrow('may not change the spec')
    await createPod('ingot-redis-2', { app: 'other' })
    const other = drill.delete(PODS, { namespace: SHOP, name: 'ingot-redis-2' }, soon())
    await expect(other).rejects.toThrow('only pods of the chart ingot')
  })

  test('creates network policies with names of its own only', async () => {
    const policy = (name: string) => ({ metadata: { namespace: SHOP, name }, spec: { podSelector: {} } })
    await drill.create(POLICIES, policy('ingot-drill-one'), soon())
    await drill.delete(POLICIES, { namespace: SHOP, name: 'ingot-drill-one' }, soon())
    await expect(drill.create(POLICIES, policy('ingot-default'), soon())).rejects.toThrow('whose names begin')
    await installed.admin.create(POLICIES, policy('ingot-redis'), soon())
    const removal = drill.delete(POLICIES, { namespace: SHOP, name: 'ingot-redis' }, soon())
    await expect(removal).rejects.toThrow('whose names begin')
  })

  test('reads no Secret and creates no pod', async () => {
    await expect(drill.get(RESOURCES.secrets, { namespace: SHOP, name: 'ingot-redis' }, soon())).rejects.toThrow('403')
    const pod = {
      metadata: { namespace: SHOP, name: 'ingot-redis-9' },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    }
    await expect(drill.create(PODS, pod, soon())).rejects.toThrow('403')
  })
})

test('the operator creates and deletes Jobs of drills only', async () => {
  const job = (name: string, serviceAccountName: string) => {
    const spec = { serviceAccountName, restartPolicy: 'Never', containers: [{ name: 'a', image: 'a' }] }
    return { metadata: { namespace: SHOP, name }, spec: { template: { spec } } }
  }
  await operator.create(JOBS, job('one', 'ingot-drill'), soon())
  await operator.delete(JOBS, { namespace: SHOP, name: 'one' }, soon(), 'foreground')
  await expect(operator.create(JOBS, job('two', 'default'), soon())).rejects.toThrow('only Jobs with the account')
  await installed.admin.create(JOBS, job('two', 'default'), soon())
  await expect(operator.delete(JOBS, { namespace: SHOP, name: 'two' }, soon())).rejects.toThrow(
    'only Jobs with the account',
  )
})
