/** The part of the report about Redis. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { type Facts, isReady, livePods, mainContainer, variableOf } from '../facts.ts'
import { isTrueAt, listAt, numberAt, textAt } from '../json.ts'
import { modeOf, sentinelSet, topologyOf, unwishedConditions } from '../topology.ts'
import type { LastFailover, Primary, Redis, RedisServer, Sentinels } from './report.ts'

const SLOTS = 16_384
/** The label by which the operator marks the role of a pod. */
const ROLE_LABEL = 'ingot.dev/role'

/** Returns undefined if Redis is outside the release. */
export function redisOf(facts: Facts): Redis | undefined {
  const mode = modeOf(facts)
  if (mode === 'external') return undefined
  const topology = topologyOf(facts)
  const pods = livePods(facts, 'redis')
  const isReported = listAt(topology, 'status', 'servers').length > 0
  const servers = isReported ? reportedServers(topology, pods) : pods.map(labelledServer)
  const hasRoles = servers.some(({ role }) => role !== 'unknown')
  const slots = servers.reduce((sum, { slots: own = 0 }) => sum + own, 0)
  const lastFailover = failoverOf(topology)
  return {
    mode,
    source: isReported ? 'RedisTopology' : hasRoles ? 'labels' : 'none',
    ...(topology === undefined ? {} : { topology: topology.metadata.name }),
    primaries: isReported ? reportedPrimaries(topology) : labelledPrimaries(servers),
    servers,
    ...(mode === 'sentinel' ? { sentinels: sentinelsOf(facts, topology) } : {}),
    ...(mode === 'cluster' && isReported ? { slots: { served: slots, total: SLOTS } } : {}),
    ...(lastFailover === undefined ? {} : { lastFailover }),
    conditions: unwishedConditions(topology),
  }
}

function reportedServers(topology: KubeObject | undefined, pods: readonly KubeObject[]): readonly RedisServer[] {
  return listAt(topology, 'status', 'servers').map((server) => {
    const name = textAt(server, 'pod')
    const role = textAt(server, 'role')
    const pod = pods.find(({ metadata }) => metadata.name === name)
    return {
      pod: name,
      role: role === 'primary' || role === 'replica' ? role : 'unknown',
      ready: pod !== undefined && isReady(pod),
      ...(role === 'replica' ? { linked: isTrueAt(server, 'linked') } : {}),
      ...numbersOf(server, ['offset', 'lagBytes', 'slots']),
    }
  })
}

function labelledServer(pod: KubeObject): RedisServer {
  const label = pod.metadata.labels?.[ROLE_LABEL]
  const role = label === 'primary' || label === 'replica' ? label : 'unknown'
  return { pod: pod.metadata.name, role, ready: isReady(pod) }
}

function reportedPrimaries(topology: KubeObject | undefined): readonly Primary[] {
  return listAt(topology, 'status', 'primaries').map((primary) => ({
    shard: numberAt(primary, 'shard') ?? 0,
    pod: textAt(primary, 'pod'),
    since: textAt(primary, 'since'),
  }))
}

function labelledPrimaries(servers: readonly RedisServer[]): readonly Primary[] {
  return servers.filter(({ role }) => role === 'primary').map(({ pod }, shard) => ({ shard, pod }))
}

function sentinelsOf(facts: Facts, topology: KubeObject | undefined): Sentinels {
  const set = sentinelSet(facts)
  const quorum = numberAt(topology, 'spec', 'sentinel', 'quorum') ?? quorumOf(set)
  const seen = ['status', 'sentinels'] as const
  const isSeen = numberAt(topology, ...seen, 'reachable') !== undefined
  return {
    wanted: numberAt(set, 'spec', 'replicas') ?? numberAt(topology, 'spec', 'sentinel', 'replicas') ?? 0,
    ready: livePods(facts, 'sentinel').filter(isReady).length,
    ...(quorum === undefined ? {} : { quorum }),
    ...numbersOf(topology?.['status'], ['agreed', 'reachable', 'known'], 'sentinels'),
    ...(isSeen ? { canFailOver: isTrueAt(topology, ...seen, 'canFailOver') } : {}),
  }
}

/** Returns the quorum that the chart gives to the Sentinels. */
export function quorumOf(set: KubeObject | undefined): number | undefined {
  const quorum = Number.parseInt(set === undefined ? '' : variableOf(mainContainer(set), 'QUORUM'), 10)
  return Number.isNaN(quorum) ? undefined : quorum
}

function failoverOf(topology: KubeObject | undefined): LastFailover | undefined {
  const at = ['status', 'lastFailover'] as const
  if (textAt(topology, ...at, 'at') === '') return undefined
  const writeGapMs = numberAt(topology, ...at, 'writeGapMs')
  return {
    at: textAt(topology, ...at, 'at'),
    from: textAt(topology, ...at, 'from'),
    to: textAt(topology, ...at, 'to'),
    planned: isTrueAt(topology, ...at, 'planned'),
    ...(writeGapMs === undefined ? {} : { writeGapMs }),
    reason: textAt(topology, ...at, 'reason'),
  }
}

function numbersOf<Name extends string>(
  value: unknown,
  names: readonly Name[],
  ...path: readonly string[]
): { readonly [name in Name]?: number } {
  const numbers: { [name in Name]?: number } = {}
  for (const name of names) {
    const number = numberAt(value, ...path, name)
    if (number !== undefined) numbers[name] = number
  }
  return numbers
}
