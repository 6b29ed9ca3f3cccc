/** The operator with the account and the rights that the charts give it: each right is needed, and none is missing. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { DRILL_SCHEDULES, FAILOVER_DRILLS } from '../drill/spec/kinds.ts'
import type { KubeConnection } from '../kube/client/connection.ts'
import { createKubeConnection } from '../kube/client/connection.ts'
import { unmeasuredRuntime } from '../kube/runtime/measures.ts'
import { systemClock } from '../std/clock.ts'
import { createScope } from '../std/scope.ts'
import { untilTrue } from '../std/until.ts'
import { silentLog } from '../telemetry/log.ts'
import { startBareApiServer } from '../testing/kube/bare-api-server.ts'
import { type ChartServer, createChartServer, RESOURCES, soon } from '../testing/kube/installed-charts.ts'
import { createPods } from '../testing/kube/operated-topology.ts'
import {
  type AuthorizedRequest,
  authorizedRequests,
  OPERATOR_NAMESPACE,
  RELEASE_NAMESPACE,
  type RenderedCharts,
  renderCharts,
  unusedRights,
} from '../testing/kube/operator-rights.ts'
import { present } from '../testing/present.ts'
import { type SentinelServers, startSentinel } from '../testing/redis/servers.ts'
import { unmeasuredDrills } from './drills/measures.ts'
import { DEPLOYMENTS } from './drills/release.ts'
import { DRILL_UID_LABEL, JOBS, ROLE_LABEL } from './drills/workers.ts'
import { createOperator } from './operator.ts'
import { unmeasuredTopologies } from './topology/measures.ts'

const SOON = { withinMs: 60_000, everyMs: 200 }
const SHOP = RELEASE_NAMESPACE

const scope = createScope()
let absent: string | undefined
let charts: RenderedCharts
let installed: ChartServer
let servers: SentinelServers
const requests: AuthorizedRequest[] = []
const refused: string[] = []

beforeAll(async () => {
  const rendered = renderCharts({ release: ['drills.enabled=true'] })
  // without controllers, which would replace the pods of these tests
  const kube = await startBareApiServer()
  const redis = await startSentinel({ program: 'redis-server' })
  for (const one of [kube, redis]) if (!('absent' in one)) scope.defer(() => one[Symbol.asyncDispose]())
  if ('absent' in kube || 'absent' in redis || 'absent' in rendered) {
    absent = 'helm, redis-server and an API server are needed'
    return
  }
  charts = rendered
  servers = redis
  installed = createChartServer(kube.kubeconfig)
  scope.defer(() => installed[Symbol.dispose]())
  await installed.apply(charts.objects)
  await createPods(installed.admin, { namespace: SHOP, set: 'ingot-redis', component: 'redis', ports: servers.ports })
  await createPods(installed.admin, {
    namespace: SHOP,
    set: 'ingot-sentinel',
    component: 'sentinel',
    ports: servers.sentinels,
  })
  await admitOperator()
  scope.defer(await operate())
}, 400_000)
beforeEach(({ skip }) => void present(absent === undefined ? {} : { absent }, skip))
afterAll(() => scope.close())

/** Gives the servers the operator's user, with the password that the chart generated. */
async function admitOperator(): Promise<void> {
  const secret = await installed.admin.get(RESOURCES.secrets, { namespace: SHOP, name: 'ingot-redis' }, soon())
  const data = secret?.['data'] as Readonly<Record<string, string>>
  const password = Buffer.from(data['operator-password'] ?? '', 'base64').toString()
  for (const port of [...servers.ports, ...servers.sentinels]) {
    await servers.cli(port, 'acl', 'setuser', 'operator', 'on', `>${password}`, '+@all', '~*', '&*')
  }
}

/** Runs the operator with the token of its account. Resolves with a function that ends it. */
async function operate(): Promise<() => Promise<void>> {
  const kubeconfig = await installed.kubeconfigFor(OPERATOR_NAMESPACE, 'ingot-operator')
  const connection = createKubeConnection({ clock: systemClock, kubeconfig })
  const operator = createOperator({
    connection: recording(connection),
    leaseNamespace: OPERATOR_NAMESPACE,
    name: 'test',
    version: '0.1.0',
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    measures: unmeasuredRuntime,
    topologyMeasures: unmeasuredTopologies,
    drillMeasures: unmeasuredDrills,
  })
  const stop = new AbortController()
  const running = operator.run(stop.signal)
  return async () => {
    stop.abort(new Error('the test ended'))
    await running.catch(() => undefined)
    connection[Symbol.dispose]()
  }
}

