/** Topologies whose servers and Sentinels are those of redis/fake-servers.ts. */
import type { KubeApi } from '../../kube/client/api.ts'
import { REDIS_TOPOLOGIES } from '../../operator/kinds/redis-topology.ts'
import { PODS } from '../../operator/topology/pods.ts'
import { keepTopology, type TopologyObject } from '../../operator/topology/topology-object.ts'

const NAMESPACE = 'default'
const NODES = 3
/** Servers and Sentinels of one topology. */
export const SERVERS = 2 * NODES
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Creates the topology `tNUMBER` with its pods. All servers listen on `port`. */
export async function createFakeTopology(api: KubeApi, topology: number, port: number): Promise<void> {
  const sets = [
    { set: `t${topology}-redis`, name: 'redis', net: 1 },
    { set: `t${topology}-sentinel`, name: 'sentinel', net: 2 },
  ]
  for (const { set, name, net } of sets) {
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid: crypto.randomUUID(), controller: true }
    for (let index = 0; index < NODES; index++) {
      const pod = `${set}-${index}`
      const metadata = { name: pod, namespace: NAMESPACE, labels: { app: set }, ownerReferences: [owner] }
      const containers = [{ name, image: 'redis', ports: [{ name, containerPort: port }] }]
      await api.create(PODS, { metadata, spec: { containers } }, soon())
      const podIP = `127.${net}.${topology}.${index}`
      const status = { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] }
      await api.applyStatus(PODS, { metadata: { name: pod, namespace: NAMESPACE }, status }, soon())
    }
  }
  const sentinel = { statefulSet: `t${topology}-sentinel`, replicas: NODES, quorum: 2 }
  const spec = { mode: 'Sentinel', statefulSet: `t${topology}-redis`, size: NODES, sentinel }
  await api.create(REDIS_TOPOLOGIES, { metadata: { name: `t${topology}`, namespace: NAMESPACE }, spec }, soon())
}

/** Resolves with the number of topologies whose condition Ready is True. */
export async function countReady(api: KubeApi): Promise<number> {
  const { items } = await api.list(REDIS_TOPOLOGIES, {}, soon())
  const isReady = ({ before }: TopologyObject): boolean =>
    before.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
  return items.map(keepTopology).filter(isReady).length
}
