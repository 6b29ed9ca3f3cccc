/** Renders the chart's values for a setup. Pure. */
import type { Sabotage, Setup } from '../../plan.ts'

const REPOSITORY = 'ingot'

/** Tags of the images of a drill. */
export const TAGS = { shipped: 'e2e', next: 'e2e-next' } as const

/** Returns the tag of a sabotaged image. */
export function sabotagedTag(sabotage: Sabotage): string {
  return `e2e-${sabotage}`
}

/** Returns the image name with the tag. */
export function imageOf(tag: string): string {
  return `${REPOSITORY}:${tag}`
}

export interface Choices {
  readonly setup: Setup
  /** Node of the store, which is never frozen. */
  readonly anchor: string
  readonly tag?: string
  readonly replicas?: number
}

export const REPLICAS = 3

/**
 * Lower bound of a failover, in milliseconds. It is not shorter, because a primary on two busy cores also responds
 * slowly.
 */
export const DOWN_AFTER_MS = 5_000
export const NODE_TIMEOUT_MS = 5_000
/** Time that a primary may take for its hand-over. */
export const HANDOVER_MS = 30_000

/** Returns the chart's values. */
export function valuesOf({ setup, anchor, tag = TAGS.shipped, replicas = REPLICAS }: Choices): object {
  const { mode, store, lock } = setup
  const anchored = { nodeSelector: { 'kubernetes.io/hostname': anchor } }
  return {
    image: { repository: REPOSITORY, tag },
    // a drill requires one pod on each node, and not only a preference
    service: { replicas, topologySpread: { whenUnsatisfiable: 'ScheduleAnyway' } },
    access: { mode: 'off' },
    store: { mode: store },
    lock: { mode: lock, fences: { mode: 'postgres' } },
    redis: {
      mode,
      handoverSeconds: HANDOVER_MS / 1_000,
      sentinel: { downAfterMs: DOWN_AFTER_MS },
      cluster: { nodeTimeoutMs: NODE_TIMEOUT_MS },
    },
    postgres: anchored,
    // an upgrade of the service does not change the external system
    legacyBackend: { enabled: store === 'http', imageTag: TAGS.shipped, ...anchored },
  }
}

/** Returns the number of Redis servers and Sentinels that the chart installs. */
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

/** Returns the number of pods of each component in a healthy release. */
export function wantedPods(setup: Setup, replicas = REPLICAS): Readonly<Record<string, number>> {
  const { redis, sentinel } = redisPods(setup)
  const legacy = setup.store === 'http' ? 1 : 0
  return { service: replicas, redis, sentinel, postgres: 1, 'legacy-backend': legacy }
}
