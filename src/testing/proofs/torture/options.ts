/** What a torture run is asked to do. */
import type { FailpointName } from '../../../std/failpoint.ts'

export interface TortureOptions {
  readonly seed: number
  readonly trafficMs: number
  readonly store: 'http' | 'postgres'
  readonly lock: 'redis' | 'sentinel'
  /** INGOT_LOCK_MODE of the replicas. Default: auto. */
  readonly mode?: 'auto' | 'always'
  /** Ends as soon as every fault and every kind of operation has happened; `trafficMs` is then the longest time. */
  readonly cover?: boolean
  /** A folder for history, verdict and what the processes keep. It is emptied first. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say?: (line: string) => void
  /** How the service is sabotaged. Default: not at all. */
  readonly failpoints?: readonly FailpointName[] | undefined
  /** Names of faults. Default: all. */
  readonly faults?: readonly string[] | undefined
  /** Of the legacy backend. Default: 20 and on. */
  readonly latencyMs?: number
  readonly fencing?: 'on' | 'off'
  /** Bounds of what lies between a second save and the late delivery of the first, in ms. Default: 0 to 100. */
  readonly lateMs?: readonly [number, number]
  /** Longest quiet between faults, milliseconds. Default: 1000. */
  readonly quietMs?: number
  /** Whether replicas of a store that allows it share a cache, in the Redis of the locks. Default: true. */
  readonly cache?: boolean
  /** Whether clients delete items where the store can. Default: true. */
  readonly deletes?: boolean
  /** Statement to run in the Postgres store once the service is up. */
  readonly sql?: string
  /** The containers end by themselves after so long. Default: 1200. */
  readonly lifeSeconds?: number
  /** INGOT_CACHE_TTL of the replicas. Default: the service's own. */
  readonly cacheTtl?: string
}
