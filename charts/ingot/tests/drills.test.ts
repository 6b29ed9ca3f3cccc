/** Tests what a release gives to drills. */
import { describe, expect, test } from 'vitest'
import { find, kinds, type Manifest, podOf, render } from './helm.ts'

const ENABLED = 'drills.enabled=true'
const rulesOf = (manifests: readonly Manifest[], name: string) => find(manifests, 'Role', name).rules

/** Returns the rules on the resource, without their groups. */
function verbsOn(manifests: readonly Manifest[], resource: string): readonly unknown[] {
  const rules = rulesOf(manifests, 'ingot-drill') as readonly {
    readonly resources: readonly string[]
    readonly resourceNames?: readonly string[]
    readonly verbs: readonly string[]
  }[]
  return rules
    .filter(({ resources }) => resources.includes(resource))
    .map(({ resourceNames = ['*'], verbs }) => `${verbs.join(',')} ${resourceNames.join(',')}`)
}

describe('a release without drills', () => {
  test('has no account, right, user or policy for them', () => {
    const text = JSON.stringify(render('postgres'))
    expect(text).not.toMatch(/-drill|drill-password|"drill"/)
    expect(kinds(render('postgres'), 'ServiceAccount')).not.toContain('ingot-drill')
  })

  test.each(['exec', 'nodes', 'processes'])('refuses drills.%s', (key) => {
    expect(() => render('postgres', [`drills.${key}=true`])).toThrow('set drills.enabled=true')
  })
})

describe('the account of drills', () => {
  test('changes the workloads of its release only', () => {
    const manifests = render('postgres', [ENABLED])
    expect(verbsOn(manifests, 'deployments/scale')).toEqual(['get,patch ingot'])
    expect(verbsOn(manifests, 'statefulsets/scale')).toEqual(['get,patch ingot-redis,ingot-sentinel,ingot-postgres'])
    expect(verbsOn(manifests, 'statefulsets')).toEqual([
      'get,list *',
      'get,patch ingot-redis,ingot-sentinel,ingot-postgres',
    ])
    expect(verbsOn(manifests, 'pods')).toEqual(['get,list,watch,delete,patch *'])
    expect(verbsOn(manifests, 'secrets')).toEqual([])
    expect(verbsOn(render('external', [ENABLED]), 'statefulsets/scale')).toEqual([])
  })

  test('runs commands in pods and cordons nodes only with values of their own', () => {
    const plain = render('postgres', [ENABLED])
    expect(verbsOn(plain, 'pods/exec')).toEqual([])
    expect(kinds(plain, 'ClusterRole')).toEqual([])
    const more = render('postgres', [ENABLED, 'drills.exec=true', 'drills.nodes=true'])
    expect(verbsOn(more, 'pods/exec')).toEqual(['get,create *'])
    expect(find(more, 'ClusterRole', 'ingot-drill.shop').rules).toEqual([
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'patch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
    ])
  })

  test('reaches the processes of service, Redis and Sentinel only with drills.processes', () => {
    const owners = ['Deployment/ingot', 'StatefulSet/ingot-redis', 'StatefulSet/ingot-sentinel']
    const sharing = (manifests: readonly Manifest[]) =>
      owners.map((owner) => podOf(manifests, owner).spec.shareProcessNamespace)
    expect(sharing(render('postgres', [ENABLED]))).toEqual([undefined, undefined, undefined])
    const more = render('postgres', [ENABLED, 'drills.processes=true'])
    expect(sharing(more)).toEqual([true, true, true])
    expect(podOf(more, 'StatefulSet/ingot-postgres').spec.shareProcessNamespace).toBeUndefined()
  })

  test('is used by Jobs that the operator of the values creates', () => {
    const manifests = render('postgres', [ENABLED, 'operator.namespace="ops"'])
    expect(find(manifests, 'RoleBinding', 'ingot-drill-operator')).toMatchObject({
      subjects: [{ kind: 'ServiceAccount', name: 'ingot-operator', namespace: 'ops' }],
    })
    expect(rulesOf(manifests, 'ingot-drill-operator')).toContainEqual({
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: ['ingot-drill-ingot'],
      verbs: ['get', 'update'],
    })
  })
})

describe('the user of drills', () => {
  test.each(['postgres', 'cluster', 'standalone'])(
    'exists with the values %s, with rights only on its own keys',
    (mode) => {
      const manifests = render(mode, [ENABLED])
      const { data } = find(manifests, 'ConfigMap', 'ingot-redis')
      const line = /^drill drill (.*)$/m
      expect(line.exec(data['users.redis'] ?? '')?.[1]).toMatch(/^~ingot:drill:\* -@all [^~&@%]*$/)
      expect(line.exec(data['users.sentinel'] ?? '')?.[1]).toMatch(/^-@all \+ping [^~&@%]*$/)
      expect(find(manifests, 'Secret', 'ingot-redis').stringData['drill-password']).toMatch(/^\w{32}$/)
      const { spec } = podOf(manifests, 'StatefulSet/ingot-redis')
      expect(JSON.stringify(spec)).toContain('"path":"drill-password"')
    },
  )
})

describe('network policies', () => {
  test('admit drills to Redis, Sentinel, Postgres and the legacy backend, and let them reach the API server', () => {
    const text = (mode: string, name: string) =>
      JSON.stringify(find(render(mode, [ENABLED, 'networkPolicy.enabled=true']), 'NetworkPolicy', name).spec)
    expect(text('postgres', 'ingot-redis')).toContain('"drill"')
    expect(text('postgres', 'ingot-postgres')).toContain('"drill"')
    expect(text('legacy', 'ingot-legacy')).toContain('"drill"')
    expect(find(render('postgres', [ENABLED]), 'NetworkPolicy', 'ingot-drill').spec).toMatchObject({
      podSelector: { matchLabels: { 'app.kubernetes.io/component': 'drill' } },
      policyTypes: ['Egress'],
      egress: [{}],
    })
  })
})
