/** Faults that change the release: upgrades and restarts. They break nothing, so nothing is undone. */
import { ofComponent, type Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { isRolledOut, type Workload } from '../../kube/workloads.ts'
import { type DrillContext, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import type { Change, Installation } from '../targets/kubernetes/installation.ts'
import { type FaultInjection, nothingToUndo } from './fault.ts'

const ROLLOUT_MS = 420_000

/** Runs helm upgrade. The release keeps the change. */
export function upgrade(
  name: string,
  context: DrillContext,
  { installation, change }: { readonly installation: Pick<Installation, 'upgrade'>; readonly change: Change },
): FaultInjection {
  return {
    name,
    async prepare(_random, signal) {
      const before = ofComponent((await waitUntilHealthy(context, signal)).pods, 'service')
      return {
        inject: (inner) => installation.upgrade(change, inner),
        prove: async (inner) => proveUpgrade(change, before, await context.workloads.pods(inner)),
        undo: nothingToUndo,
      }
    },
  }
}

function proveUpgrade(change: Change, before: readonly Pod[], pods: readonly Pod[]): string {
  const now = ofComponent(pods, 'service').filter(({ leaving }) => !leaving)
  const fresh = now.filter(({ uid }) => !before.some((pod) => pod.uid === uid))
  if (change.replicas !== undefined) {
    if (now.length !== change.replicas) throw new Error(`there are ${now.length} pods, not ${change.replicas}`)
    const names = fresh.map(({ name }) => name).join(', ')
    return `${before.length} pods of the service before, ${now.length} after; new: ${names}`
  }
  const images = new Set(now.map(({ image }) => image))
  if (fresh.length !== now.length) throw new Error(`only ${fresh.length} of ${now.length} pods of the service are new`)
  return `all ${now.length} pods of the service are new, with image ${[...images].join(', ')}`
}

const RESTARTED: readonly string[] = ['service', 'redis', 'sentinel']

/** Restarts the Deployment and every StatefulSet except Postgres, which has one pod. */
export function restartAll(name: string, context: DrillContext): FaultInjection {
  const { workloads } = context
  return {
    name,
    async prepare(_random, signal) {
      const before = await waitUntilHealthy(context, signal)
      const targets = (await workloads.workloads(signal)).filter(({ component }) => RESTARTED.includes(component))
      return {
        async inject(inner) {
          await Promise.all(targets.map((target) => workloads.roll(target, undefined, inner)))
          await rolledOut(context, targets, inner)
        },
        async prove(inner) {
          const left = new Set((await workloads.pods(inner)).map(({ uid }) => uid))
          const old = before.pods.filter(({ component }) => RESTARTED.includes(component))
          const stayed = old.filter(({ uid, component }) => component !== 'service' && left.has(uid))
          if (stayed.length > 0) throw new Error(`not restarted: ${stayed.map((pod) => pod.name).join(', ')}`)
          return `${old.length} pods have new UIDs: ${targets.map(nameOf).join(', ')}`
        },
        undo: nothingToUndo,
      }
    },
  }
}

const nameOf = ({ kind, name }: Workload): string => `${kind.toLowerCase()}/${name}`

/** Resolves when the controllers have replaced all pods. Rejects after seven minutes with the workloads that are left. */
export function rolledOut(
  { workloads }: DrillContext,
  targets: readonly Workload[],
  signal: AbortSignal,
): Promise<true> {
  const names = new Set(targets.map(nameOf))
  return untilSeen(
    async () => {
      const now = (await workloads.workloads(signal)).filter((one) => names.has(nameOf(one)))
      const left = now.filter((one) => !isRolledOut(one))
      return left.length === 0 ? { value: true } : { missing: `the rollout of ${left.map(nameOf).join(', ')}` }
    },
    ROLLOUT_MS,
    signal,
  )
}
