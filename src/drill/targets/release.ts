/** Reads how a release of the chart is set up, from its workloads. */
import { ofComponent, type Pod, type Wanted } from '../../kube/pods.ts'
import { containerOf, type Workload, type Workloads } from '../../kube/workloads.ts'
import type { Mode } from '../../redis/topology/roles.ts'
import { Refusal } from '../actions/action.ts'
import type { LockMode, Setup, Store } from '../plan.ts'

export interface ReleaseFacts {
  readonly setup: Setup
  /** Full name of the release, with which the names of its objects begin. */
  readonly name: string
  readonly image: string
  /** Pods that each component must have. */
  readonly wanted: Wanted
  /** Primaries of a healthy release. 0 without Redis. */
  readonly shards: number
}

/** Rejects with a Refusal if the release does not exist, or has no service. */
export async function readRelease(workloads: Workloads, signal: AbortSignal): Promise<ReleaseFacts> {
  return releaseOf(await workloads.workloads(signal), `${workloads.namespace}/${workloads.release}`)
}

/** Components that a drill judges. Others, such as a cache, may come and go. */
const JUDGED = ['service', 'redis', 'sentinel', 'postgres', 'legacy-backend']

/** Returns the facts. Throws a Refusal. */
export function releaseOf(workloads: readonly Workload[], where: string): ReleaseFacts {
  const service = workloads.find(({ component }) => component === 'service')
  if (service === undefined) throw new Refusal(`there is no release ${where}: check target.release and the namespace`)
  const env = envOf(service)
  const redis = workloads.find(({ component }) => component === 'redis')
  const mode = modeOf(env.get('INGOT_LOCK_URL') ?? '', redis)
  const setup: Setup = { mode, store: storeOf(env.get('INGOT_STORE_URL') ?? ''), lock: lockOf(env) }
  return {
    setup,
    name: service.name,
    image: String(containerOf(service)['image']),
    wanted: Object.fromEntries(
      workloads
        .filter(({ component }) => JUDGED.includes(component))
        .map(({ component, replicas }) => [component, replicas]),
    ),
    shards: shardsOf(mode, redis),
  }
}

function envOf(workload: Workload): ReadonlyMap<string, string> {
  const { env } = containerOf(workload)
  const entries: readonly unknown[] = Array.isArray(env) ? env : []
  return new Map(
    entries.flatMap((entry): [string, string][] => {
      if (typeof entry !== 'object' || entry === null || !('name' in entry)) return []
      return [[String(entry.name), 'value' in entry ? String(entry.value) : '']]
    }),
  )
}

function modeOf(url: string, redis: Workload | undefined): Mode {
  if (redis === undefined) return 'external'
  if (/^rediss?\+sentinel:/.test(url)) return 'sentinel'
  return /^rediss?\+cluster:/.test(url) ? 'cluster' : 'standalone'
}

/** A URL from a Secret is not visible. It is one of Postgres, because the chart renders all others itself. */
function storeOf(url: string): Store {
  return /^https?:/.test(url) ? 'http' : 'postgres'
}

function lockOf(env: ReadonlyMap<string, string>): LockMode {
  return env.get('INGOT_LOCK_MODE') === 'always' ? 'always' : 'auto'
}

/** The chart writes the number of primaries of a cluster into the environment of its servers. */
function shardsOf(mode: Mode, redis: Workload | undefined): number {
  if (redis === undefined) return 0
  return mode === 'cluster' ? Number(envOf(redis).get('CLUSTER_MASTERS') ?? 3) : 1
}

/** Returns the image of each component with the digest that its nodes report. */
export function imagesOf(pods: readonly Pod[]): readonly { component: string; image: string; digest: string }[] {
  return JUDGED.flatMap((component) => {
    const [pod] = ofComponent(pods, component)
    if (pod === undefined) return []
    return [{ component, image: pod.image, digest: /sha256:[0-9a-f]{64}/.exec(pod.imageId)?.[0] ?? pod.imageId }]
  })
}
