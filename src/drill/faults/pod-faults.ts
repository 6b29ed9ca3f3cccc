/** All faults by name: pods killed or deleted, and rollouts. Freezing a node has a module of its own. */

import { ofComponent, type Pod, readPods } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import { systemClock } from '../../std/clock.ts'
import type { FaultName } from '../plan.ts'
import { type Change, RELEASE } from '../targets/kind/installation.ts'
import { REPLICAS, TAGS } from '../targets/kind/values.ts'
import { awaitMaster } from '../targets/kubernetes/redis-view.ts'
import { type DrillContext, look, type Strike, type StrikeContext, type View } from './context.ts'
import { freezeNode } from './node-freeze.ts'

/** How long a pod may take to be gone, and another to stand in its place, milliseconds. */
const GONE_MS = 120_000
const ROLLOUT_MS = 420_000

export const POD_FAULTS: Readonly<Record<FaultName, Strike>> = {
  'primary-kill': kill((view) => [masterOf(view)]),
  'primary-delete': deleteGracefully((view) => masterOf(view)),
  'overtaken-delete': overtakenDelete,
  'service-kill': kill((view) => [anyOf(view, 'service')]),
  'primary-service-kill': kill((view) => [masterOf(view), anyOf(view, 'service')]),
  'primary-sentinel-kill': kill((view) => [masterOf(view), anyOf(view, 'sentinel')]),
  'redis-all-kill': kill((view) => ofComponent(view.pods, 'redis')),
  'node-freeze': freezeNode,
  'upgrade-image': (stage, before, context) => upgrade(stage, before, { ...context, change: { tag: TAGS.next } }),
  'upgrade-replicas': (stage, before, context) =>
    upgrade(stage, before, { ...context, change: { replicas: REPLICAS + 1 } }),
  'restart-all': restartAll,
}

/** For a control: the store's only server, without a warning. */
export const killPostgres: Strike = kill((view) => [anyOf(view, 'postgres')])

function masterOf(view: View): Pod {
  const [master] = primariesOf(view.roles)
  return named(view.pods, master?.pod ?? '')
}

function named(pods: readonly Pod[], name: string): Pod {
  const pod = pods.find((one) => one.name === name)
  if (pod === undefined) throw new Error(`there is no pod "${name}"`)
  return pod
}

function anyOf(view: View, component: string): Pod {
  const [pod] = ofComponent(view.pods, component)
  if (pod === undefined) throw new Error(`there is no pod of component ${component}`)
  return pod
}

/** SIGKILL to its first process, and at once the pod deleted without grace: no preStop, no handler is run. */
function kill(choose: (view: View) => readonly Pod[]): Strike {
  return async (stage, before, context) => {
    const victims = choose(before)
    context.struck()
    await killPods(stage, victims, context.signal)
    return proven(stage, before, victims, context)
  }
}

async function killPods(
  { kubectl, docker }: DrillContext,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, timeoutMs: 30_000 }
  await Promise.all(victims.map(({ node, containerId }) => docker.killContainer(node, containerId, options)))
  const names = victims.map(({ name }) => name)
  await kubectl.run(['delete', 'pod', ...names, '--grace-period=0', '--force', '--wait=false'], options)
}

function deleteGracefully(choose: (view: View) => Pod): Strike {
  return async (stage, before, context) => {
    const victim = choose(before)
    context.struck()
    const options = { signal: context.signal, timeoutMs: GONE_MS }
    await stage.kubectl.run(['delete', 'pod', victim.name, '--wait=true', `--timeout=${GONE_MS / 1_000}s`], options)
    return proven(stage, before, [victim], context)
  }
}

/** How long the graceful delete runs alone: long enough for a hand-over to have begun, too short for it to have ended. */
const OVERTAKEN_AFTER_MS = 700

/** The forced delete takes the pod's name and addresses away while its processes live on. */
async function overtakenDelete(stage: DrillContext, before: View, context: StrikeContext): Promise<string> {
  const { signal } = context
  const first = masterOf(before)
  const options = { signal, timeoutMs: GONE_MS }
  context.struck()
  await stage.kubectl.run(['delete', 'pod', first.name, '--wait=false'], options)
  await systemClock.sleep(OVERTAKEN_AFTER_MS, signal)
  const leaving = (await readPods(stage.kubectl, { signal })).some((pod) => pod.uid === first.uid && pod.leaving)
  if (!leaving) throw new Error(`${first.name} was gone before the forced delete could overtake the graceful one`)
  await stage.kubectl.run(['delete', 'pod', first.name, '--grace-period=0', '--force', '--wait=false'], options)
  const successor = await successorOf(stage, before, first, signal)
  await killPods(stage, [successor], signal)
  return proven(stage, before, [first, successor], context)
}

/**
 * The pod that leads now and did not before, found by a loop within the cluster: it has to be killed before a replica
 * follows it. When the deleted pod comes back as master itself, that one.
 */
