/** Makes the report of `status` from facts. Pure. */
import { type Facts, objectsOf, unreadOf } from '../facts.ts'
import { type OperatorPresence, operatorPresence } from '../operator-presence.ts'
import { topologyOf } from '../topology.ts'
import { redisOf } from './redis.ts'
import type { Redis, Service, StatusReport, Store } from './report.ts'
import { serviceDeployment, serviceOf, storeOf } from './service.ts'

export function statusReport(facts: Facts): StatusReport {
  const presence = operatorPresence(facts)
  const redis = redisOf(facts)
  const service = serviceOf(facts)
  const store = storeOf(facts)
  const unknown = ESSENTIAL.filter((part) => facts.objects[part].kind === 'unread')
  const problems = [
    ...(unknown.length > 0
      ? [`the health is not known, because these could not be read: ${unknown.join(', ')}`]
      : podProblems(facts, { service, store, redis })),
    ...(redis?.conditions ?? []).map(
      ({ type, status, reason, message }) => `${type} is ${status} (${reason}): ${message}`,
    ),
    ...operatorProblems(presence, redis),
  ]
  return {
    kind: 'IngotStatus',
    version: 1,
    namespace: facts.namespace,
    release: facts.release,
    chart: serviceDeployment(facts)?.metadata.labels?.['helm.sh/chart'] ?? '',
    at: new Date(facts.nowMs).toISOString(),
    healthy: problems.length === 0,
    problems,
    operator: operatorOf(facts, presence, redis),
    ...(redis === undefined ? {} : { redis }),
    service,
    store,
    notRead: unreadOf(facts),
  }
}

/** Without these nothing can be said about health. */
const ESSENTIAL = ['deployments', 'statefulSets', 'pods'] as const

interface Seen {
  readonly service: Service
  readonly store: Store
  readonly redis: Redis | undefined
}

function podProblems(facts: Facts, { service, store, redis }: Seen): readonly string[] {
  return [
    ...(objectsOf(facts, 'deployments').length === 0 ? ['the Deployment of the service is not there'] : []),
    ...serviceProblems(service),
    ...(store.ready === false ? ['the Postgres of the release is not ready'] : []),
    ...(redis === undefined ? [] : redisProblems(redis)),
  ]
}

function serviceProblems({ wanted, ready, pods }: Service): readonly string[] {
  const open = pods.filter(({ breaker }) => breaker === 'open' || breaker === 'half-open')
  return [
    ...(ready < wanted ? [`the service has ${ready} of ${wanted} pods ready`] : []),
    ...pods.flatMap(({ pod, storeAvailable }) =>
      storeAvailable === false ? [`${pod}: its store is not available`] : [],
    ),
    ...open.map(({ pod, breaker }) => `${pod}: the circuit breaker of the locks is ${breaker}`),
  ]
}

function redisProblems(redis: Redis): readonly string[] {
  const { servers, sentinels } = redis
  const unready = servers.filter(({ ready }) => !ready)
  return [
    ...unready.map(({ pod }) => `${pod} is not ready`),
    ...primaryProblems(redis),
    ...(sentinels !== undefined && sentinels.ready < sentinels.wanted
      ? [`${sentinels.ready} of ${sentinels.wanted} Sentinels are ready`]
      : []),
  ]
}

function primaryProblems({ source, mode, primaries, servers, slots }: Redis): readonly string[] {
  if (servers.length === 0) return ['no Redis pod is there']
  if (source === 'none') return []
  if (primaries.length === 0) return ['no Redis server is primary']
  if (mode !== 'cluster' && primaries.length > 1) {
    return [`${primaries.length} Redis servers are primary: ${primaries.map(({ pod }) => pod).join(', ')}`]
  }
  if (slots !== undefined && slots.served < slots.total) return [`${slots.served} of ${slots.total} slots are served`]
  return []
}

/** Without a RedisTopology nothing depends on the operator. */
function operatorProblems(presence: OperatorPresence, redis: Redis | undefined): readonly string[] {
  if (redis?.topology === undefined || presence.kind === 'leading' || presence.kind === 'unknown') return []
  return [`no operator is at work, so the status of RedisTopology ${redis.topology} may be old`]
}

function operatorOf(facts: Facts, presence: OperatorPresence, redis: Redis | undefined): StatusReport['operator'] {
  const note = noteOf(facts, redis)
  return {
    state: presence.kind,
    ...(presence.kind === 'leading' || presence.kind === 'stale' ? { namespace: presence.namespace } : {}),
    ...(presence.kind === 'leading' ? { holder: presence.holder } : {}),
    ...(note === undefined ? {} : { note }),
  }
}

function noteOf(facts: Facts, redis: Redis | undefined): string | undefined {
  if (redis === undefined || facts.topologies.kind === 'unread') return undefined
  const from = redis.source === 'labels' ? 'role labels of the pods' : 'pods only, so roles and lag are unknown'
  if (facts.topologies.value === undefined) return `the kind RedisTopology is not installed; this is from ${from}`
  if (topologyOf(facts) === undefined) return `the release has no RedisTopology; this is from ${from}`
  if (redis.source !== 'RedisTopology') return `RedisTopology ${redis.topology} has no status yet; this is from ${from}`
  return undefined
}
