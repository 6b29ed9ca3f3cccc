/** Actions that stop servers without ending them: a stopped process, a server that does not respond, a partition. */

import { reasonOf } from '../../errors/error.ts'
import { isKubeError } from '../../kube/client/api.ts'
import type { Resource } from '../../kube/client/resource.ts'
import type { Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import { redisErrorIn } from '../redis-error.ts'
import { type DrillContext, observe } from '../targets/kubernetes/context.ts'
import { PIDS, signalCommand } from '../undo.ts'
import { type Action, Refusal } from './action.ts'
import { processOf, requireShell } from './pods.ts'

const CALL_MS = 10_000
/** A server that does not respond within this time is stopped. Milliseconds. */
const SILENT_MS = 1_500
const PROOF_MS = 30_000

/** Stops the main process by SIGSTOP. A timer in the container continues it if the drill does not. */
export const pause: Action = async ({ context, victims, holdMs }, signal) => {
  await requireShell(context, victims, signal)
  const { workloads } = context
  return {
    isHeld: true,
    undo: victims.map((pod) => ({
      kind: 'Resume',
      args: { pod: pod.name, uid: pod.uid, container: pod.container, process: processOf(pod) },
    })),
    async inject(inner) {
      const options = { signal: inner, timeoutMs: CALL_MS }
      await Promise.all(
        victims.map((pod) => workloads.exec(`${pod.name}/${pod.container}`, stopFor(processOf(pod), holdMs), options)),
      )
    },
    prove: (inner) => proveStopped(context, victims, inner),
  }
}

/** Stops the processes, and leaves a timer in the container that continues them. */
function stopFor(process: string, holdMs: number): readonly string[] {
  const [, , script = ''] = signalCommand('STOP', process)
  const [, , resume = ''] = signalCommand('CONT', process)
  const seconds = Math.ceil(holdMs / 1_000)
  // the timer is started first, so that it exists even if this shell dies
  const timer = `(sleep ${seconds}; ${resume}) >/dev/null 2>&1 </dev/null &`
  return ['sh', '-c', `${timer}\n${script}`, 'sh', process]
}

async function proveStopped(
  { workloads }: DrillContext,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<string> {
  const script = `${PIDS} for pid in $(pids "$1"); do sed -n 's/^State:[[:space:]]*//p' "/proc/$pid/status"; done`
  for (const pod of victims) {
    const command = ['sh', '-c', script, 'sh', processOf(pod)]
    const states = await workloads.exec(`${pod.name}/${pod.container}`, command, { signal, timeoutMs: CALL_MS })
    if (!/^T/m.test(states))
      throw new Error(`the process of ${pod.name} is not stopped: ${states.trim() || 'not found'}`)
  }
  return `stopped: ${victims.map(({ name }) => name).join(', ')}`
}

/** Makes Redis hold back all commands by `CLIENT PAUSE`. Sentinels and nodes of a cluster see no failure. */
export const stall: Action = async ({ context, victims, holdMs }) => ({
  isHeld: true,
  undo: victims.map(({ name }) => ({ kind: 'Unstall', args: { pod: name } })),
  async inject(signal) {
    const words = ['CLIENT', 'PAUSE', String(holdMs), 'ALL']
    await Promise.all(victims.map((pod) => context.redis.command(pod, words, { signal, timeoutMs: CALL_MS })))
  },
  async prove(signal) {
    for (const pod of victims) {
      const reply = await context.redis
        .command(pod, ['DBSIZE'], { signal, timeoutMs: SILENT_MS })
        .catch((failure: unknown) => {
          signal.throwIfAborted()
          // an error of Redis is a response too
          return redisErrorIn(reasonOf(failure))
        })
      if (reply !== undefined) throw new Error(`${pod.name} still responds: ${reply.trim()}`)
    }
    return `no response within ${SILENT_MS} ms: ${victims.map(({ name }) => name).join(', ')}`
  },
})

const POLICIES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
}
/** Pods with this label are in no policy of the chart, so that only the policy of the partition applies to them. */
export const ISOLATED = 'ingot.dev/isolated'

/**
 * Cuts the pods off from all others by a NetworkPolicy, and ends their connections. Connections that a policy cannot end,
 * such as those of the bus of a cluster, may live on; the proof then fails.
 */
export const partition: Action = async (request) => {
  const { context, fault, victims, before } = request
  const { workloads, redis } = context
  const { namespace, release, api } = workloads
  const name = `${release}-drill-${fault.name}`.slice(0, 63)
  const labels = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/part-of': 'ingot' }
  const policy = {
    metadata: { name, namespace, labels: { ...labels, 'app.kubernetes.io/component': 'drill' } },
    spec: {
      podSelector: { matchLabels: { ...labels, [ISOLATED]: 'true' } },
      policyTypes: ['Ingress', 'Egress'],
      // the runner itself still reaches the pods, for the proof
      ingress: [{ from: [{ podSelector: { matchLabels: { ...labels, 'app.kubernetes.io/component': 'drill' } } }] }],
      egress: [],
    },
  }
  const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', plural: 'networkpolicies', name }
  return {
    isHeld: true,
    undo: [
      { kind: 'DeleteObject', args: { ...object, namespaced: 'true' } },
      ...victims.map((pod) => ({ kind: 'Unlabel' as const, args: { pod: pod.name, label: ISOLATED } })),
    ],
    async inject(signal) {
      await api.create(POLICIES, policy, signal).catch((failure: unknown) => {
        if (isKubeError(failure, 'KUBE_FORBIDDEN')) throw new Refusal('the runner may not create a NetworkPolicy')
        throw failure
      })
      await Promise.all(victims.map((pod) => workloads.label(pod.name, ISOLATED, 'true', signal)))
      await Promise.all(victims.filter(({ component }) => component === 'redis').map((pod) => cut(redis, pod, signal)))
    },
    prove: (signal) => proveCut(context, { victims, before }, signal),
  }
}

/** Ends the connections of a server several times, because clients reconnect until the policy is in force. */
async function cut(redis: DrillContext['redis'], pod: Pod, signal: AbortSignal): Promise<void> {
  for (const type of ['normal', 'pubsub', 'replica', 'master']) {
    const words = ['CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes']
    await redis.command(pod, words, { signal, timeoutMs: CALL_MS }).catch(() => signal.throwIfAborted())
  }
}

interface Cut {
  readonly victims: readonly Pod[]
  readonly before: ActionBefore
}
type ActionBefore = Parameters<Action>[0]['before']

/**
 * Resolves when a cut-off primary was replaced, or the others see no link to a cut-off replica. Both need time: links end by
 * time-outs.
 */
function proveCut(context: DrillContext, { victims, before }: Cut, signal: AbortSignal): Promise<string> {
  const names = new Set(victims.map(({ name }) => name))
  const formers = primariesOf(before.roles).filter(({ pod }) => names.has(pod))
  return untilSeen(
    async () => {
      for (const pod of victims) if (pod.component === 'redis') await cut(context.redis, pod, signal)
      const { roles } = await observe(context, signal)
      const others = roles.filter(({ pod }) => !names.has(pod))
      const successors = primariesOf(others).filter(
        ({ pod }) => !primariesOf(before.roles).some((one) => one.pod === pod),
      )
      if (formers.length > 0 && successors.length > 0) {
        return { value: `${[...names].join(', ')} cut off; ${successors.map(({ pod }) => pod).join(', ')} took over` }
      }
      const links = others.filter(({ role }) => role === 'primary').map(({ replicas }) => replicas)
      const linkedBefore = before.roles.filter(({ role }) => role === 'primary').map(({ replicas }) => replicas)
      const lost = sum(linkedBefore) - sum(links)
      if (formers.length === 0 && lost >= names.size)
        return { value: `${[...names].join(', ')} cut off: ${lost} links ended` }
      return { missing: 'the effect of the partition: connections that exist may live on in this network' }
    },
    PROOF_MS,
    signal,
  )
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
