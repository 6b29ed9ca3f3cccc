/**
 * Which node to freeze: a worker that holds exactly one Redis master, no replica of that master, and nothing that must
 * go on for the drill to tell anything. When there is none, which replica has to become master first. Pure.
 */
import type { Pod } from '../../kube/pods.ts'
import { primariesOf, type ServerRole } from '../../redis/topology/roles.ts'

export type Placement =
  | { readonly kind: 'freeze'; readonly node: string; readonly master: string }
  | { readonly kind: 'promote'; readonly replica: string; readonly insteadOf: string }
  | { readonly kind: 'impossible'; readonly why: string }

/** Components whose loss would be another drill, or the end of this one. */
const SPARED = ['postgres', 'legacy-backend', 'load', 'canary']

export function placementOf(pods: readonly Pod[], roles: readonly ServerRole[]): Placement {
  const nodeOf = new Map(pods.map(({ name, node }) => [name, node]))
  const spared = new Set(pods.filter(({ component }) => SPARED.includes(component)).map(({ node }) => node))
  const masters = primariesOf(roles)
  const mastersOn = Map.groupBy(masters, ({ pod }) => nodeOf.get(pod) ?? '')
  const isFit = (node: string): boolean => node !== '' && !spared.has(node)
  for (const master of masters) {
    const node = nodeOf.get(master.pod) ?? ''
    const replicas = replicasOf(master, roles)
    if (replicas.length === 0) continue
    const alone = mastersOn.get(node)?.length === 1
    if (isFit(node) && alone && replicas.every(({ pod }) => nodeOf.get(pod) !== node)) {
      return { kind: 'freeze', node, master: master.pod }
    }
  }
  for (const master of masters) {
    const fit = replicasOf(master, roles).find(({ pod }) => {
      const node = nodeOf.get(pod) ?? ''
      const others = mastersOn.get(node)?.filter((other) => other.pod !== master.pod) ?? []
      return isFit(node) && others.length === 0 && node !== nodeOf.get(master.pod)
    })
    if (fit !== undefined) return { kind: 'promote', replica: fit.pod, insteadOf: master.pod }
  }
  return { kind: 'impossible', why: `no worker without ${SPARED.join(', ')} can hold one Redis master alone` }
}

function replicasOf(master: ServerRole, roles: readonly ServerRole[]): readonly ServerRole[] {
  return roles.filter(
    ({ role, cluster }) => role === 'replica' && (cluster === undefined || cluster.primaryId === master.cluster?.id),
  )
}
