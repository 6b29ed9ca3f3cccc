/** Tests the rights of the operator, and the definitions that the chart installs. */
import { describe, expect, test } from 'vitest'
import { definitions } from '../../../src/operator/installed.ts'
import { find, kinds, type Manifest } from '../../ingot/tests/helm.ts'
import { operatorChart } from './chart.ts'

const { render } = operatorChart

const WATCH = [
  {
    apiGroups: ['ingot.dev'],
    resources: ['redistopologies', 'failoverdrills', 'drillschedules'],
    verbs: ['list', 'watch'],
  },
  {
    apiGroups: ['ingot.dev'],
    resources: ['redistopologies/status', 'failoverdrills/status', 'drillschedules/status'],
    verbs: ['patch'],
  },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
  { apiGroups: ['ingot.dev'], resources: ['failoverdrills'], verbs: ['get', 'create', 'patch', 'delete'] },
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['list', 'watch'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] },
]
const NAMESPACES = { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }
const LEASES = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] }
const NAME = 'shop:ingot-operator'
const SUBJECT = { kind: 'ServiceAccount', name: 'ingot-operator', namespace: 'shop' }

const namespacesOf = (manifests: readonly Manifest[], kind: string): readonly unknown[] =>
  manifests
    .filter((one) => one.kind === kind)
    .map(({ metadata }) => (metadata as { readonly namespace?: string }).namespace)

describe('an operator of all namespaces', () => {
  const manifests = render('default')

  test('has one ClusterRole', () => {
    expect(find(manifests, 'ClusterRole', NAME).rules).toEqual([
      ...WATCH,
      NAMESPACES,
      {
        apiGroups: ['apiextensions.k8s.io'],
        resources: ['customresourcedefinitions'],
        resourceNames: ['redistopologies.ingot.dev', 'failoverdrills.ingot.dev', 'drillschedules.ingot.dev'],
        verbs: ['get'],
      },
    ])
    expect(find(manifests, 'ClusterRoleBinding', NAME)).toMatchObject({
      roleRef: { kind: 'ClusterRole', name: NAME },
      subjects: [SUBJECT],
    })
  })

  test('has a Role for its Lease', () => {
    expect(kinds(manifests, 'Role')).toEqual(['ingot-operator-lease'])
    expect(find(manifests, 'Role', 'ingot-operator-lease').rules).toEqual([
      { ...LEASES, resourceNames: ['ingot-operator'], verbs: ['get', 'update'] },
      { ...LEASES, verbs: ['create'] },
    ])
    expect(find(manifests, 'RoleBinding', 'ingot-operator-lease')).toMatchObject({ subjects: [SUBJECT] })
  })

  test('adds its kind to the roles of people', () => {
    const labels = (name: string) => find(manifests, 'ClusterRole', `${NAME}:${name}`).metadata.labels
    expect(labels('edit')).toMatchObject({
      'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
      'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
    })
    expect(labels('view')).toMatchObject({ 'rbac.authorization.k8s.io/aggregate-to-view': 'true' })
    expect(kinds(render('default', ['rbac.aggregate=false']), 'ClusterRole')).toEqual([NAME])
  })
})

describe('an operator of some namespaces', () => {
  const manifests = render('namespaces')

  test('has no right of the whole cluster', () => {
    expect(kinds(manifests, 'ClusterRole')).toEqual([])
    expect(kinds(manifests, 'ClusterRoleBinding')).toEqual([])
    expect(kinds(render('default', ['namespaces=["a"]']), 'ClusterRole')).toEqual([])
  })

  test('has a Role in each of them', () => {
    const roles = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === NAME)
    expect(roles.map(({ rules }) => rules)).toEqual(
      ['shop', 'stock'].map((name) => [...WATCH, { ...NAMESPACES, resourceNames: [name] }]),
    )
    expect(namespacesOf(manifests, 'Role')).toEqual(expect.arrayContaining(['shop', 'stock', undefined]))
    expect(namespacesOf(manifests, 'RoleBinding')).toHaveLength(3)
  })
})

describe('the admission policy', () => {
  test('applies to the account of the operator only', () => {
    const { spec } = find(render('everything'), 'ValidatingAdmissionPolicy', 'shop.steward')
    const [condition] = spec['matchConditions'] as [{ expression: string }]
    expect(condition.expression).toBe("request.userInfo.username == 'system:serviceaccount:shop:redis-operator'")
    expect(find(render('everything'), 'ValidatingAdmissionPolicyBinding', 'shop.steward').spec).toEqual({
      policyName: 'shop.steward',
      validationActions: ['Deny'],
    })
  })

  test('is of the whole cluster, so an operator of some namespaces has none', () => {
    expect(kinds(render('namespaces'), 'ValidatingAdmissionPolicy')).toEqual([])
  })
})

describe('the definitions', () => {
  const { metadata, spec } = find(render('default'), 'CustomResourceDefinition', 'redistopologies.ingot.dev')

  test('are those of the code, in the version of the chart', () => {
    const [version] = render('default').map(({ metadata: { labels } }) => labels?.['app.kubernetes.io/version'])
    const [definition] = definitions(version ?? '')
    expect(spec).toEqual(definition?.['spec'])
    expect(metadata.annotations).toEqual({ ...definition?.metadata.annotations, 'helm.sh/resource-policy': 'keep' })
  })

  test('are left to another release', () => {
    expect(kinds(render('namespaces'), 'CustomResourceDefinition')).toEqual([])
  })
})
