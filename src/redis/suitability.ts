/**
 * Decides from INFO whether a server is suitable for locks or for a cache. A setting that loses locks in normal operation is
 * a refusal. A setting that only increases the losses of a failover is a warning. A cache may lose data at any time, but
 * its server should evict keys by itself.
 */
import type { RedisTopology } from './redis-url.ts'
import { type InfoFields, parseInfo } from './topology/info.ts'

export interface Judgement {
  readonly refusals: readonly string[]
  readonly warnings: readonly string[]
}

/** Purpose of the server. */
export type Purpose = 'locks' | 'cache'

type Rule = (facts: InfoFields, kind: RedisTopology['kind']) => string | undefined

const MIN_MAJOR = 7

const REFUSE: readonly Rule[] = [
  (facts) => {
    const version = facts.get('redis_version') ?? 'unknown'
    if (Number.parseInt(version, 10) >= MIN_MAJOR) return undefined
    return `its version is ${version}; sharded pub/sub needs Redis ${MIN_MAJOR} or later`
  },
  (facts) => (facts.get('role') === 'master' ? undefined : `its role is ${facts.get('role')}, a primary is needed`),
  (facts, kind) => {
    const clustered = facts.get('cluster_enabled') === '1'
    if (clustered === (kind === 'cluster')) return undefined
    return clustered
      ? 'it is part of a cluster: use redis+cluster://'
      : 'it is not part of a cluster: use another scheme'
  },
]

const REFUSE_LOCKS: Rule = (facts) => {
  const policy = facts.get('maxmemory_policy') ?? 'noeviction'
  if (policy === 'noeviction' || (facts.get('maxmemory') ?? '0') === '0') return undefined
  return `maxmemory-policy is ${policy}: it would evict locks. Set noeviction, and keep caches elsewhere`
}

const WARN_CACHE: Rule = (facts) => {
  if ((facts.get('maxmemory') ?? '0') === '0') {
    return 'maxmemory is 0: the cache grows with every item within INGOT_CACHE_TTL'
  }
  return (facts.get('maxmemory_policy') ?? 'noeviction') === 'noeviction'
    ? 'maxmemory-policy is noeviction: once full, it stores no more keys; set allkeys-lru'
    : undefined
}

const WARN_LOCKS: readonly Rule[] = [
  (facts) => {
    const policy = facts.get('maxmemory_policy') ?? 'noeviction'
    return policy === 'noeviction' || (facts.get('maxmemory') ?? '0') !== '0'
      ? undefined
      : `maxmemory-policy is ${policy}: a memory limit set later would evict locks`
  },
  (facts, kind) =>
    (kind !== 'sentinel' && kind !== 'cluster') || facts.has('min_slaves_good_slaves')
      ? undefined
      : 'min-replicas-to-write is 0: an isolated primary goes on granting locks that its successor does not know',
  (facts, kind) =>
    kind === 'independent' && facts.get('aof_enabled') !== '1'
      ? 'appendonly is off: after each start its votes do not count until the longest lease has ended'
      : undefined,
]

const RULES: Readonly<Record<Purpose, { readonly refuse: readonly Rule[]; readonly warn: readonly Rule[] }>> = {
  locks: { refuse: [...REFUSE, REFUSE_LOCKS], warn: WARN_LOCKS },
  cache: { refuse: REFUSE, warn: [WARN_CACHE] },
}

/** Returns the reasons to refuse the server and the warnings, from the reply to INFO. Default purpose: locks. */
export function judgeServer(info: string, kind: RedisTopology['kind'], purpose: Purpose = 'locks'): Judgement {
  const facts = parseInfo(info)
  const apply = (rules: readonly Rule[]): string[] => rules.flatMap((rule) => rule(facts, kind) ?? [])
  return { refusals: apply(RULES[purpose].refuse), warnings: apply(RULES[purpose].warn) }
}
