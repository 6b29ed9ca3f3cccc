/** The pods, workloads and nodes of one release: reads them, and changes them as a drill needs it. */
import { IngotError } from '../errors/error.ts'
import { apiError, isKubeError, type KubeApi } from './client/api.ts'
import { jsonOf, type KubeObject, type Location, pathOf, type Resource } from './client/resource.ts'
import { type Node, nodesOf, type Pod, podsOf } from './pods.ts'

export const PODS: Resource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }
export const NODES: Resource = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false }
const DEPLOYMENTS: Resource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
}
const STATEFUL_SETS: Resource = { ...DEPLOYMENTS, kind: 'StatefulSet', plural: 'statefulsets' }

/** A Deployment or StatefulSet. */
export interface Workload {
  readonly kind: 'Deployment' | 'StatefulSet'
  readonly name: string
  readonly component: string
  readonly replicas: number
  readonly object: KubeObject
}

export interface ExecOptions {
  readonly signal: AbortSignal
  /** Longest time of the command, in milliseconds. Default: 60000. */
  readonly timeoutMs?: number
}

export interface DeleteOptions {
  readonly signal: AbortSignal
  /** Default: that of the pod. 0 removes the pod at once. */
  readonly graceSeconds?: number
  /** The deletion is refused for another pod of the same name. */
  readonly uid?: string
}

/** Result of an eviction. A PodDisruptionBudget refuses it. */
export type Eviction = { readonly kind: 'evicted' } | { readonly kind: 'refused'; readonly why: string }

/** A release of the chart, and how to reach it. */
export interface Release {
  readonly api: KubeApi
  readonly namespace: string
  readonly release: string
}

/** Calls on single pods. */
export interface PodCalls {
  deletePod(name: string, options: DeleteOptions): Promise<void>
  evictPod(name: string, signal: AbortSignal): Promise<Eviction>
  /**
   * Runs a command in a container; `at` is `POD/CONTAINER`. Resolves with its standard output. Rejects with KUBE_UNREACHABLE
   * if it fails.
   */
  exec(at: string, command: readonly string[], options: ExecOptions): Promise<string>
  /** Adds or (by null) removes a label of a pod. */
  label(pod: string, name: string, value: string | null, signal: AbortSignal): Promise<void>
}

/** All calls reject with a code KUBE_*, and with the signal's reason. */
export interface Workloads extends Release, PodCalls {
  pods(signal: AbortSignal): Promise<readonly Pod[]>
  /** Resolves with all nodes. */
  nodes(signal: AbortSignal): Promise<readonly Node[]>
  /** Resolves with the Deployments and StatefulSets of the release. */
  workloads(signal: AbortSignal): Promise<readonly Workload[]>
  /** Changes the number of pods. */
  scale(workload: Workload, replicas: number, signal: AbortSignal): Promise<void>
  /** Changes the image of a container, or restarts the pods if `image` is absent. */
  roll(workload: Workload, image: string | undefined, signal: AbortSignal): Promise<void>
  cordon(node: string, isCordoned: boolean, signal: AbortSignal): Promise<void>
}

/** Returns the workloads of one release of the chart. */
export function createWorkloads({ api, namespace, release }: Release): Workloads {
  const labelSelector = `app.kubernetes.io/instance=${release},app.kubernetes.io/part-of=ingot`
  const at = (name: string) => ({ namespace, name })
  return {
    api,
    namespace,
    release,
    ...podCalls(api, at),
    pods: async (signal) => podsOf((await api.list(PODS, { namespace, labelSelector }, signal)).items),
    nodes: async (signal) => nodesOf((await api.list(NODES, {}, signal)).items),
    async workloads(signal) {
      const [deployments, sets] = await Promise.all(
        [DEPLOYMENTS, STATEFUL_SETS].map((resource) => api.list(resource, { namespace, labelSelector }, signal)),
      )
      return [
        ...(deployments?.items ?? []).map((object) => workloadOf('Deployment', object)),
        ...(sets?.items ?? []).map((object) => workloadOf('StatefulSet', object)),
      ]
    },
    async scale({ kind, name }, replicas, signal) {
      const path = pathOf(resourceOf(kind), { ...at(name), subresource: 'scale' })
      await send(api, { method: 'PATCH', path, body: { spec: { replicas } }, signal, contentType: MERGE })
    },
    async roll(workload, image, signal) {
      const template =
        image === undefined
          ? { metadata: { annotations: { [RESTARTED]: new Date().toISOString() } } }
          : { spec: { containers: [{ name: mainContainerOf(workload), image }] } }
      // a merge patch would replace the list of containers
      const contentType = 'application/strategic-merge-patch+json'
      const path = pathOf(resourceOf(workload.kind), at(workload.name))
      await send(api, { method: 'PATCH', path, body: { spec: { template } }, signal, contentType })
    },
    async cordon(node, isCordoned, signal) {
      await api.patch(NODES, { name: node }, { spec: { unschedulable: isCordoned ? true : null } }, signal)
    },
  }
}

