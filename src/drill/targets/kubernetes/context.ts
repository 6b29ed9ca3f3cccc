/** Context of a fault on a cluster: the release, its present state, and the wait until it is healthy. */
import { ofComponent, type Pod, unready, type Wanted } from '../../../kube/pods.ts'
import { untilSeen } from '../../../kube/until.ts'
import type { Workloads } from '../../../kube/workloads.ts'
import { problemsOf, type ServerRole } from '../../../redis/topology/roles.ts'
import type { Setup } from '../../plan.ts'
import type { RedisView } from '../redis/view.ts'
import type { Machines } from './machines.ts'

/** Parts that every fault on a cluster uses. */
export interface DrillContext {
  readonly setup: Setup
  readonly workloads: Workloads
  readonly redis: RedisView
  /** Returns the number of pods that each component of the release must have now. */
  readonly wanted: () => Wanted
  readonly say: (line: string) => void
  /** Absent if the machines of the cluster cannot be reached. */
  readonly machines?: Machines
}

/** The release at one moment. */
export interface View {
  readonly pods: readonly Pod[]
  readonly roles: readonly ServerRole[]
  /** Why the release is not healthy. Empty if it is. */
  readonly problems: readonly string[]
}

const OBSERVE_MS = 20_000
/** Longest call to one server, in milliseconds. A frozen server never responds. */
const CALL_MS = 6_000
/** Longest recovery after a fault, in milliseconds. */
const HEALTHY_MS = 240_000

/** Resolves with the present state of the release and its problems. */
export async function observe(context: DrillContext, signal: AbortSignal): Promise<View> {
  const { workloads, redis, setup, wanted } = context
  const pods = await workloads.pods(AbortSignal.any([signal, AbortSignal.timeout(OBSERVE_MS)]))
  const serving = pods.filter(({ leaving, ready }) => ready && !leaving)
  const options = { signal, timeoutMs: CALL_MS }
  const [roles, named] = await Promise.all([
    redis.roles(ofComponent(serving, 'redis'), options),
    redis.sentinelViews(ofComponent(serving, 'sentinel'), options),
  ])
  const spec = { mode: setup.mode, pods: wanted()['redis'] ?? 0 }
  return { pods, roles, problems: [...unready(pods, wanted()), ...problemsOf(spec, roles, named)] }
}

/** Resolves when every pod is ready and Redis is healthy. Rejects after four minutes with the problems. */
export function waitUntilHealthy(context: DrillContext, signal: AbortSignal, withinMs = HEALTHY_MS): Promise<View> {
  return untilSeen(
    async () => {
      const view = await observe(context, signal)
      return view.problems.length === 0 ? { value: view } : { missing: view.problems.join('; ') }
    },
    withinMs,
    signal,
  )
}
