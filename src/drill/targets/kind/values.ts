/** The chart's values for a setup. Pure. */
import type { Sabotage, Setup } from '../../plan.ts'

const REPOSITORY = 'ingot'

/** Of the images of a drill. */
export const TAGS = { shipped: 'e2e', next: 'e2e-next' } as const

export function sabotagedTag(sabotage: Sabotage): string {
  return `e2e-${sabotage}`
}

export function imageOf(tag: string): string {
  return `${REPOSITORY}:${tag}`
}

/** The node that is never frozen: it holds the store and the load. */
export const ANCHOR = 'worker3'

export interface Choices {
  readonly setup: Setup
  /** Of kind. */
  readonly cluster: string
  readonly tag?: string
  readonly replicas?: number
}

export const REPLICAS = 3

/** What decides how fast a failover can be at best, milliseconds. Not shorter: two busy cores keep a master silent too. */
export const DOWN_AFTER_MS = 5_000
export const NODE_TIMEOUT_MS = 5_000

export function valuesOf({ setup, cluster, tag = TAGS.shipped, replicas = REPLICAS }: Choices): object {
  const { mode, store, lock } = setup
  const anchored = { nodeSelector: { 'kubernetes.io/hostname': `${cluster}-${ANCHOR}` } }
  return {
    image: { repository: REPOSITORY, tag },
    // a drill wants one pod on each node, not mostly so
    service: { replicas, topologySpread: { whenUnsatisfiable: 'ScheduleAnyway' } },
    access: { mode: 'off' },
    store: { mode: store },
    lock: { mode: lock, fences: { mode: 'postgres' } },
    redis: { mode, sentinel: { downAfterMs: DOWN_AFTER_MS }, cluster: { nodeTimeoutMs: NODE_TIMEOUT_MS } },
    postgres: anchored,
    // the system that is not ours does not change with the service
    legacyBackend: { enabled: store === 'http', imageTag: TAGS.shipped, ...anchored },
  }
}

/** Redis servers and Sentinels that the chart installs. */
export function redisPods({ mode }: Setup): { readonly redis: number; readonly sentinel: number } {
  switch (mode) {
    case 'sentinel':
      return { redis: 3, sentinel: 3 }
    case 'cluster':
      return { redis: 6, sentinel: 0 }
    case 'standalone':
      return { redis: 1, sentinel: 0 }
    case 'external':
      return { redis: 0, sentinel: 0 }
    default:
      return mode satisfies never
  }
}

/** Pods of each component when all is well. */
export function wantedPods(setup: Setup, replicas = REPLICAS): Readonly<Record<string, number>> {
  const { redis, sentinel } = redisPods(setup)
  const legacy = setup.store === 'http' ? 1 : 0
  return { service: replicas, redis, sentinel, postgres: 1, 'legacy-backend': legacy }
}
