/** The operator with the account and the rights that the charts give it: each right is needed, and none is missing. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
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
  const rendered = renderCharts()
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
}, 180_000)
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
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

async function isReady(wanted: string): Promise<boolean> {
  const at = { namespace: SHOP, name: 'ingot-redis' }
  const topology = await installed.admin.get(RESOURCES.topologies, at, soon())
  const status = topology?.['status'] as { conditions?: readonly { type: string; status: string }[] } | undefined
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === wanted) === true
}

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
  expect(refused).toEqual([])
  expect(unusedRights(charts.rights, requests)).toEqual([])
}, 180_000)
