/**
 * Drills on a real API server with its controllers, and the controllers of the operator. There are no nodes: tests write
 * the status of pods as a kubelet would, and that of drills as a runner would.
 */
import { type DrillFacts, drillStatus } from '../../drill/spec/conditions.ts'
import { DRILL_SCHEDULES, FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { DrillStatus } from '../../drill/spec/status.ts'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { DEFINITIONS, definitionOf } from '../../kube/crd/definition.ts'
import { createEventRecorder } from '../../kube/runtime/event-recorder.ts'
import { createInformer } from '../../kube/runtime/informer.ts'
import { unmeasuredRuntime } from '../../kube/runtime/measures.ts'
import { UNDO_FINALIZER } from '../../operator/drills/drill-object.ts'
import { unmeasuredDrills } from '../../operator/drills/measures.ts'
import { ACCOUNTS, DEPLOYMENTS } from '../../operator/drills/release.ts'
import { createDrillWork } from '../../operator/drills/work.ts'
import { DRILL_UID_LABEL, JOBS, ROLE_LABEL } from '../../operator/drills/workers.ts'
import { DRILL_SCHEDULE } from '../../operator/kinds/drill-schedule.ts'
import { FAILOVER_DRILL } from '../../operator/kinds/failover-drill.ts'
import { PODS } from '../../operator/topology/pods.ts'
import { type Clock, systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { untilTrue } from '../../std/until.ts'
import { silentLog } from '../../telemetry/log.ts'
import type { Absent } from '../present.ts'
import { startBareApiServer } from './bare-api-server.ts'

export const NAMESPACES: Resource = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
}
const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }
const SOON = { withinMs: 40_000, everyMs: 50 }
export const soon = (): AbortSignal => AbortSignal.timeout(20_000)

/** Drills of one namespace. */
export interface DrillNamespace {
  readonly namespace: string
  /** Creates the Deployment and, by default, the ServiceAccount of a release. */
  install(release: string, parts?: { readonly account?: boolean }): Promise<void>
  create(name: string, spec?: object): Promise<KubeObject>
  get(name: string): Promise<(KubeObject & { readonly status?: DrillStatus }) | undefined>
  /** Resolves with the status when it has these members. */
  untilStatus(name: string, wanted: Partial<DrillStatus>): Promise<DrillStatus>
  untilGone(name: string): Promise<void>
  /** Writes the status as the runner does, with its finalizer. */
  report(name: string, facts: DrillFacts): Promise<void>
  /** Resolves with the pod of the latest Job of the drill with this role. */
  pod(name: string, role: 'runner' | 'undo'): Promise<KubeObject>
  jobs(name: string, role: 'runner' | 'undo'): Promise<readonly KubeObject[]>
  /** Ends the pod as a kubelet does. */
  endPod(pod: KubeObject, exitCode: number, reason?: string): Promise<void>
  /** Resolves when the annotation `ingot.dev/abort` has this value. */
  untilAbort(name: string, reason: string): Promise<void>
  reasonsOfEvents(): Promise<readonly string[]>
  label(labels: object, annotations?: object): Promise<void>
}

export interface OperatedDrills extends AsyncDisposable {
  readonly api: KubeApi
  /** Creates a namespace that allows drills. */
  namespace(): Promise<DrillNamespace>
  /** Starts the controllers. Resolves with a function that ends them. */
  operate(options?: { readonly isDisabled?: boolean }): () => Promise<void>
  /** Sets the clock of the operator ahead. */
  advance(ms: number): void
}

