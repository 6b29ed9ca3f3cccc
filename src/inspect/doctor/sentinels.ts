/** Checks of the Sentinels: their number, their quorum, and what they know. Pure. */
import type { Facts } from '../facts.ts'
import { numberAt } from '../json.ts'
import { quorumOf } from '../status/redis.ts'
import { modeOf, sentinelSet, topologyOf } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

interface Deployed {
  readonly subject: string
  readonly replicas: number
  readonly quorum: number
}

/** Returns undefined without Sentinels. */
function deployed(facts: Facts): Deployed | undefined {
  const set = sentinelSet(facts)
  if (set === undefined || modeOf(facts) !== 'sentinel') return undefined
  const replicas = numberAt(set, 'spec', 'replicas') ?? 1
  const quorum = quorumOf(set) ?? numberAt(topologyOf(facts), 'spec', 'sentinel', 'quorum') ?? 0
  return { subject: `statefulset/${set.metadata.name}`, replicas, quorum }
}

const majorityOf = (count: number): number => Math.floor(count / 2) + 1

function whereSentinels(facts: Facts, see: (deployed: Deployed) => readonly Seen[]): readonly Seen[] {
  const found = deployed(facts)
  return found === undefined ? [] : see(found)
}

/** What the Sentinels report, by the status of the RedisTopology. */
function reported(facts: Facts, field: 'agreed' | 'reachable' | 'known'): number | undefined {
  return numberAt(topologyOf(facts), 'status', 'sentinels', field)
}

export const SENTINEL_CHECKS: readonly Check[] = [
  {
    code: 'QUORUM_ABOVE_SENTINELS',
    severity: 'error',
    needs: ['statefulSets'],
    remedy: 'no failover can begin: set redis.sentinel.quorum to a majority of the Sentinels, such as 2 of 3',
    find: (facts) =>
      whereSentinels(facts, ({ subject, replicas, quorum }) =>
        seenIf(quorum > replicas, subject, `the quorum is ${quorum}, and there are ${replicas} Sentinels`),
      ),
  },
  {
    code: 'QUORUM_BELOW_MAJORITY',
    severity: 'warning',
    needs: ['statefulSets'],
    remedy: 'a minority declares the primary down: set redis.sentinel.quorum to a majority of the Sentinels',
    find: (facts) =>
      whereSentinels(facts, ({ subject, replicas, quorum }) =>
        seenIf(
          quorum < majorityOf(replicas),
          subject,
          `the quorum is ${quorum}, below the majority ${majorityOf(replicas)} of ${replicas} Sentinels`,
        ),
      ),
  },
  {
    code: 'SENTINELS_EVEN',
    severity: 'warning',
    needs: ['statefulSets'],
    remedy:
      'use an odd number, redis.sentinel.replicas=3 or 5: one more Sentinel than an odd number tolerates no more losses',
    find: (facts) =>
      whereSentinels(facts, ({ subject, replicas }) =>
        seenIf(replicas % 2 === 0, subject, `there are ${replicas} Sentinels, an even number`),
      ),
  },
  {
    code: 'SENTINELS_STALE',
    severity: 'error',
    needs: ['statefulSets', 'topologies'],
    remedy:
      'departed Sentinels count for the majority: let the operator heal (policy Heal), or send SENTINEL RESET to one Sentinel after the other, 30 s apart',
    find: (facts) =>
      whereSentinels(facts, ({ subject, replicas }) => {
        const known = reported(facts, 'known') ?? 0
        return seenIf(known > replicas, subject, `the Sentinels know ${known} of them, and ${replicas} are deployed`)
      }),
  },
  {
    code: 'SENTINELS_DISAGREE',
    severity: 'error',
    needs: ['statefulSets', 'topologies'],
    remedy: 'wait for the end of a failover; if it stays, compare SENTINEL MASTER of each Sentinel, and see RUNBOOK.md',
    find: (facts) =>
      whereSentinels(facts, ({ subject }) => {
        const [agreed, reachable] = [reported(facts, 'agreed') ?? 0, reported(facts, 'reachable') ?? 0]
        return seenIf(
          agreed < reachable,
          subject,
          `${agreed} of ${reachable} reachable Sentinels name the same primary`,
        )
      }),
  },
  {
    code: 'SENTINELS_UNREACHABLE',
    severity: 'error',
    needs: ['statefulSets', 'topologies'],
    remedy: 'look at the pods that are not ready, and at the network policies between operator and Sentinels',
    find: (facts) =>
      whereSentinels(facts, ({ subject, replicas }) => {
        const reachable = reported(facts, 'reachable') ?? replicas
        return seenIf(reachable < replicas, subject, `${reachable} of ${replicas} Sentinels respond to the operator`)
      }),
  },
]
