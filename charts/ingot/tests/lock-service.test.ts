/** Tests a lock service outside the release: `lock.url` and `lock.existingSecret`. */
import { describe, expect, test } from 'vitest'
import { find, kinds, type Manifest, podOf, render } from './helm.ts'

const ETCD = 'lock.url="etcd://etcd-0,etcd-1,etcd-2"'
const LEASES = ['lock.url="kubernetes:///locks"', 'lock.mode="always"']

interface Env {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: object
}

function envOf(manifests: readonly Manifest[]): readonly Env[] {
  return podOf(manifests, 'Deployment/ingot').spec.containers[0]?.env ?? []
}

const fromSecret = (name: string, key: string) => ({ secretKeyRef: { name, key } })

/** Kinds of which Redis has objects, except network policies. */
const REDIS_KINDS = ['StatefulSet', 'Service', 'Secret', 'ConfigMap', 'PodDisruptionBudget']

/** Names of the objects of Redis and its Sentinels. */
function redisObjects(manifests: readonly Manifest[]): readonly string[] {
  return REDIS_KINDS.flatMap((kind) => kinds(manifests, kind)).filter((name) => /redis|sentinel/.test(name))
}

describe('a lock service outside the release', () => {
  test('replaces Redis, its Sentinels and its password', () => {
    const manifests = render('postgres', [ETCD])
    expect(redisObjects(manifests)).toEqual([])
    expect(redisObjects(render('postgres')).length).toBeGreaterThan(5)
    expect(envOf(manifests)).toContainEqual({ name: 'INGOT_LOCK_URL', value: 'etcd://etcd-0,etcd-1,etcd-2' })
    expect(envOf(manifests).map(({ name }) => name)).not.toContain('LOCK_PASSWORD')
  })

  test('can be named by a Secret, with a second URL that bypasses a pooler', () => {
    const env = envOf(render('postgres', ['lock.existingSecret="locks"', 'lock.key="dsn"', 'lock.directKey="direct"']))
    expect(env).toContainEqual({ name: 'INGOT_LOCK_URL', valueFrom: fromSecret('locks', 'dsn') })
    expect(env).toContainEqual({ name: 'INGOT_LOCK_DIRECT_URL', valueFrom: fromSecret('locks', 'direct') })
    const plain = envOf(render('postgres', ['lock.existingSecret="locks"']))
    expect(plain).toContainEqual({ name: 'INGOT_LOCK_URL', valueFrom: fromSecret('locks', 'url') })
    expect(plain.map(({ name }) => name)).not.toContain('INGOT_LOCK_DIRECT_URL')
  })

  test('leaves the cache as the only Redis', () => {
    const manifests = render('postgres', [ETCD, 'cache.enabled=true'])
    expect(kinds(manifests, 'StatefulSet')).toEqual(['ingot-postgres'])
    expect(kinds(manifests, 'Deployment').toSorted()).toEqual(['ingot', 'ingot-cache'])
    expect(kinds(manifests, 'Secret')).toContain('ingot-redis')
    expect(kinds(manifests, 'ConfigMap')).toContain('ingot-redis')
    expect(envOf(manifests)).toContainEqual({
      name: 'CACHE_PASSWORD',
      valueFrom: fromSecret('ingot-redis', 'password'),
    })
  })

  test('may be reached by the service, whatever its address', () => {
    const egress = (changes: string[]) => find(render('postgres', changes), 'NetworkPolicy', 'ingot').spec['egress']
    expect(egress([ETCD])).toContainEqual({})
    expect(egress([])).not.toContainEqual({})
    expect(kinds(render('postgres', [ETCD]), 'NetworkPolicy')).not.toContain('ingot-redis')
  })
})

describe('locks on Kubernetes Leases', () => {
  test('come with their rights, in the namespace of the URL', () => {
    const manifests = render('postgres', LEASES)
    const role = find(manifests, 'Role', 'ingot-locks') as Manifest & { rules: unknown }
    expect(role.metadata).toMatchObject({ namespace: 'locks' })
    expect(role.rules).toEqual([
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update', 'watch'] },
    ])
    const binding = find(manifests, 'RoleBinding', 'ingot-locks') as Manifest & { subjects: unknown }
    expect(binding.subjects).toMatchObject([{ kind: 'ServiceAccount', name: 'ingot' }])
    expect(find(render('postgres', ['lock.url="kubernetes:"']), 'Role', 'ingot-locks').metadata).toMatchObject({
      namespace: 'shop',
    })
  })

  test('give a token of the API server to the service alone', () => {
    const manifests = render('postgres', LEASES)
    const mounts = (name: string): unknown => podOf(manifests, name).spec['automountServiceAccountToken']
    expect(mounts('Deployment/ingot')).toBe(true)
    expect(mounts('StatefulSet/ingot-postgres')).toBe(false)
    expect(podOf(render('postgres'), 'Deployment/ingot').spec['automountServiceAccountToken']).toBe(false)
  })

  test('need no Role with another lock service', () => {
    expect(kinds(render('postgres', [ETCD]), 'Role')).not.toContain('ingot-locks')
  })
})
