/** Role labels of the pods, and the Services of the primary and of the replicas. Pure. */
import type { KubeObject } from '../../kube/client/resource.ts'
import type { TopologyPod } from './pods.ts'
import { type PodSet, portOf, type TopologyView } from './view.ts'

export const ROLE_LABEL = 'ingot.dev/role'

export interface RoleChange {
  readonly pod: string
  readonly role: 'primary' | 'replica'
}

/**
 * Returns the pods whose label differs from the role of their server. Returns none while there are several primaries where
 * one is right. A former primary that is silent loses its label when it has a successor.
 */
export function roleChanges({ mode, servers }: TopologyView, pods: readonly TopologyPod[]): readonly RoleChange[] {
  const primaries = servers.filter(({ role, cluster }) => role === 'primary' && (cluster?.slots ?? 1) > 0)
  if (mode !== 'cluster' && primaries.length > 1) return []
  const roles = new Map(servers.map(({ pod, role }) => [pod, role]))
  return pods.flatMap(({ metadata: { name }, labels }) => {
    const current = labels[ROLE_LABEL]
    const isReplaced = mode !== 'cluster' && primaries.length === 1 && current === 'primary'
    const role = roles.get(name) ?? (isReplaced ? 'replica' : undefined)
    return role === undefined || role === current ? [] : [{ pod: name, role }]
  })
}

/** Labels that the Services select beside the role. */
export type Selector = Readonly<Record<string, string>>

/**
 * Returns the Services `SET-primary` and `SET-replicas`. In a cluster, clients find the servers by themselves, so there are
 * none. The topology owns them, so they go with it.
 */
export function servicesOf(topology: KubeObject, set: PodSet, selector: Selector): readonly KubeObject[] {
  const [first] = set.pods
  if (first === undefined || Object.keys(selector).length === 0) return []
  const { name, namespace, uid = '' } = topology.metadata
  const owner = { apiVersion: 'ingot.dev/v1alpha1', kind: 'RedisTopology', name, uid, controller: true }
  const port = portOf(first, set)
  const service = (suffix: string, role: RoleChange['role']): KubeObject => ({
    metadata: {
      name: `${set.name}-${suffix}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { 'app.kubernetes.io/managed-by': 'ingot-operator' },
      ownerReferences: [owner],
    },
    spec: {
      selector: { ...selector, [ROLE_LABEL]: role },
      ports: [{ name: set.port.name, port: set.port.number, targetPort: port, protocol: 'TCP' }],
    },
  })
  return [service('primary', 'primary'), service('replicas', 'replica')]
}
