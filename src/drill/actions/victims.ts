/** Chooses the pods of a fault, and refuses a choice beyond the safety limits of the drill. Pure. */
import { ofComponent, type Pod } from '../../kube/pods.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import type { DrillSpec, FaultSpec, TargetSpec } from '../spec/schema.ts'
import type { View } from '../targets/kubernetes/context.ts'
import { Refusal } from './action.ts'

type Choice = Pick<TargetSpec, 'component' | 'role' | 'count'>

/**
 * Returns the pods to hit. `earlier` has those of the faults before. Throws a Refusal if there are fewer than the target
 * names.
 */
export function victimsOf(
  { target }: Pick<FaultSpec, 'target'>,
  view: Pick<View, 'pods' | 'roles'>,
  earlier: ReadonlyMap<string, readonly Pod[]>,
): readonly Pod[] {
  if (target === undefined) return []
  if (target.sameAs !== undefined) return again(target.sameAs, earlier)
  const chosen: Pod[] = []
  for (const choice of [target, ...(target.and ?? [])]) chosen.push(...pick(choice, view, chosen))
  return chosen
}

function again(name: string, earlier: ReadonlyMap<string, readonly Pod[]>): readonly Pod[] {
  const pods = earlier.get(name)
  if (pods === undefined) throw new Refusal(`no fault before this one has the name "${name}"`)
  return pods
}

function pick(
  { component, role = 'any', count = 1 }: Choice,
  { pods, roles }: Pick<View, 'pods' | 'roles'>,
  taken: readonly Pod[],
) {
  const primaries = new Set(primariesOf(roles).map(({ pod }) => pod))
  const replicas = new Set(roles.filter((one) => one.role === 'replica').map(({ pod }) => pod))
  const fits = ({ name }: Pod): boolean =>
    role === 'any' || (role === 'primary' ? primaries.has(name) : replicas.has(name))
  const found = ofComponent(pods, component).filter((pod) => !pod.leaving && !taken.includes(pod) && fits(pod))
  const what = role === 'any' ? component : `${component} ${role}`
  if (found.length === 0) throw new Refusal(`there is no pod of ${what}`)
  if (count > found.length) throw new Refusal(`there are ${found.length} pods of ${what}, and the fault needs ${count}`)
  return count === 0 ? found : found.slice(0, count)
}

/** Pods that are broken at the same time, and the release that they belong to. */
export interface Damage {
  readonly broken: readonly Pod[]
  readonly view: Pick<View, 'pods' | 'roles'>
  readonly mode: string
  /** True for faults that the user has named. Scenarios may break a majority, because that is their purpose. */
  readonly isOwn: boolean
}

/** Returns why the damage is beyond the limits, or undefined. */
export function beyondSafety(
  { broken, view, mode, isOwn }: Damage,
  safety: DrillSpec['safety'] = {},
): string | undefined {
  const { maxPods, maxNodes, keepMajority = true } = safety
  if (maxPods !== undefined && broken.length > maxPods)
    return `${broken.length} pods would be broken at the same time, and safety.maxPods is ${maxPods}`
  const nodes = new Set(broken.map(({ node }) => node))
  if (maxNodes !== undefined && nodes.size > maxNodes && broken.length > maxNodes)
    return `pods on ${nodes.size} nodes would be broken at the same time, and safety.maxNodes is ${maxNodes}`
  return isOwn && keepMajority ? withoutMajority({ broken, view, mode }) : undefined
}

function withoutMajority({ broken, view, mode }: Omit<Damage, 'isOwn'>): string | undefined {
  const names = new Set(broken.map(({ name }) => name))
  const voters =
    mode === 'cluster'
      ? primariesOf(view.roles).map(({ pod }) => pod)
      : ofComponent(view.pods, 'sentinel').map(({ name }) => name)
  const left = voters.filter((name) => !names.has(name)).length
  if (voters.length < 3 || left * 2 > voters.length) return undefined
  const what = mode === 'cluster' ? 'primaries' : 'Sentinels'
  return `${voters.length - left} of ${voters.length} ${what} would be broken: set safety.keepMajority to false to allow it`
}
