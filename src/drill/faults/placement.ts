/**
 * Chooses the node to freeze: a worker that holds exactly one Redis primary, no replica of that primary, and nothing
 * that the drill needs. If there is none, chooses the replica that must become primary first. Pure.
 */
import type { Pod } from '../../kube/pods.ts'
import { primariesOf, type ServerRole } from '../../redis/topology/roles.ts'

export type Placement =
  | { readonly kind: 'freeze'; readonly node: string; readonly primary: string }
  | { readonly kind: 'promote'; readonly replica: string; readonly insteadOf: string }
  | { readonly kind: 'impossible'; readonly why: string }

/** Components whose loss would be another fault, or would end the drill. */
const SPARED = ['postgres', 'legacy-backend', 'load', 'canary']

/** Returns the node to freeze, the replica to promote first, or the reason why neither exists. */
export function placementOf(pods: readonly Pod[], roles: readonly ServerRole[]): Placement {
  const nodeOf = new Map(pods.map(({ name, node }) => [name, node]))
  const spared = new Set(pods.filter(({ component }) => SPARED.includes(component)).map(({ node }) => node))
  const primaries = primariesOf(roles)
  const primariesOn = Map.groupBy(primaries, ({ pod }) => nodeOf.get(pod) ?? '')
  const isFit = (node: string): boolean => node !== '' && !spared.has(node)
  for (const primary of primaries) {
    const node = nodeOf.get(primary.pod) ?? ''
    const replicas = replicasOf(primary, roles)
    if (replicas.length === 0) continue
    const isAlone = primariesOn.get(node)?.length === 1
    if (isFit(node) && isAlone && replicas.every(({ pod }) => nodeOf.get(pod) !== node)) {
      return { kind: 'freeze', node, primary: primary.pod }
    }
  }
  for (const primary of primaries) {
    const fit = replicasOf(primary, roles).find(({ pod }) => {
      const node = nodeOf.get(pod) ?? ''
      const others = primariesOn.get(node)?.filter((other) => other.pod !== primary.pod) ?? []
      return isFit(node) && others.length === 0 && node !== nodeOf.get(primary.pod)
    })
    if (fit !== undefined) return { kind: 'promote', replica: fit.pod, insteadOf: primary.pod }
  }
  return { kind: 'impossible', why: `no worker without ${SPARED.join(', ')} can hold one Redis primary alone` }
}

function replicasOf(primary: ServerRole, roles: readonly ServerRole[]): readonly ServerRole[] {
  return roles.filter(
    ({ role, cluster }) => role === 'replica' && (cluster === undefined || cluster.primaryId === primary.cluster?.id),
  )
}
