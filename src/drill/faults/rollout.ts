/** Faults that change the release: upgrades and restarts. They break nothing, so nothing is undone. */
import { ofComponent, type Pod, readPods } from '../../kube/pods.ts'
import { type DrillContext, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import { type Change, RELEASE } from '../targets/kubernetes/installation.ts'
import { type FaultInjection, nothingToUndo } from './fault.ts'

const ROLLOUT_MS = 420_000

/** Runs helm upgrade. The release keeps the change. */
export function upgrade(name: string, context: DrillContext, change: Change): FaultInjection {
  return {
    name,
    async prepare(_random, signal) {
      const before = ofComponent((await waitUntilHealthy(context, signal)).pods, 'service')
      return {
        inject: (inner) => context.installation.upgrade(change, inner),
        prove: async (inner) => proveUpgrade(change, before, await readPods(context.kubectl, { signal: inner })),
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

const REDIS_SETS = { sentinel: ['redis', 'sentinel'], cluster: ['redis'], standalone: ['redis'], external: [] } as const

/** Restarts the Deployment and every StatefulSet except Postgres, which has one pod. */
export function restartAll(name: string, context: DrillContext): FaultInjection {
  const { kubectl, setup } = context
  const sets: readonly string[] = REDIS_SETS[setup.mode]
  const targets = [`deployment/${RELEASE}`, ...sets.map((set) => `statefulset/${RELEASE}-${set}`)]
  return {
    name,
    async prepare(_random, signal) {
      const before = await waitUntilHealthy(context, signal)
      return {
        async inject(inner) {
          await kubectl.run(['rollout', 'restart', ...targets], { signal: inner })
          const status = (target: string) => ['rollout', 'status', target, `--timeout=${ROLLOUT_MS / 1_000}s`]
          const options = { signal: inner, timeoutMs: ROLLOUT_MS }
          await Promise.all(targets.map((target) => kubectl.run(status(target), options)))
        },
        async prove(inner) {
          const left = new Set((await readPods(kubectl, { signal: inner })).map(({ uid }) => uid))
          const old = before.pods.filter(({ component }) => component === 'service' || sets.includes(component))
          const stayed = old.filter(({ uid, component }) => component !== 'service' && left.has(uid))
          if (stayed.length > 0) throw new Error(`not restarted: ${stayed.map((pod) => pod.name).join(', ')}`)
          return `${old.length} pods have new UIDs: ${targets.join(', ')}`
        },
        undo: nothingToUndo,
      }
    },
  }
}
