/**
 * Whether a server may keep locks, judged by what it says of itself (INFO). A setting that would lose a lock in
 * ordinary service refuses the start; one that only widens what a failover may lose is a warning.
 */
import type { RedisTopology } from './topology.ts'

export interface Judgement {
  readonly refusals: readonly string[]
  readonly warnings: readonly string[]
}

type Facts = ReadonlyMap<string, string>
type Rule = (facts: Facts, kind: RedisTopology['kind']) => string | undefined

const MIN_MAJOR = 7

/** The fields of an INFO answer. */
export function parseInfo(text: string): Facts {
  const lines = text.split('\r\n').filter((line) => line.includes(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const))
}

const REFUSE: readonly Rule[] = [
  (facts) => {
    const version = facts.get('redis_version') ?? 'unknown'
    if (Number.parseInt(version, 10) >= MIN_MAJOR) return undefined
    return `its version is ${version}; sharded pub/sub needs Redis ${MIN_MAJOR} or later`
  },
  (facts) => (facts.get('role') === 'master' ? undefined : `its role is ${facts.get('role')}, locks need a master`),
  (facts) => {
    const policy = facts.get('maxmemory_policy') ?? 'noeviction'
    if (policy === 'noeviction' || (facts.get('maxmemory') ?? '0') === '0') return undefined
    return `maxmemory-policy is ${policy}: it would evict locks. Set noeviction, and keep caches elsewhere`
  },
  (facts, kind) => {
    const clustered = facts.get('cluster_enabled') === '1'
    if (clustered === (kind === 'cluster')) return undefined
    return clustered ? 'it is part of a cluster: use redis+cluster://' : 'it is no cluster: use another scheme'
  },
]

const WARN: readonly Rule[] = [
  (facts) => {
    const policy = facts.get('maxmemory_policy') ?? 'noeviction'
    return policy === 'noeviction' || (facts.get('maxmemory') ?? '0') !== '0'
      ? undefined
      : `maxmemory-policy is ${policy}: a memory limit set later would evict locks`
  },
  (facts, kind) =>
    (kind !== 'sentinel' && kind !== 'cluster') || facts.has('min_slaves_good_slaves')
      ? undefined
      : 'min-replicas-to-write is 0: a master cut off from its replicas goes on granting locks that its successor forgets',
  (facts, kind) =>
    kind === 'independent' && facts.get('aof_enabled') !== '1'
      ? 'appendonly is off: after a restart it votes again for keys that are still held'
      : undefined,
]

export function judgeServer(info: string, kind: RedisTopology['kind']): Judgement {
  const facts = parseInfo(info)
  const apply = (rules: readonly Rule[]): string[] => rules.flatMap((rule) => rule(facts, kind) ?? [])
  return { refusals: apply(REFUSE), warnings: apply(WARN) }
}
