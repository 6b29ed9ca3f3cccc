/** Options of a torture run. */
import type { FailpointName } from '../../../std/failpoint.ts'

/** Settings of a torture run. */
export interface TortureOptions {
  readonly seed: number
  readonly trafficMs: number
  readonly store: 'http' | 'postgres'
  readonly lock: 'redis' | 'sentinel'
  /** INGOT_LOCK_MODE of the replicas. Default: auto. */
  readonly mode?: 'auto' | 'always'
  /** Ends as soon as every fault and every kind of operation has happened. `trafficMs` is then the longest time. */
  readonly cover?: boolean
  /** Folder for the history, the verdict and the files of the processes. It is emptied first. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say?: (line: string) => void
  /** Fail points that sabotage the service. Default: none. */
  readonly failpoints?: readonly FailpointName[] | undefined
  /** Names of faults. Default: all. */
  readonly faults?: readonly string[] | undefined
  /** Latency of the legacy backend in milliseconds, and its fencing. Default: 20 and on. */
  readonly latencyMs?: number
  readonly fencing?: 'on' | 'off'
  /**
   * Bounds of the time between a second save and the late delivery of the first, in milliseconds. Default: 0 to 100.
   */
  readonly lateMs?: readonly [number, number]
  /** Longest time between faults, in milliseconds. Default: 1000. */
  readonly quietMs?: number
  /** Whether replicas share a cache in the Redis of the locks, if their store allows it. Default: true. */
  readonly cache?: boolean
  /** Whether clients delete items, if the store can. Default: true. */
  readonly deletes?: boolean
  /** Statement to run in the Postgres store once the service is up. */
  readonly sql?: string
  /** Time after which the containers end by themselves, in seconds. Default: 1200. */
  readonly lifeSeconds?: number
  /** INGOT_CACHE_TTL of the replicas. Default: that of the service. */
  readonly cacheTtl?: string
}
