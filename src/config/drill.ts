/** Settings of the runner of a drill in its pod, from the environment. */
import { textOf } from './text.ts'

export interface DrillSettings {
  /** POD_NAMESPACE. Absent outside a pod. */
  readonly podNamespace: string | undefined
  /** INGOT_STORE_URL: the store of the release. */
  readonly storeUrl: string | undefined
  /** INGOT_DRILL_REDIS_PASSWORD: password of the user `drill` of Redis and Sentinel. */
  readonly redisPassword: string | undefined
  /** INGOT_DRILL_CLUSTER_DOMAIN. Default: cluster.local. */
  readonly clusterDomain: string
  /** INGOT_DRILL_TOKEN: bearer token for the collection of the drill. */
  readonly token: string | undefined
  /** INGOT_DRILL_ACCESS_KEY_ID, INGOT_DRILL_SECRET_ACCESS_KEY: for the bucket of the reports. */
  readonly bucketKeyId: string | undefined
  readonly bucketSecret: string | undefined
}

export function drillSettings(env: Readonly<Record<string, string | undefined>> = process.env): DrillSettings {
  return {
    podNamespace: textOf(env['POD_NAMESPACE']),
    storeUrl: textOf(env['INGOT_STORE_URL']),
    redisPassword: textOf(env['INGOT_DRILL_REDIS_PASSWORD']),
    clusterDomain: textOf(env['INGOT_DRILL_CLUSTER_DOMAIN']) ?? 'cluster.local',
    token: textOf(env['INGOT_DRILL_TOKEN']),
    bucketKeyId: textOf(env['INGOT_DRILL_ACCESS_KEY_ID']),
    bucketSecret: textOf(env['INGOT_DRILL_SECRET_ACCESS_KEY']),
  }
}
