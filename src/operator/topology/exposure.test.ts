import { expect, test } from 'vitest'
import { roleChanges, servicesOf } from './exposure.ts'
import type { TopologyPod } from './pods.ts'
import type { PodSet, ServerState, TopologyView } from './view.ts'

const pod = (name: string, role?: string): TopologyPod => ({
  metadata: { name, namespace: 'shop' },
  statefulSet: 'r',
  ready: true,
  ip: '10.0.0.1',
  ports: { redis: 6400 },
  labels: { app: 'r', ...(role === undefined ? {} : { 'ingot.dev/role': role }) },
  node: 'm',
  subdomain: 'h',
})
const server = (name: string, role: 'primary' | 'replica', slots?: number): ServerState => ({
  pod: name,
  role,
  synced: true,
  replicas: 0,
  keys: 0,
  machine: 'm',
  host: '10.0.0.1',
  port: 6400,
  ...(slots === undefined ? {} : { cluster: { ok: true, id: name, primaryId: '', slots } }),
})
const view = (mode: TopologyView['mode'], ...servers: readonly ServerState[]): TopologyView => ({
  mode,
  size: 3,
  primaries: 1,
  statefulSet: 'r',
  sentinelCount: 0,
  servers,
  sentinels: [],
})

test('each pod gets the role of its server, and one that has it already is left alone', () => {
  const pods = [pod('r-0', 'replica'), pod('r-1'), pod('r-2', 'replica')]
  const seen = view('sentinel', server('r-0', 'primary'), server('r-1', 'replica'), server('r-2', 'replica'))
  expect(roleChanges(seen, pods)).toEqual([
    { pod: 'r-0', role: 'primary' },
    { pod: 'r-1', role: 'replica' },
  ])
})

test('a silent primary keeps its label until it has a successor', () => {
  const pods = [pod('r-0', 'primary'), pod('r-1', 'replica')]
  expect(roleChanges(view('sentinel', server('r-1', 'replica')), pods)).toEqual([])
  expect(roleChanges(view('sentinel', server('r-1', 'primary')), pods)).toEqual([
    { pod: 'r-0', role: 'replica' },
    { pod: 'r-1', role: 'primary' },
  ])
})

test('beside two primaries no label changes, but in a cluster several are right', () => {
  const pods = [pod('r-0', 'primary'), pod('r-1', 'replica')]
  expect(roleChanges(view('sentinel', server('r-0', 'primary'), server('r-1', 'primary')), pods)).toEqual([])
  const cluster = view('cluster', server('r-0', 'primary', 9), server('r-1', 'primary', 9))
  expect(roleChanges(cluster, pods)).toEqual([{ pod: 'r-1', role: 'primary' }])
})

test('two Services select by role, on the port of the pods, and belong to the topology', () => {
  const set: PodSet = { name: 'r', size: 2, pods: [pod('r-0'), pod('r-1')], port: { name: 'redis', number: 6379 } }
  const topology = { metadata: { name: 'shop', namespace: 'shop', uid: 'u1' } }
  const services = servicesOf(topology, set, { app: 'r' })
  expect(services.map(({ metadata, spec }) => ({ name: metadata.name, spec }))).toEqual([
    {
      name: 'r-primary',
      spec: {
        selector: { app: 'r', 'ingot.dev/role': 'primary' },
        ports: [{ name: 'redis', port: 6379, targetPort: 6400, protocol: 'TCP' }],
      },
    },
    {
      name: 'r-replicas',
      spec: expect.objectContaining({ selector: { app: 'r', 'ingot.dev/role': 'replica' } }) as unknown,
    },
  ])
  expect(services[0]?.metadata.ownerReferences).toMatchObject([{ kind: 'RedisTopology', uid: 'u1' }])
})

test('without labels to select by there are no Services: they would select every pod', () => {
  const set: PodSet = { name: 'r', size: 1, pods: [pod('r-0')], port: { name: 'redis', number: 6379 } }
  expect(servicesOf({ metadata: { name: 'shop' } }, set, {})).toEqual([])
})