function podCalls(api: KubeApi, at: (name: string) => Location & { readonly namespace: string }): PodCalls {
  return {
    async deletePod(name, { signal, graceSeconds, uid }) {
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      }
      await send(api, { method: 'DELETE', path: pathOf(PODS, at(name)), body, signal })
    },
    async evictPod(name, signal) {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: at(name) }
      const path = pathOf(PODS, { ...at(name), subresource: 'eviction' })
      const { status, body: text } = await api.connection.send({ method: 'POST', path, body, signal })
      if (status < 300) return { kind: 'evicted' }
      const why = messageIn(text)
      if (status === 429) return { kind: 'refused', why }
      throw apiError(status, `POST ${path}: ${status} ${why}`)
    },
    async exec(place, command, { signal, timeoutMs }) {
      const [pod = '', container = ''] = place.split('/')
      const deadline = timeoutMs === undefined ? {} : { deadlineMs: timeoutMs }
      const { code, stdout, stderr } = await api.connection.exec({
        namespace: at(pod).namespace,
        pod,
        container,
        command,
        signal,
        ...deadline,
      })
      if (code === 0) return stdout
      throw new IngotError(
        'KUBE_UNREACHABLE',
        `a command in ${place} ended with ${code}: ${stderr.trim() || stdout.trim()}`,
      )
    },
    async label(pod, name, value, signal) {
      await api.patch(PODS, at(pod), { metadata: { labels: { [name]: value } } }, signal)
    },
  }
}

const MERGE = 'application/merge-patch+json'
/** The annotation of `kubectl rollout restart`. */
const RESTARTED = 'kubectl.kubernetes.io/restartedAt'

const resourceOf = (kind: Workload['kind']): Resource => (kind === 'Deployment' ? DEPLOYMENTS : STATEFUL_SETS)

function workloadOf(kind: Workload['kind'], object: KubeObject): Workload {
  const { name, labels } = object.metadata
  const spec = memberOf(object, 'spec')
  const replicas = memberOf(spec, 'replicas')
  const component = labels?.['app.kubernetes.io/component'] ?? ''
  return { kind, name, component, replicas: typeof replicas === 'number' ? replicas : 1, object }
}

/** Returns the first container of the pods of a workload. */
export function containerOf({ object }: Workload): Readonly<Record<string, unknown>> {
  const containers = memberOf(memberOf(memberOf(memberOf(object, 'spec'), 'template'), 'spec'), 'containers')
  const first: unknown = Array.isArray(containers) ? containers[0] : undefined
  return typeof first === 'object' && first !== null ? { ...first } : {}
}

/** Returns true if the controller has replaced all pods, and all of them are ready. */
export function isRolledOut({ object }: Workload): boolean {
  const status = memberOf(object, 'status')
  const replicas = memberOf(memberOf(object, 'spec'), 'replicas') ?? 1
  const counts = ['replicas', 'updatedReplicas', 'readyReplicas'].map((name) => memberOf(status, name) ?? 0)
  return (
    memberOf(status, 'observedGeneration') === object.metadata.generation && counts.every((one) => one === replicas)
  )
}

function mainContainerOf(workload: Workload): string {
  return String(containerOf(workload)['name'])
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined
}

async function send(api: KubeApi, request: Parameters<KubeApi['connection']['send']>[0]): Promise<void> {
  const { status, body } = await api.connection.send(request)
  if (status >= 300) throw apiError(status, `${request.method} ${request.path}: ${status} ${messageIn(body)}`)
}

function messageIn(body: string): string {
  const message = memberOf(jsonOf(body), 'message')
  return typeof message === 'string' ? message : ''
}

/** Returns true if the object is gone, or is another one than was meant. */
export function isGone(failure: unknown): boolean {
  return isKubeError(failure, 'KUBE_NOT_FOUND') || isKubeError(failure, 'KUBE_CONFLICT')
}
