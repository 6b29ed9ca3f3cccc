/** What faults are done to: the installation, how it is looked at, and when it is whole again. */

import type { Kubectl } from '../../kube/kubectl.ts'
import { ofComponent, type Pod, readPods, unready } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { problemsOf, type ServerRole } from '../../redis/topology/roles.ts'
import type { Setup } from '../plan.ts'
import type { Docker } from '../targets/kind/docker.ts'
import type { Installation } from '../targets/kind/installation.ts'
import { redisPods } from '../targets/kind/values.ts'
import { askRoles, askSentinels } from '../targets/kubernetes/redis-view.ts'

export interface DrillContext {
  readonly setup: Setup
  readonly kubectl: Kubectl
  readonly docker: Docker
  readonly installation: Installation
  readonly say: (line: string) => void
}

/** The installation at one moment. */
export interface View {
  readonly pods: readonly Pod[]
  readonly roles: readonly ServerRole[]
  /** What is not as it must be. Empty: nothing. */
  readonly problems: readonly string[]
}

/** Does the harm; resolves with how it is known to have happened. Rejects when it did not come about. */
export type Strike = (stage: DrillContext, before: View, context: StrikeContext) => Promise<string>

export interface StrikeContext {
  readonly signal: AbortSignal
  /** To be called at the moment at which the harm begins; until then the strike only prepares. */
  readonly struck: () => void
}

const LOOK_MS = 20_000
/** Of one question to one server: a frozen one never answers. */
const ASK_MS = 6_000
/** Longest time until all is whole again after a fault, milliseconds. */
const WHOLE_MS = 240_000

export async function look(stage: DrillContext, signal: AbortSignal): Promise<View> {
  const { kubectl, setup, installation } = stage
  const options = { signal, timeoutMs: LOOK_MS }
  const pods = await readPods(kubectl, options)
  const serving = pods.filter(({ leaving, ready }) => ready && !leaving)
  const [roles, named] = await Promise.all([
    askRoles(kubectl, ofComponent(serving, 'redis'), { signal, timeoutMs: ASK_MS }),
    askSentinels(kubectl, ofComponent(serving, 'sentinel'), { signal, timeoutMs: ASK_MS }),
  ])
  const shape = { mode: setup.mode, pods: redisPods(setup).redis }
  return { pods, roles, problems: [...unready(pods, installation.wanted()), ...problemsOf(shape, roles, named)] }
}

/** Resolves when every pod is ready and Redis is whole. */
export function waitUntilHealthy(stage: DrillContext, signal: AbortSignal): Promise<View> {
  return untilSeen(
    async () => {
      const view = await look(stage, signal)
      return view.problems.length === 0 ? { value: view } : { missing: view.problems.join('; ') }
    },
    WHOLE_MS,
    signal,
  )
}
