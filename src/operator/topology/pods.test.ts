import { expect, test } from 'vitest'
import type { KubeObject } from '../../kube/client/resource.ts'
import { keepPod, podsOf, selectorOf } from './pods.ts'

const pod = (name: string, more: Partial<KubeObject['metadata']> = {}, rest: object = {}): KubeObject => ({
  metadata: {
    name,
    namespace: 'shop',
    labels: { app: 'redis', 'statefulset.kubernetes.io/pod-name': name },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'r', uid: 'u', controller: true }],
    ...more,
  },
  spec: { containers: [{ name: 'redis', ports: [{ name: 'redis', containerPort: 6_400 }, { containerPort: 1 }] }] },
  status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
  ...rest,
})

test('address, ports, owner and readiness of a pod are kept, and nothing that is not used', () => {
  const kept = keepPod(pod('r-0', { annotations: { large: 'x'.repeat(1_000) }, resourceVersion: '7' }))
  expect(kept).toEqual({
    metadata: { name: 'r-0', namespace: 'shop', resourceVersion: '7' },
    statefulSet: 'r',
    node: '',
    subdomain: '',
    ready: true,
    ip: '10.0.0.1',
    ports: { redis: 6_400 },
    labels: { app: 'redis', 'statefulset.kubernetes.io/pod-name': 'r-0' },
  })
})

test.each<[string, object, object]>([
  ['is pending', { status: { conditions: [] } }, { ready: false, ip: '' }],
  ['has no status', { status: undefined }, { ready: false, ip: '' }],
  ['is of a shape that the API never sends', { spec: 5 }, { ready: false, ports: {} }],
])('a pod that %s is kept without what it lacks', (_what, rest, kept) => {
  expect(keepPod(pod('r-0', {}, rest))).toMatchObject(kept)
})

test('pods belong to a topology by their controller and namespace, in the order of their numbers', () => {
  const pods = [
    pod('r-10'),
    pod('r-2'),
    pod('other-0', { namespace: 'elsewhere' }),
    pod('copy-0', { ownerReferences: [] }),
    pod('owned-0', {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'r', uid: 'u', controller: false }],
    }),
  ].map(keepPod)
  expect(podsOf(pods, 'shop', 'r').map(({ metadata }) => metadata.name)).toEqual(['r-2', 'r-10'])
})

test('the selector has the labels that the pods share', () => {
  expect(selectorOf([pod('r-0'), pod('r-1')].map(keepPod))).toBe('app=redis')
  expect(selectorOf([pod('r-0'), pod('r-1', { labels: { app: 'other' } })].map(keepPod))).toBe('')
  expect(selectorOf([])).toBe('')
})
