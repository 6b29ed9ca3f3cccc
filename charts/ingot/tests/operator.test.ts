/** Tests what a release gives to the operator: a RedisTopology, a Role, network policies, and a user in the ACLs. */
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { REDIS_TOPOLOGY_SPEC } from '../../../src/operator/kinds/redis-topology.ts'
import { find, kinds, type Manifest, podOf, refusal, render } from './helm.ts'

const ALWAYS = 'operator.resources="always"'
const API = ['--api-versions', 'ingot.dev/v1alpha1/RedisTopology']

/** Names of the objects that only the operator needs. */
const objectsOf = (manifests: readonly Manifest[]): readonly string[] => [
  ...kinds(manifests, 'RedisTopology'),
  ...kinds(manifests, 'Role'),
  ...kinds(manifests, 'RoleBinding'),
  ...kinds(manifests, 'NetworkPolicy').filter((name) => name.endsWith('-operator')),
]

const topologyOf = (mode: string, changes: readonly string[] = []): unknown =>
  find(render(mode, [ALWAYS, ...changes]), 'RedisTopology', 'ingot-redis').spec

describe('the objects for the operator', () => {
  const all = [
    'ingot-redis',
    'ingot-redis-operator',
    'ingot-redis-operator',
    'ingot-redis-operator',
    'ingot-sentinel-operator',
    'ingot-service-operator',
  ]

  test('exist if the cluster knows RedisTopology', () => {
    expect(objectsOf(render('postgres'))).toEqual([])
    expect(objectsOf(render('postgres', [], 'ingot', API))).toEqual(all)
  })

  test('always exist, or never', () => {
    expect(objectsOf(render('postgres', [ALWAYS]))).toEqual(all)
    expect(objectsOf(render('postgres', ['operator.resources="never"'], 'ingot', API))).toEqual([])
  })

  test('do not exist for an external Redis', () => {
    expect(objectsOf(render('external', [], 'ingot', API))).toEqual([])
    expect(refusal('external', [ALWAYS])).toContain('redis.mode is external, so there is no Redis for the operator')
  })

  test('do not exist for more servers than a RedisTopology may have', () => {
    const large = ['redis.cluster={"masters":51,"replicasPerMaster":1}']
    expect(objectsOf(render('cluster', large, 'ingot', API))).toEqual([])
    expect(refusal('cluster', [ALWAYS, ...large])).toContain('has 102 servers: the operator supports at most 100')
  })

  test('change no pod template', () => {
    const templates = (manifests: readonly Manifest[]) =>
      manifests.filter(({ kind }) => /^(StatefulSet|Deployment)$/.test(kind)).map(({ spec }) => spec['template'])
    expect(templates(render('postgres', [ALWAYS]))).toEqual(templates(render('postgres')))
  })
})

describe('the RedisTopology', () => {
  test('describes Redis with Sentinels', () => {
    expect(topologyOf('postgres')).toEqual({
      mode: 'Sentinel',
      statefulSet: 'ingot-redis',
      size: 3,
      sentinel: { statefulSet: 'ingot-sentinel', replicas: 3, quorum: 2, masterName: 'ingot' },
      auth: { secretName: 'ingot-redis' },
      policy: 'Heal',
      paused: false,
      allowShrink: true,
    })
  })

  test('describes a cluster', () => {
    expect(topologyOf('cluster', ['redis.cluster={"masters":4,"replicasPerMaster":2}'])).toMatchObject({
      mode: 'Cluster',
      size: 12,
      replicasPerShard: 2,
      allowShrink: true,
    })
  })

  test('describes a single server with TLS', () => {
    const topology = topologyOf('standalone', ['redis.tls.enabled=true'])
    expect(topology).toMatchObject({ mode: 'Standalone', size: 1, tls: { secretName: 'ingot-redis-tls' } })
    expect(topology).not.toHaveProperty('sentinel')
    expect(topology).not.toHaveProperty('replicasPerShard')
  })

  test('has the values of the release', () => {
    expect(find(render('everything'), 'RedisTopology', 'ingot-all-redis').spec).toMatchObject({
      size: 5,
      sentinel: { replicas: 5, quorum: 2 },
      auth: { secretName: 'ingot-redis-passwords' },
      tls: { secretName: 'ingot-redis-certificate' },
      policy: 'Observe',
      paused: true,
    })
  })

  test.each([
    ['postgres', []],
    ['postgres', ['redis.sentinel={"replicas":7,"quorum":7,"masterName":"123"}', 'redis.replicas=15']],
    ['postgres', [`redis.sentinel.masterName="${'m'.repeat(128)}"`, 'redis.replicas=2']],
    ['cluster', ['redis.cluster={"masters":3,"replicasPerMaster":0}']],
    ['cluster', ['redis.cluster={"masters":100,"replicasPerMaster":0}']],
    ['standalone', ['redis.auth.existingSecret="2"', 'redis.tls.enabled=true', 'clusterDomain="123"']],
    ['everything', []],
  ])('matches the schema of the kind: %s with %j', (mode, changes) => {
    const [topology] = render(mode, [ALWAYS, ...changes]).filter(({ kind }) => kind === 'RedisTopology')
    expect([...Value.Errors(REDIS_TOPOLOGY_SPEC, topology?.spec)]).toEqual([])
  })
})