export async function startOperatedDrills(): Promise<OperatedDrills | Absent> {
  const kube = await startBareApiServer({ controllers: true })
  if ('absent' in kube) return kube
  const scope = createScope()
  scope.defer(() => kube[Symbol.asyncDispose]())
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: kube.kubeconfig })
  scope.defer(() => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  for (const kind of [FAILOVER_DRILL, DRILL_SCHEDULE]) await api.apply(DEFINITIONS, definitionOf(kind, '0.1.0'), soon())
  const isServed = async (resource: Resource): Promise<boolean> =>
    (await api.list(resource, {}, soon())).items.length === 0
  await untilTrue('the kinds', async () => (await isServed(FAILOVER_DRILLS)) && isServed(DRILL_SCHEDULES), SOON)
  let aheadMs = 0
  let count = 0
  const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs }
  return {
    api,
    operate: ({ isDisabled = false } = {}) => operate(api, clock, isDisabled),
    advance: (ms) => void (aheadMs += ms),
    async namespace() {
      const name = `shop-${++count}`
      const labels = { 'ingot.dev/drills': 'allowed' }
      await api.apply(NAMESPACES, { metadata: { name, labels } }, soon())
      return namespaceOf(api, name)
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

function namespaceOf(api: KubeApi, namespace: string): DrillNamespace {
  const get = (name: string) => api.get(FAILOVER_DRILLS, { namespace, name }, soon())
  const present = async (name: string): Promise<KubeObject> => {
    const drill = await get(name)
    if (drill === undefined) throw new Error(`there is no drill ${name}`)
    return drill
  }
  async function workers(resource: Resource, name: string, role: string): Promise<readonly KubeObject[]> {
    const { uid } = (await present(name)).metadata
    const labelSelector = `${DRILL_UID_LABEL}=${uid},${ROLE_LABEL}=${role}`
    return (await api.list(resource, { namespace, labelSelector }, soon())).items
  }
  return {
    namespace,
    async install(release, { account = true } = {}) {
      await api.create(DEPLOYMENTS, deploymentOf(namespace, release), soon())
      if (account) await api.create(ACCOUNTS, { metadata: { namespace, name: `${release}-drill` } }, soon())
    },
    create: (name, spec = { target: { release: 'shop' }, scenario: 'D1' }) =>
      api.create(FAILOVER_DRILLS, { metadata: { namespace, name }, spec }, soon()),
    get,
    async untilStatus(name, wanted) {
      let status: DrillStatus = {}
      const isMet = async (): Promise<boolean> => {
        status = (await get(name))?.['status'] ?? {}
        return Object.entries(wanted).every(([member, value]) => status[member as keyof DrillStatus] === value)
      }
      try {
        await untilTrue(`${name} ${JSON.stringify(wanted)}`, isMet, SOON)
      } catch (cause) {
        throw new Error(`the status is ${JSON.stringify(status)}`, { cause })
      }
      return status
    },
    async untilGone(name) {
      await untilTrue(`${name} to be gone`, async () => (await get(name)) === undefined, SOON)
    },
    async report(name, facts) {
      const drill = await present(name)
      const before: DrillStatus = drill['status'] ?? {}
      const at = { namespace, name }
      const finalizers = (facts.undo ?? []).length > 0 ? [UNDO_FINALIZER] : []
      await api.patch(FAILOVER_DRILLS, at, { metadata: { finalizers } }, soon())
      const { conditions = [], observedGeneration: _generation, ...known } = before
      const moment = { generation: 1, wallMs: systemClock.wallMs() }
      await api.patchStatus(
        FAILOVER_DRILLS,
        at,
        { status: drillStatus({ ...known, ...facts }, conditions, moment) },
        soon(),
      )
    },
    async pod(name, role) {
      let pod: KubeObject | undefined
      const isThere = async (): Promise<boolean> => {
        const pods = await workers(PODS, name, role)
        pod = pods.find(({ metadata, status }) => metadata.deletionTimestamp === undefined && isPending(status))
        return pod !== undefined
      }
      await untilTrue(`a pod of the ${role} of ${name}`, isThere, SOON)
      if (pod === undefined) throw new Error('unreachable')
      return pod
    },
    jobs: (name, role) => workers(JOBS, name, role),
    async endPod({ metadata: { name } }, exitCode, reason = 'Error') {
      const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : reason }
      const phase = exitCode === 0 ? 'Succeeded' : 'Failed'
      const container = {
        name: 'runner',
        image: 'x',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated },
      }
      const status = { phase, containerStatuses: [container] }
      await api.patchStatus(PODS, { namespace, name }, { status }, soon())
    },
    async untilAbort(name, reason) {
      const isWritten = async () => (await get(name))?.metadata.annotations?.['ingot.dev/abort'] === reason
      await untilTrue(`the abort ${reason} of ${name}`, isWritten, SOON)
    },
    async reasonsOfEvents() {
      const { items } = await api.list(EVENTS, { namespace }, soon())
      return items.map((event) => String(event['reason']))
    },
    async label(labels, annotations = {}) {
      await api.patch(NAMESPACES, { name: namespace }, { metadata: { labels, annotations } }, soon())
    },
  }
}

function isPending(status: unknown): boolean {
  const { phase = 'Pending' } = (status ?? {}) as { readonly phase?: string }
  return phase === 'Pending'
}

function deploymentOf(namespace: string, release: string): KubeObject {
  const labels = {
    'app.kubernetes.io/name': 'ingot',
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/component': 'service',
  }
  const container = { name: 'ingot', image: 'ingot:0.1.0', env: [{ name: 'INGOT_STORE_URL', value: 'postgres://db' }] }
  return {
    metadata: { namespace, name: release, labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  }
}

function operate(api: KubeApi, clock: Clock, isDisabled: boolean): () => Promise<void> {
  const deps = { api, clock, random: Math.random, log: silentLog, measures: unmeasuredRuntime }
  const work = createDrillWork({
    ...deps,
    drillMeasures: unmeasuredDrills,
    isDisabled,
    informerOf: (resource, keep, labelSelector) => createInformer({ resource, keep, labelSelector }, deps),
  })
  const stop = new AbortController()
  const events = createEventRecorder({ ...deps, instance: 'test' })
  const running = Promise.all([
    ...work.caches.map((cache) => cache.run(stop.signal)),
    work.lead(api, events, stop.signal),
  ])
  return async () => {
    stop.abort(new Error('the test ended'))
    await running.catch(() => undefined)
  }
}
