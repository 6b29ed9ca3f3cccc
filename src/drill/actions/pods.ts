/** Actions that end pods or their processes. The controllers replace the pods, so there is nothing to undo. */
import type { Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { killPods, proveGone } from '../faults/pods.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import { signalCommand } from '../undo.ts'
import { type Action, type ActionRequest, type PreparedAction, Refusal } from './action.ts'

const EVICT_MS = 60_000
const RESTART_MS = 120_000
const CALL_MS = 10_000

/** Deletes the pods with their grace period. */
export const deletePods: Action = async ({ context, before, victims }) => ({
  undo: [],
  async inject(signal) {
    await Promise.all(victims.map(({ name, uid }) => context.workloads.deletePod(name, { signal, uid })))
  },
  prove: (signal) => proveGone(context, before, victims, signal),
})

/** Removes the pods without a grace period. Where the machines can be reached, their processes are killed first. */
export const killAtOnce: Action = async ({ context, before, victims }) => ({
  undo: [],
  inject: (signal) => killPods(context, victims, signal),
  prove: (signal) => proveGone(context, before, victims, signal),
})

/** Evicts the pods. A PodDisruptionBudget may refuse that for a minute. */
export const evictPods: Action = async ({ context, before, victims }) => ({
  undo: [],
  inject: (signal) => evictAll(context, victims, signal),
  prove: (signal) => proveGone(context, before, victims, signal),
})

/** Evicts the pods one after the other. Rejects with a Refusal if the disruption budget refuses it for a minute. */
export async function evictAll({ workloads }: DrillContext, pods: readonly Pod[], signal: AbortSignal): Promise<void> {
  for (const { name } of pods) {
    let why = ''
    const evicted = untilSeen(
      async () => {
        const eviction = await workloads.evictPod(name, signal)
        if (eviction.kind === 'evicted') return { value: true }
        why = eviction.why
        return { missing: `the eviction of ${name}` }
      },
      EVICT_MS,
      signal,
    )
    await evicted.catch((failure: unknown) => {
      signal.throwIfAborted()
      throw why === '' ? failure : new Refusal(`the disruption budget refused the eviction of ${name}: ${why}`)
    })
  }
}

/** Name of the process of each component, in /proc. */
export const PROCESSES: Readonly<Record<string, string>> = {
  redis: 'redis-server',
  sentinel: 'redis-sentinel',
  // Node names its main thread, and so its process, by its version
  service: 'node|MainThread',
  postgres: 'postgres',
}

/** Returns the process of a pod that signals reach. Throws a Refusal if its container is shielded from them. */
export function processOf({ name, component, sharesProcesses }: Pod): string {
  const process = PROCESSES[component]
  if (process === undefined) throw new Refusal(`the processes of component ${component} are not known`)
  // the first process of a namespace ignores SIGKILL and SIGSTOP from inside it
  if (!sharesProcesses) {
    throw new Refusal(
      `${name} does not share its process namespace, so no signal reaches its first process: set drills.processes in the chart`,
    )
  }
  return process
}

/** Kills the main process of each pod with SIGKILL. The container restarts in the same pod. */
export const killInPlace: Action = async (request, signal) => {
  const { context, victims } = request
  const { machines } = context
  if (machines === undefined) await requireShell(context, victims, signal)
  return restarting(request, async (pod, inner) => {
    const options = { signal: inner, timeoutMs: CALL_MS }
    if (machines !== undefined) return machines.killContainer(pod.node, pod.containerId, options)
    await context.workloads.exec(`${pod.name}/${pod.container}`, signalCommand('KILL', processOf(pod)), options)
  })
}

/** Ends Redis by `SHUTDOWN NOSAVE NOW FORCE`: it saves nothing and waits for no replica. The container restarts. */
export const crash: Action = async (request) =>
  restarting(request, async (pod, signal) => {
    const words = ['SHUTDOWN', 'NOSAVE', 'NOW', 'FORCE']
    // the connection ends with the server
    await request.context.redis.command(pod, words, { signal, timeoutMs: CALL_MS }).catch(() => signal.throwIfAborted())
  })

/** Rejects with a Refusal if commands cannot be run in the containers. */
export async function requireShell(
  { workloads }: DrillContext,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<void> {
  for (const pod of pods) {
    processOf(pod)
    const options = { signal, timeoutMs: CALL_MS }
    await workloads.exec(`${pod.name}/${pod.container}`, ['true'], options).catch((failure: unknown) => {
      signal.throwIfAborted()
      const why = failure instanceof Error ? failure.message : String(failure)
      throw new Refusal(
        `no command can be run in ${pod.name}: set drills.exec in the chart, or start the drill from a shell (${why})`,
      )
    })
  }
}

function restarting(
  { context, victims }: ActionRequest,
  end: (pod: Pod, signal: AbortSignal) => Promise<void>,
): PreparedAction {
  return {
    undo: [],
    async inject(signal) {
      await Promise.all(victims.map((pod) => end(pod, signal)))
    },
    prove: (signal) => proveRestarted(context, victims, signal),
  }
}

/** Resolves when each victim has a new container, in the same pod. */
function proveRestarted({ workloads }: DrillContext, victims: readonly Pod[], signal: AbortSignal): Promise<string> {
  return untilSeen(
    async () => {
      const pods = await workloads.pods(signal)
      const same = victims.filter(({ uid, restarts, containerId }) => {
        const now = pods.find((pod) => pod.uid === uid)
        return now === undefined || (now.restarts === restarts && now.containerId === containerId)
      })
      if (same.length > 0) return { missing: `a new container of ${same.map(({ name }) => name).join(', ')}` }
      const names = victims.map(({ name, uid }) => `${name} ${uid.slice(0, 8)}`)
      return { value: `containers restarted in the same pods: ${names.join(', ')}` }
    },
    RESTART_MS,
    signal,
  )
}