describe('the Role', () => {
  const rulesOf = (mode: string, changes: readonly string[] = []) =>
    find(render(mode, [ALWAYS, ...changes]), 'Role', 'ingot-redis-operator').rules

  test('names every object, except Events', () => {
    expect(rulesOf('postgres')).toEqual([
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['ingot-redis'], verbs: ['get'] },
      {
        apiGroups: [''],
        resources: ['pods'],
        resourceNames: ['ingot-redis-0', 'ingot-redis-1', 'ingot-redis-2'],
        verbs: ['patch'],
      },
      {
        apiGroups: [''],
        resources: ['services'],
        resourceNames: ['ingot-redis-primary', 'ingot-redis-replicas'],
        verbs: ['create', 'patch'],
      },
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ])
  })

  test('has no Services for a cluster, and the Secret of TLS', () => {
    const rules = rulesOf('cluster', ['redis.tls.enabled=true'])
    expect(rules?.map(({ resources }) => resources[0])).toEqual(['secrets', 'pods', 'events'])
    expect(rules?.[0]?.resourceNames).toEqual(['ingot-redis', 'ingot-redis-tls'])
    expect(rules?.[1]?.resourceNames).toHaveLength(6)
  })

  test('is bound to the account of the operator', () => {
    expect(find(render('postgres', [ALWAYS]), 'RoleBinding', 'ingot-redis-operator')).toMatchObject({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'ingot-redis-operator' },
      subjects: [{ kind: 'ServiceAccount', name: 'ingot-operator', namespace: 'ingot-system' }],
    })
    expect(find(render('everything'), 'RoleBinding', 'ingot-all-redis-operator')).toMatchObject({
      subjects: [{ kind: 'ServiceAccount', name: 'redis-operator', namespace: 'operators' }],
    })
  })
})

describe('the network policies', () => {
  test.each([
    ['redis', 6_379],
    ['sentinel', 26_379],
    ['service', 'http'],
  ])('admit the operator to the port of %s', (component, port) => {
    expect(find(render('postgres', [ALWAYS]), 'NetworkPolicy', `ingot-${component}-operator`).spec).toEqual({
      podSelector: {
        matchLabels: {
          'app.kubernetes.io/name': 'ingot',
          'app.kubernetes.io/instance': 'ingot',
          'app.kubernetes.io/component': component,
        },
        matchExpressions: [{ key: 'ingot.dev/isolated', operator: 'DoesNotExist' }],
      },
      policyTypes: ['Ingress'],
      ingress: [
        {
          ports: [{ port }],
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingot-system' } },
              podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ingot-operator' } },
            },
          ],
        },
      ],
    })
  })

  test('do not exist if network policies are off', () => {
    expect(kinds(render('postgres', [ALWAYS, 'networkPolicy.enabled=false']), 'NetworkPolicy')).toEqual([])
  })
})

describe('the user of the operator', () => {
  test.each(['postgres', 'cluster', 'standalone'])('exists with the values %s, without rights on keys', (mode) => {
    const { data } = find(render(mode), 'ConfigMap', 'ingot-redis')
    const line = /^operator operator (.*)$/m
    expect(line.exec(data['users.redis'] ?? '')?.[1]).toMatch(/^-@all \+ping [^~&@%]*$/)
    expect(line.exec(data['users.sentinel'] ?? '')?.[1]).toMatch(/^-@all \+ping [^~&@%]*$/)
    expect(find(render(mode), 'Secret', 'ingot-redis').stringData['operator-password']).toMatch(/^\w{32}$/)
  })

  test('is optional in an existing Secret', () => {
    const { spec } = podOf(render('postgres', ['redis.auth.existingSecret="mine"']), 'StatefulSet/ingot-redis')
    const { volumes } = spec as unknown as { volumes: readonly { name: string; projected?: { sources: unknown } }[] }
    expect(volumes.find(({ name }) => name === 'auth')?.projected?.sources).toEqual([
      { secret: { name: 'mine', items: expect.arrayContaining([{ key: 'password', path: 'ingot-password' }]) as [] } },
      {
        secret: { name: 'mine', optional: true, items: [{ key: 'operator-password', path: 'operator-password' }] },
      },
    ])
  })
})
