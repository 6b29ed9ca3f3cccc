/** Context of a fault on a cluster: the release, its present state, and the wait until it is healthy. */
import type { Kubectl } from '../../../kube/kubectl.ts'
import { ofComponent, type Pod, readPods, unready } from '../../../kube/pods.ts'
import { untilSeen } from '../../../kube/until.ts'
import { problemsOf, type ServerRole } from '../../../redis/topology/roles.ts'
import type { Setup } from '../../plan.ts'
import type { Installation } from './installation.ts'
import type { Machines } from './machines.ts'
import { readRoles, readSentinelViews } from './redis-view.ts'
import { redisPods } from './values.ts'

/** Parts that every fault on a cluster uses. */
export interface DrillContext {
  readonly setup: Setup
  readonly kubectl: Kubectl
  readonly installation: Installation
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
  const { kubectl, setup, installation } = context
  const pods = await readPods(kubectl, { signal, timeoutMs: OBSERVE_MS })
  const serving = pods.filter(({ leaving, ready }) => ready && !leaving)
  const options = { signal, timeoutMs: CALL_MS }
  const [roles, named] = await Promise.all([
    readRoles(kubectl, ofComponent(serving, 'redis'), options),
    readSentinelViews(kubectl, ofComponent(serving, 'sentinel'), options),
  ])
  const spec = { mode: setup.mode, pods: redisPods(setup).redis }
  return { pods, roles, problems: [...unready(pods, installation.wanted()), ...problemsOf(spec, roles, named)] }
}

/** Resolves when every pod is ready and Redis is healthy. Rejects after four minutes with the problems. */
export function waitUntilHealthy(context: DrillContext, signal: AbortSignal): Promise<View> {
  return untilSeen(
    async () => {
      const view = await observe(context, signal)
      return view.problems.length === 0 ? { value: view } : { missing: view.problems.join('; ') }
    },
    HEALTHY_MS,
    signal,
  )
}
