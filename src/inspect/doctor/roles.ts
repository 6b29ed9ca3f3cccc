/** Checks of the roles of Redis servers, and of differences between the release and its running servers. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import { containersOf, type Facts, livePods, mainContainer, objectsOf, ofComponent, variableOf } from '../facts.ts'
import { textAt } from '../json.ts'
import { redisOf } from '../status/redis.ts'
import type { Redis } from '../status/report.ts'
import { conditionsOf, modeOf, redisSet, sentinelSet, topologyOf } from '../topology.ts'
import { type Check, type Need, type Seen, seenIf } from './check.ts'

const NEEDS: readonly Need[] = ['statefulSets', 'pods', 'topologies']

/** The roles, if anything tells them. */
function withRoles(facts: Facts, see: (redis: Redis) => readonly Seen[]): readonly Seen[] {
  const redis = redisOf(facts)
  return redis === undefined || redis.source === 'none' ? [] : see(redis)
}

const subjectOf = ({ topology }: Redis): string =>
  topology === undefined ? 'the Redis pods' : `redistopology/${topology}`

function modeDifferences(facts: Facts): readonly Seen[] {
  const set = redisSet(facts)
  if (set === undefined) return []
  const mode = modeOf(facts)
  const subject = `statefulset/${set.metadata.name}`
  const declared = textAt(topologyOf(facts), 'spec', 'mode').toLowerCase()
  const others = livePods(facts, 'redis').filter((pod) => {
    const own = variableOf(mainContainer(pod), 'MODE')
    return own !== '' && own !== mode
  })
  const sentinels = sentinelSet(facts)
  return [
    ...seenIf(declared !== '' && declared !== mode, subject, `it has mode ${mode}, its RedisTopology ${declared}`),
    ...seenIf(others.length > 0, subject, `it has mode ${mode}, and these pods another one: ${namesOf(others)}`),
    ...seenIf(mode !== 'sentinel' && sentinels !== undefined, subject, `it has mode ${mode}, and there are Sentinels`),
  ]
}

const namesOf = (objects: readonly KubeObject[]): string => objects.map(({ metadata }) => metadata.name).join(', ')

/** Compares the shards that the chart wants with the primaries that have slots. */
function shardDifferences(facts: Facts): readonly Seen[] {
  const set = redisSet(facts)
  const redis = redisOf(facts)
  if (set === undefined || redis === undefined || redis.mode !== 'cluster' || redis.source !== 'RedisTopology')
    return []
  const annotation = set.metadata.annotations?.['ingot.dev/redis-primaries']
  const wanted = Number.parseInt(annotation ?? variableOf(mainContainer(set), 'CLUSTER_MASTERS'), 10)
  const real = redis.servers.filter(({ role, slots = 0 }) => role === 'primary' && slots > 0).length
  return seenIf(
    !Number.isNaN(wanted) && wanted !== real,
    `statefulset/${set.metadata.name}`,
    `redis.cluster.masters is ${wanted}, and ${real} primaries have slots`,
  )
}

/** Without a keeper nothing supervises the maintenance of the topology in a pod. */
function podsWithoutKeeper(facts: Facts): readonly Seen[] {
  const sets = ofComponent(objectsOf(facts, 'statefulSets'), 'redis')
  return sets.flatMap((set) => {
    const hasKeeper = containersOf(set).some((container) => textAt(container, 'name') === 'keeper')
    return seenIf(!hasKeeper, `statefulset/${set.metadata.name}`, 'its pods have no container "keeper"')
  })
}

export const ROLE_CHECKS: readonly Check[] = [
  {
    code: 'NO_PRIMARY',
    severity: 'error',
    needs: NEEDS,
    remedy:
      'no write is accepted: see RUNBOOK.md, look at FailoverPossible, at the Sentinels and at the logs of the keepers',
    find: (facts) =>
      withRoles(facts, (redis) => seenIf(redis.primaries.length === 0, subjectOf(redis), 'no server is primary')),
  },
  {
    code: 'SEVERAL_PRIMARIES',
    severity: 'error',
    needs: NEEDS,
    remedy: 'an isolated primary may still accept writes: let the operator heal (policy Heal), or see RUNBOOK.md',
    find: (facts) =>
      withRoles(facts, (redis) => {
        const names = redis.primaries.map(({ pod }) => pod)
        const several = redis.mode !== 'cluster' && names.length > 1
        return seenIf(several, subjectOf(redis), `these servers are primary: ${names.join(', ')}`)
      }),
  },
  {
    code: 'REPLICA_NOT_LINKED',
    severity: 'error',
    needs: NEEDS,
    remedy: 'it cannot be promoted: look at its log for the reason of the broken link (password, TLS, a full copy)',
    find: (facts) =>
      withRoles(facts, ({ servers }) =>
        servers.flatMap(({ pod, linked }) =>
          seenIf(linked === false, `pod/${pod}`, 'the replica is not connected to its primary, or copies its data'),
        ),
      ),
  },
  {
    code: 'SERVER_UNREACHABLE',
    severity: 'error',
    needs: NEEDS,
    remedy: 'look at the pod and its log, and at the network policies between operator and Redis',
    find: (facts) =>
      withRoles(facts, ({ servers, source }) =>
        servers.flatMap(({ pod, role }) =>
          seenIf(source === 'RedisTopology' && role === 'unknown', `pod/${pod}`, 'the server does not tell its role'),
        ),
      ),
  },
  {
    code: 'FAILOVER_IMPOSSIBLE',
    severity: 'error',
    needs: ['statefulSets', 'topologies'],
    remedy: 'the death of a primary now would end writes: repair what the message names before any maintenance',
    find(facts) {
      const topology = topologyOf(facts)
      if (textAt(topology, 'spec', 'mode') === 'Standalone') return []
      const possible = conditionsOf(topology).find(({ type }) => type === 'FailoverPossible')
      if (possible === undefined || possible.status === 'True') return []
      return [{ subject: `redistopology/${topology?.metadata.name}`, seen: `${possible.reason}: ${possible.message}` }]
    },
  },
  {
    code: 'SLOTS_MISSING',
    severity: 'error',
    needs: NEEDS,
    remedy: 'keys of these slots are refused: bring their servers back, or see RUNBOOK.md before any CLUSTER command',
    find: (facts) =>
      withRoles(facts, (redis) => {
        const { served, total } = redis.slots ?? { served: 0, total: 0 }
        return seenIf(served < total, subjectOf(redis), `${served} of ${total} slots are served`)
      }),
  },
  {
    code: 'SHARDS_DIFFER',
    severity: 'error',
    needs: NEEDS,
    remedy: 'the chart does not move slots: set redis.cluster.masters back to the number of primaries that have slots',
    find: shardDifferences,
  },
  {
    code: 'MODE_CHANGED',
    severity: 'error',
    needs: NEEDS,
    remedy:
      'a mode cannot change in place: roll back (helm rollback), and install a second release with the other mode',
    find: modeDifferences,
  },
  {
    code: 'KEEPER_MISSING',
    severity: 'warning',
    needs: ['statefulSets'],
    remedy: 'upgrade the chart: topology and passwords are then maintained by a container of their own',
    find: podsWithoutKeeper,
  },
]
