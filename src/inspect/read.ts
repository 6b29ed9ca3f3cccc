/** Reads what the plugin shows of a release from the API server. A part that cannot be read does not stop the others. */
import { apiError, isKubeError, type KubeApi } from '../kube/client/api.ts'
import { isKubeObject, jsonOf, type KubeObject, pathOf } from '../kube/client/resource.ts'
import { DEFINITIONS } from '../kube/crd/definition.ts'
import { LEASES } from '../kube/runtime/leadership-term.ts'
import type { Clock } from '../std/clock.ts'
import { type Facts, livePods, type NamedSecret, type PodMetrics, type Read, valueOr } from './facts.ts'
import { listAt, textAt } from './json.ts'
import { KINDS, type Part, SECRETS, TOPOLOGIES } from './kinds.ts'
import { OPERATOR } from './operator-presence.ts'
import { attempt, portOf } from './reading.ts'
import { secretNamesOf } from './secret-names.ts'
import { readStates } from './states.ts'

export interface ReadOptions {
  readonly api: KubeApi
  readonly namespace: string
  readonly release: string
  readonly version: string
  readonly clock: Clock
  /** `topology`: workloads, pods and the RedisTopology. `status` adds the states of the replicas, `all` what doctor and bundle need. */
  readonly depth: 'topology' | 'status' | 'all'
  /** Token for the API of the replicas, with the right `observe`. Default: that of the release's Secret. */
  readonly token?: string | undefined
  readonly signal: AbortSignal
}

const STATUS_PARTS: ReadonlySet<Part> = new Set(['deployments', 'statefulSets', 'pods', 'configMaps'])
/** Where the chart of the operator is installed by default. */
const OPERATOR_NAMESPACE = 'ingot-system'

export async function readFacts(options: ReadOptions): Promise<Facts> {
  const { api, namespace, release, version, clock, depth, signal } = options
  const labelSelector = `app.kubernetes.io/instance=${release},app.kubernetes.io/part-of=ingot`
  const list = async (part: Part): Promise<Read<readonly KubeObject[]>> =>
    depth === 'all' || STATUS_PARTS.has(part)
      ? attempt(async () => (await api.list(KINDS[part], { namespace, labelSelector }, signal)).items, signal)
      : { kind: 'read', value: [] }
  const nothing = { kind: 'read', value: undefined } as const
  const [objects, topologies, leases, operators, definition] = await Promise.all([
    partsBy(list),
    attempt(() => topologiesIn(api, namespace, signal), signal),
    attempt(() => leasesOf(api, namespace, signal), signal),
    depth === 'all' ? attempt(() => operatorsOf(api, signal), signal) : ({ kind: 'read', value: [] } as const),
    depth === 'all'
      ? attempt(() => api.get(DEFINITIONS, { name: `${TOPOLOGIES.plural}.${TOPOLOGIES.group}` }, signal), signal)
      : nothing,
  ])
  const base = { namespace, release, version, objects, topologies, leases, operators, definition }
  const noStates = { kind: 'read', value: [] } as const
  const facts: Facts = { ...base, nowMs: clock.wallMs(), secrets: [], metrics: [], states: noStates }
  const [secrets, states] = await Promise.all([
    depth === 'all' ? readSecrets(api, facts, signal) : [],
    depth === 'status' ? readStates({ api, facts, token: options.token, signal }) : noStates,
  ])
  const metrics = depth === 'topology' ? [] : await readMetrics(api, { ...facts, states }, signal)
  return { ...facts, secrets, metrics, states }
}

async function partsBy(list: (part: Part) => Promise<Read<readonly KubeObject[]>>): Promise<Facts['objects']> {
  const [deployments, statefulSets, pods, services, configMaps] = await Promise.all([
    list('deployments'),
    list('statefulSets'),
    list('pods'),
    list('services'),
    list('configMaps'),
  ])
  const [budgets, autoscalers, networkPolicies, claims] = await Promise.all([
    list('budgets'),
    list('autoscalers'),
    list('networkPolicies'),
    list('claims'),
  ])
  return {
    deployments,
    statefulSets,
    pods,
    services,
    configMaps,
    budgets,
    autoscalers,
    networkPolicies,
    claims,
  }
}

/** Resolves with undefined if the kind is not installed: the API server then knows no such path. */
async function topologiesIn(
  api: KubeApi,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly KubeObject[] | undefined> {
  try {
    return (await api.list(TOPOLOGIES, { namespace }, signal)).items
  } catch (failure) {
    if (isKubeError(failure, 'KUBE_NOT_FOUND')) return undefined
    throw failure
  }
}

/** Lists the Leases of all namespaces; without the right to do so, looks where the operator usually is. */
async function leasesOf(api: KubeApi, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const path = `${pathOf(LEASES)}?fieldSelector=${encodeURIComponent(`metadata.name=${OPERATOR}`)}`
  const { status, body } = await api.connection.send({ method: 'GET', path, signal })
  const found = status === 200 ? listAt(jsonOf(body), 'items').filter(isKubeObject) : []
  const named = found.filter(({ metadata }) => metadata.name === OPERATOR)
  if (named.length > 0) return named
  const near = await Promise.all(
    [...new Set([OPERATOR_NAMESPACE, namespace])].map((at) =>
      api.get(LEASES, { namespace: at, name: OPERATOR }, signal),
    ),
  )
  const seen = near.filter((lease) => lease !== undefined)
  // an operator in another namespace cannot be ruled out
  if (seen.length === 0 && status !== 200) throw apiError(status, `GET ${pathOf(LEASES)}: ${status}`)
  return seen
}

async function operatorsOf(api: KubeApi, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const labelSelector = `app.kubernetes.io/name=${OPERATOR}`
  return (await api.list(KINDS.deployments, { labelSelector }, signal)).items
}

function readSecrets(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<readonly NamedSecret[]> {
  const { namespace } = facts
  return Promise.all(
    secretNamesOf(facts).map(async (name) => ({
      name,
      secret: await attempt(() => api.get(SECRETS, { namespace, name }, signal), signal),
    })),
  )
}

/** A pod that hangs must not delay the others for long, in milliseconds. */
const METRICS_DEADLINE_MS = 3_000

/** Reads the metrics of the pods whose state is not known. The API server itself can forward this request. */
function readMetrics(api: KubeApi, facts: Facts, signal: AbortSignal): Promise<readonly PodMetrics[]> {
  const known = new Set(valueOr(facts.states, []).flatMap(({ pod, state }) => (state.kind === 'read' ? [pod] : [])))
  const running = livePods(facts, 'service').filter(
    (pod) => textAt(pod, 'status', 'phase') === 'Running' && !known.has(pod.metadata.name),
  )
  return Promise.all(
    running.map(async (pod) => {
      const { name } = pod.metadata
      const path = `${pathOf(KINDS.pods, { namespace: facts.namespace, name })}:${portOf(pod)}/proxy/metrics`
      const text = await attempt(() => textOf(api, path, signal), signal)
      return { pod: name, text }
    }),
  )
}

async function textOf({ connection }: KubeApi, path: string, signal: AbortSignal): Promise<string> {
  const { status, body } = await connection.send({ method: 'GET', path, signal, deadlineMs: METRICS_DEADLINE_MS })
  if (status === 200) return body
  throw new Error(`${status} ${textAt(jsonOf(body), 'message')}`.trim())
}
