/** Checks of the settings of Redis: isolation, memory and durability. Pure. */
import { parseDurationMs } from '../../std/duration.ts'
import { type Facts, mainContainer, objectsOf, ofComponent } from '../facts.ts'
import { textAt, textsAt } from '../json.ts'
import { bytesOfQuantity, bytesOfRedisSize } from '../quantity.ts'
import { modeOf, redisSet } from '../topology.ts'
import { type Check, type Seen, seenIf } from './check.ts'

/** The default of `lockTtl`. */
const LEASE_MS = 10_000
/** The chart gives 70 % to data. The rest is for buffers of replicas and clients, and for a rewrite of the log. */
const DATA_SHARE = 0.8

interface Configured {
  readonly subject: string
  /** Lines of redis.conf; the last one of a name counts. */
  readonly settings: ReadonlyMap<string, string>
}

function configured(facts: Facts, see: (configured: Configured) => readonly Seen[]): readonly Seen[] {
  return ofComponent(objectsOf(facts, 'configMaps'), 'redis').flatMap((map) => {
    const text = textsAt(map, 'data')['redis.conf']
    if (text === undefined) return []
    const lines = text.split('\n').map((line) => /^\s*([\w-]+)\s+(.*)$/.exec(line))
    const settings = new Map(lines.flatMap((line) => (line === null ? [] : [[line[1] ?? '', line[2] ?? '']])))
    return see({ subject: `configmap/${map.metadata.name}`, settings })
  })
}

function leaseMs(facts: Facts): number {
  const texts = ofComponent(objectsOf(facts, 'configMaps'), 'service').map((map) => textsAt(map, 'data')['config.json'])
  const lease = texts.map((text) => /"lockTtl"\s*:\s*"([^"]+)"/.exec(text ?? '')?.[1]).find((one) => one !== undefined)
  return parseDurationMs(lease ?? '') ?? LEASE_MS
}

const isReplicated = (facts: Facts): boolean => ['sentinel', 'cluster'].includes(modeOf(facts))

function lagSeen(facts: Facts, { subject, settings }: Configured): readonly Seen[] {
  const seconds = Number(settings.get('min-replicas-max-lag') ?? 10)
  const lease = leaseMs(facts)
  return seenIf(
    isReplicated(facts) && seconds * 3_000 > lease,
    subject,
    `min-replicas-max-lag is ${seconds} s, more than a third of the lease of ${lease / 1_000} s`,
  )
}

function memorySeen(facts: Facts, { subject, settings }: Configured): readonly Seen[] {
  const set = redisSet(facts)
  const text = settings.get('maxmemory') ?? '0'
  const data = bytesOfRedisSize(text) ?? 0
  const limit = set === undefined ? '' : textAt(mainContainer(set), 'resources', 'limits', 'memory')
  const bytes = bytesOfQuantity(limit)
  if (bytes === undefined) return []
  if (data === 0) return [{ subject, seen: `maxmemory is not limited, and the container has ${limit}` }]
  return seenIf(data > bytes * DATA_SHARE, subject, `maxmemory is ${text}, more than 80 % of the limit ${limit}`)
}

export const SETTING_CHECKS: readonly Check[] = [
  {
    code: 'MAX_LAG_TOO_LONG',
    severity: 'error',
    needs: ['configMaps', 'statefulSets'],
    remedy:
      'an isolated primary grants locks for too long: set redis.minReplicasMaxLagSeconds to a third of lockTtl at most',
    find: (facts) => configured(facts, (conf) => lagSeen(facts, conf)),
  },
  {
    code: 'WRITES_WITHOUT_REPLICA',
    severity: 'warning',
    needs: ['configMaps', 'statefulSets'],
    remedy:
      'an isolated primary accepts writes that a failover loses: remove min-replicas-to-write from redis.extraConfig',
    find: (facts) =>
      configured(facts, ({ subject, settings }) =>
        seenIf(
          modeOf(facts) === 'sentinel' && settings.get('min-replicas-to-write') === '0',
          subject,
          'min-replicas-to-write is 0',
        ),
      ),
  },
  {
    code: 'MEMORY_NEAR_LIMIT',
    severity: 'error',
    needs: ['configMaps', 'statefulSets'],
    remedy:
      'the kernel ends Redis before it refuses writes: raise redis.resources.limits.memory, or lower redis.maxmemory',
    find: (facts) => configured(facts, (conf) => memorySeen(facts, conf)),
  },
  {
    code: 'EVICTION_ON',
    severity: 'error',
    needs: ['configMaps'],
    remedy: 'an evicted lock is granted twice: remove maxmemory-policy from redis.extraConfig',
    find: (facts) =>
      configured(facts, ({ subject, settings }) => {
        const policy = settings.get('maxmemory-policy') ?? 'noeviction'
        return seenIf(policy !== 'noeviction', subject, `maxmemory-policy is ${policy}`)
      }),
  },
]
