/** Freezes a node for some time, as if it had lost power: every process on it stops, including its kubelet. */
import { rmSync, writeFileSync } from 'node:fs'
import type { Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import { systemClock } from '../../std/clock.ts'
import { type DrillContext, observe, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import type { Machines } from '../targets/kubernetes/machines.ts'
import type { FaultInjection } from './fault.ts'
import { type Placement, placementOf } from './placement.ts'

/** File that informs other users of the cluster which node is frozen. */
const NOTICE = '/tmp/kind-node-fault'
/**
 * Longest time until the control plane reports NotReady, in milliseconds. The default of node-monitor-grace-period is
 * 40 to 50 s.
 */
const NOT_READY_MS = 90_000
const FAILOVER_MS = 60_000
/** Time for which the node then stays frozen, in milliseconds, so that the figures show the service without it. */
const BEYOND_MS = 8_000
const HAND_OVERS = 4
const SHELL_MS = 30_000
const CALL_MS = 20_000
/** Interval in milliseconds, rounded up, at which Sentinels read the priority of a replica: every 10 s. */
const PRIORITY_READ_MS = 11_000
const DEFAULT_PRIORITY = 100

type Freeze = Extract<Placement, { kind: 'freeze' }>

/** Returns the fault that freezes the node of one Redis primary. */
export function nodeFreeze(name: string, context: DrillContext): FaultInjection {
  return {
    name,
    async prepare(_random, signal) {
      const { machines, say } = context
      if (machines === undefined) throw new Error('the nodes of this cluster cannot be frozen from outside')
      const { node, primary } = await placed(context, signal)
      let isFrozen = false
      return {
        holdMs: BEYOND_MS,
        async inject(inner) {
          say(`freezing ${node}, which holds the primary ${primary}`)
          isFrozen = true
          writeFileSync(NOTICE, `${node}\n`)
          await machines.freeze(node, { signal: inner, timeoutMs: CALL_MS })
        },
        async prove(inner) {
          if (!(await machines.isFrozen(node, { signal: inner, timeoutMs: CALL_MS }))) {
            throw new Error(`${node} is not frozen`)
          }
          const [successor] = await Promise.all([promoted(context, primary, inner), notReady(context, node, inner)])
          return `${node} frozen and NotReady; primary ${primary}, then ${successor}`
        },
        async undo() {
          if (!isFrozen) return
          await thaw(machines, node)
          isFrozen = false
          say(`thawed ${node}`)
        },
      }
    },
  }
}

/** Thaws the node. Has its own deadline, because a node must not stay frozen after an abort. */
async function thaw(machines: Machines, node: string): Promise<void> {
  const options = { signal: AbortSignal.timeout(CALL_MS), timeoutMs: CALL_MS }
  // the call that froze it may have failed
  if (await machines.isFrozen(node, options)) await machines.thaw(node, options)
  rmSync(NOTICE, { force: true })
}

/** Fails over until a primary is on a node that can be frozen. */
export async function placed(context: DrillContext, signal: AbortSignal): Promise<Freeze> {
  for (let count = 0; ; count++) {
    const view = await waitUntilHealthy(context, signal)
    const placement = placementOf(view.pods, view.roles)
    if (placement.kind === 'freeze') return placement
    if (placement.kind === 'impossible') throw new Error(placement.why)
    if (count === HAND_OVERS) throw new Error(`after ${count} failovers no node holds exactly one primary alone`)
    context.say(`failing over from ${placement.insteadOf} to ${placement.replica}, to have a node to freeze`)
    const replica = view.pods.find(({ name }) => name === placement.replica)
    if (replica === undefined) throw new Error(`there is no pod ${placement.replica}`)
    await promote(context, replica, signal)
  }
}

function promote(context: DrillContext, replica: Pod, signal: AbortSignal): Promise<void> {
  const { redis, setup } = context
  const options = { signal, timeoutMs: SHELL_MS }
  return setup.mode === 'cluster'
    ? handOver(context, replica, { request: () => redis.command(replica, ['CLUSTER', 'FAILOVER'], options), signal })
    : handOverBySentinel(context, replica, signal)
}

/** Sentinels promote the replica with the lowest priority above 0. */
async function handOverBySentinel(context: DrillContext, replica: Pod, signal: AbortSignal): Promise<void> {
  const { redis } = context
  const setPriority = (priority: number, bound: AbortSignal): Promise<string> => {
    const words = ['CONFIG', 'SET', 'replica-priority', String(priority)]
    return redis.command(replica, words, { signal: bound, timeoutMs: SHELL_MS })
  }
  await setPriority(1, signal)
  try {
    await systemClock.sleep(PRIORITY_READ_MS, signal)
    const request = (): Promise<void> => redis.sentinelFailover(replica, { signal, timeoutMs: SHELL_MS })
    await handOver(context, replica, { request, signal })
  } finally {
    await setPriority(DEFAULT_PRIORITY, AbortSignal.timeout(SHELL_MS))
  }
}

interface HandOver {
  /** Requests the failover. */
  readonly request: () => Promise<unknown>
  readonly signal: AbortSignal
}

async function handOver(context: DrillContext, { name }: Pod, { request, signal }: HandOver): Promise<void> {
  await request()
  await untilSeen(
    async () => {
      const { roles } = await observe(context, signal)
      return primariesOf(roles).some(({ pod }) => pod === name) ? { value: true } : { missing: `${name} as primary` }
    },
    FAILOVER_MS,
    signal,
  )
}

/** Resolves with the current primaries once another server has replaced the frozen one. */
function promoted(context: DrillContext, primary: string, signal: AbortSignal): Promise<string> {
  const { mode } = context.setup
  if (mode === 'standalone') return Promise.resolve('none: there is only one server')
  const want = mode === 'cluster' ? 3 : 1
  return untilSeen(
    async () => {
      const { roles } = await observe(context, signal)
      const primaries = primariesOf(roles).filter(({ pod }) => pod !== primary)
      return primaries.length === want
        ? { value: primaries.map(({ pod }) => pod).join(', ') }
        : { missing: 'a failover' }
    },
    NOT_READY_MS,
    signal,
  )
}

function notReady(context: DrillContext, node: string, signal: AbortSignal): Promise<true> {
  return untilSeen(
    async () => {
      const nodes = await context.workloads.nodes(signal)
      return nodes.some(({ name, ready }) => name === node && !ready)
        ? { value: true }
        : { missing: `node ${node} NotReady` }
    },
    NOT_READY_MS,
    signal,
  )
}
