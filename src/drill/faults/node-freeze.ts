/** A node stops as if it had lost its power for a while: every process on it, its kubelet among them. */
import { rmSync, writeFileSync } from 'node:fs'
import { readNodes } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import { systemClock } from '../../std/clock.ts'
import { redisShell } from '../targets/kubernetes/redis-view.ts'
import { type DrillContext, look, type Strike, type StrikeContext, type View, waitUntilHealthy } from './context.ts'
import { type Placement, placementOf } from './placement.ts'

/** Told to whoever shares the cluster. */
const NOTICE = '/tmp/kind-node-fault'
/** Longest time until the control plane calls it NotReady: node-monitor-grace-period is 40 to 50 s by default. */
const NOT_READY_MS = 90_000
const FAILOVER_MS = 60_000
/** With the node known to be gone, so that the figures show how the rest serves without it. */
const BEYOND_MS = 8_000
const PROMOTIONS = 4
const SHELL_MS = 30_000
/** Sentinels read a replica's priority every 10 s. */
const NOTICED_MS = 11_000

type Freeze = Extract<Placement, { kind: 'freeze' }>

export const freezeNode: Strike = async (stage, before, context) => {
  const { node, master } = await placed(stage, before, context.signal)
  const { docker, say } = stage
  const options = { signal: context.signal, timeoutMs: 20_000 }
  say(`freezing ${node}, which holds the master ${master}`)
  writeFileSync(NOTICE, `${node}\n`)
  try {
    context.struck()
    await docker.pause(node, options)
    if (!(await docker.isPaused(node, options))) throw new Error(`${node} is not paused`)
    const [leader] = await Promise.all([promoted(stage, master, context), notReady(stage, node, context)])
    await systemClock.sleep(BEYOND_MS, context.signal)
    return `${node} paused and NotReady; master ${master} followed by ${leader}`
  } finally {
    // also when it is interrupted: a node must not stay frozen
    await docker.unpause(node, { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 })
    rmSync(NOTICE, { force: true })
    say(`thawed ${node}`)
  }
}

/** Hands over until a master stands where it can be frozen. */
async function placed(stage: DrillContext, before: View, signal: AbortSignal): Promise<Freeze> {
  let view = before
  for (let turn = 0; turn < PROMOTIONS; turn++) {
    const placement = placementOf(view.pods, view.roles)
    if (placement.kind === 'freeze') return placement
    if (placement.kind === 'impossible') throw new Error(placement.why)
    stage.say(`handing over from ${placement.insteadOf} to ${placement.replica}, to have a node to freeze`)
    await promote(stage, placement.replica, signal)
    view = await waitUntilHealthy(stage, signal)
  }
  throw new Error(`after ${PROMOTIONS} hand-overs no node holds exactly one master alone`)
}

function promote(stage: DrillContext, replica: string, signal: AbortSignal): Promise<void> {
  return stage.setup.mode === 'cluster'
    ? handOver(stage, replica, { script: 'local_cli CLUSTER FAILOVER', signal })
    : preferred(stage, replica, signal)
}

/** Sentinels choose the replica of the smallest number above 0. */
async function preferred(stage: DrillContext, replica: string, signal: AbortSignal): Promise<void> {
  const prefer = (priority: number, bound: AbortSignal): Promise<string> => {
    const script = `local_cli CONFIG SET replica-priority ${priority}`
    return redisShell(stage.kubectl, replica, script, { signal: bound, timeoutMs: SHELL_MS })
  }
  await prefer(1, signal)
  try {
    await systemClock.sleep(NOTICED_MS, signal)
    const script = 'sentinel_at "$(sentinel_hosts | head -n 1)" SENTINEL FAILOVER ingot'
    await handOver(stage, replica, { script, signal })
  } finally {
    await prefer(100, AbortSignal.timeout(SHELL_MS))
  }
}

interface HandOver {
  /** Asks for it, in the replica's shell. */
  readonly script: string
  readonly signal: AbortSignal
}

async function handOver(stage: DrillContext, replica: string, { script, signal }: HandOver): Promise<void> {
  await redisShell(stage.kubectl, replica, script, { signal, timeoutMs: SHELL_MS })
  await untilSeen(
    async () => {
      const { roles } = await look(stage, signal)
      return primariesOf(roles).some(({ pod }) => pod === replica)
        ? { value: true }
        : { missing: `${replica} is no master` }
    },
    FAILOVER_MS,
    signal,
  )
}

/** Who leads in the place of the frozen master. */
function promoted(stage: DrillContext, master: string, { signal }: StrikeContext): Promise<string> {
  if (stage.setup.mode === 'standalone') return Promise.resolve('nobody: there is only one')
  return untilSeen(
    async () => {
      const { roles } = await look(stage, signal)
      const leaders = primariesOf(roles).filter(({ pod }) => pod !== master)
      const want = stage.setup.mode === 'cluster' ? 3 : 1
      return leaders.length === want
        ? { value: leaders.map(({ pod }) => pod).join(', ') }
        : { missing: 'no failover yet' }
    },
    NOT_READY_MS,
    signal,
  )
}

function notReady(stage: DrillContext, node: string, { signal }: StrikeContext): Promise<true> {
  return untilSeen(
    async () => {
      const nodes = await readNodes(stage.kubectl, { signal })
      return nodes.some(({ name, ready }) => name === node && !ready)
        ? { value: true }
        : { missing: `${node} is still called Ready` }
    },
    NOT_READY_MS,
    signal,
  )
}