async function successorOf(stage: DrillContext, before: View, first: Pod, signal: AbortSignal): Promise<Pod> {
  const were = new Set(primariesOf(before.roles).map(({ pod }) => pod))
  const others = ofComponent(before.pods, 'redis').filter(({ name }) => !were.has(name))
  const found = await awaitMaster(stage.kubectl, others, { signal, timeoutMs: GONE_MS }).catch(() => undefined)
  signal.throwIfAborted()
  return untilSeen(
    async () => {
      const { pods, roles } = await look(stage, signal)
      const leader = primariesOf(roles).find(({ pod }) => !were.has(pod) || pod === first.name)?.pod
      const pod = pods.find(({ name, uid }) => name === (found ?? leader) && uid !== first.uid)
      return pod === undefined ? { missing: 'nobody took over' } : { value: pod }
    },
    GONE_MS,
    signal,
  )
}

/** All victims' UIDs are gone; and who is master now. */
async function proven(
  stage: DrillContext,
  before: View,
  victims: readonly Pod[],
  { signal }: StrikeContext,
): Promise<string> {
  await untilSeen(
    async () => {
      const left = new Set((await readPods(stage.kubectl, { signal })).map(({ uid }) => uid))
      const there = victims.filter(({ uid }) => left.has(uid))
      return there.length === 0
        ? { value: true }
        : { missing: `still there: ${there.map(({ name }) => name).join(', ')}` }
    },
    GONE_MS,
    signal,
  )
  const after = await mastersAfter(stage, signal)
  const was = primariesOf(before.roles).map(({ pod }) => pod)
  const uids = victims.map(({ name, uid }) => `${name} ${uid.slice(0, 8)}`)
  return `pods with these UIDs are gone: ${uids.join(', ')}; masters were ${was.join(', ')}, are ${after}`
}

/** Once somebody leads again; a drill whose Redis does not come back is judged by what follows it. */
async function mastersAfter(stage: DrillContext, signal: AbortSignal): Promise<string> {
  if (stage.setup.mode === 'external') return 'none'
  const masters = await untilSeen(
    async () => {
      const found = primariesOf((await look(stage, signal)).roles)
      return found.length > 0 ? { value: found } : { missing: 'no master' }
    },
    GONE_MS,
    signal,
  ).catch(() => [])
  return masters.map(({ pod }) => pod).join(', ') || 'nobody yet'
}

interface Upgrade extends StrikeContext {
  readonly change: Change
}

async function upgrade(stage: DrillContext, before: View, { signal, struck, change }: Upgrade): Promise<string> {
  struck()
  await stage.installation.upgrade(change, signal)
  const then = ofComponent(before.pods, 'service')
  const now = ofComponent(await readPods(stage.kubectl, { signal }), 'service').filter(({ leaving }) => !leaving)
  const fresh = now.filter(({ uid }) => !then.some((pod) => pod.uid === uid))
  if (change.replicas !== undefined) {
    if (now.length !== change.replicas) throw new Error(`there are ${now.length} pods, not ${change.replicas}`)
    return `${then.length} pods of the service before, ${now.length} after; new: ${fresh.map(({ name }) => name).join(', ')}`
  }
  const images = new Set(now.map(({ image }) => image))
  if (fresh.length !== now.length) throw new Error(`only ${fresh.length} of ${now.length} pods of the service are new`)
  return `all ${now.length} pods of the service are new, with image ${[...images].join(', ')}`
}

const REDIS_SETS = { sentinel: ['redis', 'sentinel'], cluster: ['redis'], standalone: ['redis'], external: [] } as const

/** The Deployment and every StatefulSet but the trial Postgres, which is one pod and has no other to serve meanwhile. */
async function restartAll(stage: DrillContext, before: View, { signal, struck }: StrikeContext): Promise<string> {
  const { kubectl, setup } = stage
  const sets: readonly string[] = REDIS_SETS[setup.mode]
  const targets = [`deployment/${RELEASE}`, ...sets.map((set) => `statefulset/${RELEASE}-${set}`)]
  struck()
  await kubectl.run(['rollout', 'restart', ...targets], { signal })
  await Promise.all(
    targets.map((target) =>
      kubectl.run(['rollout', 'status', target, `--timeout=${ROLLOUT_MS / 1_000}s`], { signal, timeoutMs: ROLLOUT_MS }),
    ),
  )
  const left = new Set((await readPods(kubectl, { signal })).map(({ uid }) => uid))
  const old = before.pods.filter(({ component }) => component === 'service' || sets.includes(component))
  const stayed = old.filter(({ uid, component }) => component !== 'service' && left.has(uid))
  if (stayed.length > 0) throw new Error(`not restarted: ${stayed.map(({ name }) => name).join(', ')}`)
  return `${old.length} pods have new UIDs: ${targets.join(', ')}`
}
