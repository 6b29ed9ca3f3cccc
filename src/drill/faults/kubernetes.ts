/** All faults on a cluster by name. plan.ts defines which setup can have which fault. */
import { ofComponent } from '../../kube/pods.ts'
import { FAULT_NAMES, type FaultName, isForcedOnRedis } from '../plan.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import type { Installation } from '../targets/kubernetes/installation.ts'
import { REPLICAS, TAGS } from '../targets/kubernetes/values.ts'
import type { FaultInjection } from './fault.ts'
import { nodeFreeze } from './node-freeze.ts'
import { anyOf, overtakenDelete, podDelete, podKill, primaryOf } from './pods.ts'
import { restartAll, upgrade } from './rollout.ts'

type Upgrades = Pick<Installation, 'upgrade'>
type Create = (name: string, context: DrillContext, installation: Upgrades) => FaultInjection

const CREATE: Readonly<Record<FaultName, Create>> = {
  'primary-kill': (name, context) => podKill(name, context, (view) => [primaryOf(view)]),
  'primary-delete': (name, context) => podDelete(name, context, primaryOf),
  'overtaken-delete': overtakenDelete,
  'service-kill': (name, context) => podKill(name, context, (view) => [anyOf(view, 'service')]),
  'primary-service-kill': (name, context) =>
    podKill(name, context, (view) => [primaryOf(view), anyOf(view, 'service')]),
  'primary-sentinel-kill': (name, context) =>
    podKill(name, context, (view) => [primaryOf(view), anyOf(view, 'sentinel')]),
  'redis-all-kill': (name, context) => podKill(name, context, (view) => ofComponent(view.pods, 'redis')),
  'node-freeze': nodeFreeze,
  'upgrade-image': (name, context, installation) =>
    upgrade(name, context, { installation, change: { tag: TAGS.next } }),
  'upgrade-replicas': (name, context, installation) =>
    upgrade(name, context, { installation, change: { replicas: REPLICAS + 1 } }),
  'restart-all': restartAll,
}

/**
 * Returns every fault for this release. A forced loss of Redis servers loses locks, because replication is
 * asynchronous.
 */
export function kubernetesFaults(
  context: DrillContext,
  installation: Upgrades,
): Readonly<Record<FaultName, FaultInjection>> {
  const entries = FAULT_NAMES.map((name): [FaultName, FaultInjection] => [
    name,
    { ...CREATE[name](name, context, installation), losesLocks: isForcedOnRedis(name) },
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an entry for each name
  return Object.fromEntries(entries) as Record<FaultName, FaultInjection>
}

/** Kills the only Postgres server, for a negative control. */
export function postgresKill(context: DrillContext): FaultInjection {
  return podKill('postgres-kill', context, (view) => [anyOf(view, 'postgres')])
}

/** Injects no fault, for a negative control: the drill must be inconclusive. */
export const SKIPPED_FAULT: FaultInjection = {
  name: 'skipped',
  prepare: () => Promise.reject(new Error('no fault was injected')),
}