function recording(connection: KubeConnection): KubeConnection {
  const record = (method: string, path: string, status: number): void => {
    requests.push(...authorizedRequests(method, path, status))
    if (status === 403) refused.push(`${method} ${path}`)
  }
  return {
    server: connection.server,
    namespace: connection.namespace,
    async send(request) {
      const response = await connection.send(request)
      record(request.method, request.path, response.status)
      return response
    },
    async open(request) {
      const stream = await connection.open(request)
      record(request.method, request.path, stream.status)
      return stream
    },
    exec: (request) => connection.exec(request),
    askPod: (request) => connection.askPod(request),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

async function isReady(wanted: string): Promise<boolean> {
  const at = { namespace: SHOP, name: 'ingot-redis' }
  const topology = await installed.admin.get(RESOURCES.topologies, at, soon())
  const status = topology?.['status'] as { conditions?: readonly { type: string; status: string }[] } | undefined
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === wanted) === true
}

const OWNED = (uid: string) => ({
  ownerReferences: [{ apiVersion: 'ingot.dev/v1alpha1', kind: 'DrillSchedule', name: 'often', uid, controller: true }],
})

/** Has a schedule start a drill whose runner dies, and delete an old one. */
async function drill(): Promise<void> {
  const { admin } = installed
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': 'ingot',
    'app.kubernetes.io/component': 'service',
  }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'ingot', image: 'ingot' }] } }
  const deployment = {
    metadata: { namespace: SHOP, name: 'ingot', labels },
    spec: { selector: { matchLabels: labels }, template },
  }
  await admin.patch(
    RESOURCES.namespaces,
    { name: SHOP },
    { metadata: { labels: { 'ingot.dev/drills': 'allowed' } } },
    soon(),
  )
  await admin.create(DEPLOYMENTS, deployment, soon())
  const spec = {
    schedule: '* * * * *',
    scenarios: ['D1'],
    failedHistoryLimit: 1,
    template: { spec: { target: { release: 'ingot' } } },
  }
  const at = { namespace: SHOP, name: 'often' }
  const { metadata } = await admin.create(DRILL_SCHEDULES, { metadata: at, spec }, soon())
  for (const name of ['old', 'older']) {
    const old = { namespace: SHOP, name, ...OWNED(metadata.uid ?? '') }
    await admin.create(
      FAILOVER_DRILLS,
      { metadata: old, spec: { target: { release: 'ingot' }, scenario: 'D1' } },
      soon(),
    )
    const status = { phase: 'Finished', verdict: 'Fail', finishedAt: `2026-01-0${name.length}T03:04:05Z` }
    await admin.patchStatus(FAILOVER_DRILLS, { namespace: SHOP, name }, { status }, soon())
  }
  await admin.patchStatus(DRILL_SCHEDULES, at, { status: { lastScheduled: '2026-01-02T03:04:05Z' } }, soon())
  const drills = async () => (await admin.list(FAILOVER_DRILLS, { namespace: SHOP }, soon())).items
  const jobs = async () => (await admin.list(JOBS, { namespace: SHOP }, soon())).items
  // the operator may write its status over the time above; then the next minute starts the drill
  await untilTrue('a Job of the runner', async () => (await jobs()).length > 0, { ...SOON, withinMs: 150_000 })
  const started = (await drills()).find((one) => one.metadata.name.startsWith('often-'))
  const name = started?.metadata.name ?? ''
  await admin.patch(FAILOVER_DRILLS, { namespace: SHOP, name }, { spec: { cancel: true } }, soon())
  const isAborting = async () =>
    (await drills()).some((one) => one.metadata.annotations?.['ingot.dev/abort'] === 'Cancelled')
  await untilTrue('the abort', isAborting, SOON)
  const pod = {
    namespace: SHOP,
    name: 'runner',
    labels: { [DRILL_UID_LABEL]: started?.metadata.uid ?? '', [ROLE_LABEL]: 'runner' },
  }
  await admin.create(
    RESOURCES.pods,
    { metadata: pod, spec: { containers: [{ name: 'runner', image: 'ingot' }] } },
    soon(),
  )
  await admin.applyStatus(RESOURCES.pods, { metadata: pod, status: { phase: 'Failed' } }, soon())
  const isOver = async () => (await drills()).some((one) => JSON.stringify(one['status']).includes('"Aborted"'))
  await untilTrue('the verdict', isOver, SOON)
  await untilTrue('the old drill to be deleted', async () => (await drills()).length < 3, SOON)
  await untilTrue('a free target', async () => requests.some(isFreed), SOON)
}

const isFreed = ({ verb, resource, name }: AuthorizedRequest): boolean =>
  verb === 'update' && resource === 'leases' && name === 'ingot-drill-ingot'

test('the rendered rights are enough to operate the rendered topology, and every one of them is used', async () => {
  await untilTrue('a ready topology', () => isReady('True'), SOON)
  // an event that repeats after ten seconds is counted on
  const [, replica = 0] = servers.ports
  for (let time = 0; time < 2; time++) {
    await servers.signal(replica, 'STOP')
    await untilTrue('a server that is missing', () => isReady('False'), SOON)
    await systemClock.sleep(6_000)
    await servers.signal(replica, 'CONT')
    await untilTrue('a ready topology', () => isReady('True'), SOON)
  }
  await untilTrue('a renewed Lease', async () => requests.some(({ verb }) => verb === 'update'), SOON)
  await drill()
  expect(refused).toEqual([])
  expect(unusedRights(charts.rights, requests)).toEqual([])
}, 400_000)
