/** Faults on pods: a kill, a graceful deletion, or a deletion followed by a kill. */
import { ofComponent, type Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { isGone } from '../../kube/workloads.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import { systemClock } from '../../std/clock.ts'
import { type DrillContext, observe, type View, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import { type FaultInjection, type Injection, nothingToUndo } from './fault.ts'

/** Longest time until a pod is gone, and until another server is primary, in milliseconds. */
const GONE_MS = 120_000
const CALL_MS = 30_000

type Choice = (view: View) => readonly Pod[]

/** Returns the pod of the first primary. Throws an Error if there is none. */
export function primaryOf(view: View): Pod {
  const [primary] = primariesOf(view.roles)
  const pod = view.pods.find(({ name }) => name === primary?.pod)
  if (pod === undefined) throw new Error('there is no Redis primary')
  return pod
}

/** Returns a pod of the component. Throws an Error if there is none. */
export function anyOf(view: View, component: string): Pod {
  const [pod] = ofComponent(view.pods, component)
  if (pod === undefined) throw new Error(`there is no pod of component ${component}`)
  return pod
}

/** Kills the chosen pods at the same time. */
export function podKill(name: string, context: DrillContext, choose: Choice): FaultInjection {
  return podFault(name, context, (before) => {
    const victims = choose(before)
    return {
      inject: (signal) => killPods(context, victims, signal),
      prove: (signal) => proveGone(context, before, victims, signal),
    }
  })
}

/** Deletes the chosen pod with its grace period. */
export function podDelete(name: string, context: DrillContext, choose: (view: View) => Pod): FaultInjection {
  return podFault(name, context, (before) => {
    const victim = choose(before)
    return {
      async inject(signal) {
        await context.workloads.deletePod(victim.name, { signal, uid: victim.uid })
      },
      prove: (signal) => proveGone(context, before, [victim], signal),
    }
  })
}

/** Builds a fault on pods. Its undo does nothing, because the controller replaces each pod. */
function podFault(
  name: string,
  context: DrillContext,
  steps: (before: View) => Omit<Injection, 'undo'>,
): FaultInjection {
  return {
    name,
    async prepare(_random, signal) {
      return { ...steps(await waitUntilHealthy(context, signal)), undo: nothingToUndo }
    },
  }
}

/**
 * Deletes the pods without a grace period, so no preStop hook runs. Where the machines can be reached, it first kills
 * the first process of each container, so that it gets no SIGTERM from the kubelet either.
 */
export async function killPods(
  { workloads, machines }: DrillContext,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, timeoutMs: CALL_MS }
  const kill = async ({ node, containerId }: Pod): Promise<void> => machines?.killContainer(node, containerId, options)
  await Promise.all(victims.map(kill))
  await Promise.all(victims.map((victim) => removeAtOnce(workloads, victim, signal)))
}

/** Removes the pod from the API without its grace period. A pod that is gone is no failure. */
async function removeAtOnce(workloads: DrillContext['workloads'], { name, uid }: Pod, signal: AbortSignal) {
  await workloads.deletePod(name, { signal, uid, graceSeconds: 0 }).catch((failure: unknown) => {
    if (!isGone(failure)) throw failure
  })
}

/**
 * Time for which the graceful deletion runs alone, in milliseconds. By then the failover has begun and has not ended.
 */
const OVERTAKEN_AFTER_MS = 700
const OVERTAKEN_TRIES = 3

/**
 * Deletes the primary gracefully, overtakes that by a forced deletion, and kills the new primary. The forced deletion
 * removes the pod's name and addresses while its processes still run.
 */
export function overtakenDelete(name: string, context: DrillContext): FaultInjection {
  const { workloads } = context
  const fault = podFault(name, context, (before) => {
    const first = primaryOf(before)
    let successor: Pod | undefined
    return {
      async inject(signal) {
        await workloads.deletePod(first.name, { signal, uid: first.uid })
        await systemClock.sleep(OVERTAKEN_AFTER_MS, signal)
        const pods = await workloads.pods(signal)
        if (!pods.some(({ uid, leaving }) => uid === first.uid && leaving))
          throw new Error(`${first.name} was gone before the forced deletion could overtake the graceful one`)
        await removeAtOnce(workloads, first, signal)
        successor = await successorOf(context, before, first, signal)
        await killPods(context, [successor], signal)
      },
      prove(signal) {
        if (successor === undefined) throw new Error('there was no new primary')
        return proveGone(context, before, [first, successor], signal)
      },
    }
  })
  // on a busy machine the pod may be gone before it is overtaken
  return { ...fault, tries: OVERTAKEN_TRIES }
}

/**
 * Resolves with the pod that became primary after the deletion. It must be killed before a replica follows it, so a loop
 * within the cluster finds it. If the deleted pod returns as primary, that pod is the successor.
 */
async function successorOf(context: DrillContext, before: View, first: Pod, signal: AbortSignal): Promise<Pod> {
  const formers = new Set(primariesOf(before.roles).map(({ pod }) => pod))
  const others = ofComponent(before.pods, 'redis').filter(({ name }) => !formers.has(name))
  const found = await context.redis.awaitPrimary(others, { signal, timeoutMs: GONE_MS }).catch(() => undefined)
  signal.throwIfAborted()
  return untilSeen(
    async () => {
      const { pods, roles } = await observe(context, signal)
      const primary = primariesOf(roles).find(({ pod }) => !formers.has(pod) || pod === first.name)?.pod
      const pod = pods.find(({ name, uid }) => name === (found ?? primary) && uid !== first.uid)
      return pod === undefined ? { missing: 'a new primary' } : { value: pod }
    },
    GONE_MS,
    signal,
  )
}

/** Resolves when no victim's UID is left, with the primaries before and after. */
export async function proveGone(
  context: DrillContext,
  before: View,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<string> {
  await untilSeen(
    async () => {
      const left = new Set((await context.workloads.pods(signal)).map(({ uid }) => uid))
      const names = victims.filter(({ uid }) => left.has(uid)).map(({ name }) => name)
      return names.length === 0 ? { value: true } : { missing: `the end of ${names.join(', ')}` }
    },
    GONE_MS,
    signal,
  )
  const after = await primariesAfter(context, signal)
  const formers = primariesOf(before.roles).map(({ pod }) => pod)
  const uids = victims.map(({ name, uid }) => `${name} ${uid.slice(0, 8)}`)
  return `pods with these UIDs are gone: ${uids.join(', ')}; primaries were ${formers.join(', ')}, are ${after}`
}

/** Waits for a primary. Without one the fault has still happened, and the recovery after it fails. */
async function primariesAfter(context: DrillContext, signal: AbortSignal): Promise<string> {
  if (context.setup.mode === 'external') return 'none'
  const primaries = await untilSeen(
    async () => {
      const found = primariesOf((await observe(context, signal)).roles)
      return found.length > 0 ? { value: found } : { missing: 'a primary' }
    },
    GONE_MS,
    signal,
  ).catch(() => [])
  return primaries.map(({ pod }) => pod).join(', ') || 'none yet'
}
