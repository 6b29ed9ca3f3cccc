/** The report of `status`, as `-o json` prints it. A field that could not be read is absent. */
import type { NotRead } from '../facts.ts'
import type { SeenCondition } from '../topology.ts'

export interface RedisServer {
  readonly pod: string
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly ready: boolean
  readonly linked?: boolean
  readonly offset?: number
  readonly lagBytes?: number
  readonly slots?: number
}

export interface Primary {
  readonly shard: number
  readonly pod: string
  readonly since?: string
}

export interface Sentinels {
  /** Pods that the StatefulSet wants. */
  readonly wanted: number
  readonly ready: number
  readonly quorum?: number
  readonly agreed?: number
  readonly reachable?: number
  readonly known?: number
  readonly canFailOver?: boolean
}

export interface LastFailover {
  readonly at: string
  readonly from: string
  readonly to: string
  readonly planned: boolean
  readonly writeGapMs?: number
  readonly reason: string
}

export interface Redis {
  readonly mode: 'sentinel' | 'cluster' | 'standalone'
  /** `RedisTopology`: as the operator reports. `labels`: from role labels of pods. `none`: the roles are unknown. */
  readonly source: 'RedisTopology' | 'labels' | 'none'
  readonly topology?: string
  readonly primaries: readonly Primary[]
  readonly servers: readonly RedisServer[]
  readonly sentinels?: Sentinels
  readonly slots?: { readonly served: number; readonly total: number }
  readonly lastFailover?: LastFailover
  /** Conditions of the RedisTopology that differ from those of a healthy one. */
  readonly conditions: readonly SeenCondition[]
}

export interface ServicePod {
  readonly pod: string
  readonly ready: boolean
  readonly version: string
  readonly restarts: number
  /** `none` without locks; absent if the metrics could not be read. */
  readonly breaker?: 'closed' | 'half-open' | 'open' | 'none'
  readonly pendingItems?: number
  /** Absent, as all below, if the API of the pod could not be asked. */
  readonly state?: 'serving' | 'leaving' | 'draining'
  readonly storeAvailable?: boolean
  readonly epoch?: string
  readonly locksHeld?: number
  readonly locksWaiting?: number
}

export interface Service {
  readonly wanted: number
  readonly ready: number
  readonly pods: readonly ServicePod[]
}

export interface Store {
  /** `sqlite` keeps items in the pod. `unknown`: the Deployment names none. */
  readonly kind: 'postgres' | 'external-postgres' | 'http' | 'sqlite' | 'unknown'
  /** Address without credentials, if the Deployment has it. */
  readonly address?: string
  /** Only for the Postgres of the release. */
  readonly ready?: boolean
}

export interface StatusReport {
  readonly kind: 'IngotStatus'
  readonly version: 1
  readonly namespace: string
  readonly release: string
  readonly chart: string
  /** RFC 3339. */
  readonly at: string
  readonly healthy: boolean
  /** Why it is not healthy, one sentence each. */
  readonly problems: readonly string[]
  readonly operator: {
    readonly state: 'leading' | 'stale' | 'absent' | 'unknown'
    readonly namespace?: string
    readonly holder?: string
    /** Only without a RedisTopology, or if its status may be old. */
    readonly note?: string
  }
  /** Absent if Redis is outside the release. */
  readonly redis?: Redis
  readonly service: Service
  readonly store: Store
  readonly notRead: readonly NotRead[]
}
