/** Tests the rendered chart: the pods, their names and labels, and that every value has an effect. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { containers, find, kinds, type Manifest, podOf } from '../../ingot/tests/helm.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const { lint, modes, render, valuesFile } = operatorChart
const OWNER = 'Deployment/ingot-operator'
const SELECTING = ['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']

const readYaml = (file: string): unknown => parse(readFileSync(file, 'utf8'), { merge: true })

/** Returns the pod with fields that PodSpec lacks. */
function operatorPod(changes: readonly string[] = [], more: readonly string[] = []) {
  const pod = podOf(render('default', changes, 'ingot-operator', more), OWNER)
  return { ...pod, spec: pod.spec as typeof pod.spec & Readonly<Record<string, unknown>> }
}

const containerOf = (changes: readonly string[] = []) => {
  const [container] = operatorPod(changes).spec.containers
  return container as unknown as Readonly<Record<string, unknown>> & {
    env: readonly { name: string; value?: string }[]
  }
}

describe.each(modes)('with the values %s', (mode) => {
  const manifests = render(mode)

  test('helm lint finds no problem', () => {
    expect(lint(mode)).toBe('fine')
  })

  test('names are unique, and labels name the release', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name} ${String(namespaceOf(metadata))}`)
    expect(names).toEqual([...new Set(names)])
    for (const { metadata } of manifests) {
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/name': 'ingot-operator',
        'app.kubernetes.io/instance': 'ingot-operator',
        'app.kubernetes.io/component': 'operator',
        'app.kubernetes.io/managed-by': 'Helm',
      })
    }
  })

  test('pods are restricted', () => {
    const [deployment] = manifests.filter(({ kind }) => kind === 'Deployment')
    const pod = podOf(manifests, `Deployment/${deployment?.metadata.name}`)
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: true,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    for (const container of containers(pod)) {
      const { privileged = false, ...security } = container.securityContext
      expect(privileged).toBe(false)
      expect(security).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(container.resources.limits['memory']).toBeDefined()
    }
  })

  test('selectors select the pods', () => {
    const selectors = manifests.flatMap(({ spec }) => {
      const { selector = {}, podSelector = selector } = (spec ?? {}) as Record<string, Record<string, unknown>>
      const labels = (podSelector['matchLabels'] ?? podSelector) as Record<string, string>
      return Object.keys(labels).length === 0 ? [] : [Object.keys(labels).toSorted()]
    })
    expect(selectors.length).toBeGreaterThan(2)
    for (const selector of selectors) expect(selector).toEqual(SELECTING)
  })
})

const namespaceOf = (metadata: Manifest['metadata']): string | undefined =>
  (metadata as { readonly namespace?: string }).namespace

describe('the pods', () => {
  test('run ingot operate with the settings of docs/operator.md', () => {
    expect(containerOf()).toMatchObject({
      image: `ingot:${(readYaml(join(OPERATOR_CHART, '..', '..', 'package.json')) as { version: string }).version}`,
      args: ['operate'],
      ports: [
        { name: 'metrics', containerPort: 9_400 },
        { name: 'gates', containerPort: 9_401 },
      ],
      livenessProbe: { httpGet: { path: '/healthz', port: 'metrics' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'metrics' } },
      resources: { requests: { memory: '128Mi' }, limits: { memory: '256Mi' } },
    })
    expect(containerOf().env).toEqual([
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'INGOT_LISTEN', value: '0.0.0.0:9400' },
      { name: 'INGOT_LOG_LEVEL', value: 'info' },
      { name: 'INGOT_GATES_LISTEN', value: '0.0.0.0:9401' },
    ])
  })

  test('are two, on different nodes if possible, and one may be unavailable', () => {
    expect(find(render('default'), 'Deployment', 'ingot-operator').spec).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
    })
    expect(find(render('default'), 'PodDisruptionBudget', 'ingot-operator').spec).toMatchObject({ maxUnavailable: 1 })
    expect(kinds(render('default', ['replicas=1']), 'PodDisruptionBudget')).toEqual([])
    const keys = operatorPod().spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)
    expect(keys).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname'])
  })

  test('get the listed namespaces, each once', () => {
    expect(containerOf(['namespaces=["shop","stock","shop"]'])['args']).toEqual([
      'operate',
      '--namespaces',
      'shop,stock',
    ])
  })

  test('have no user on a platform that assigns it', () => {
    for (const pod of [
      operatorPod(['openshift=true']),
      operatorPod([], ['--api-versions', 'security.openshift.io/v1']),
    ]) {
      expect(pod.spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    }
    expect(operatorPod().spec.securityContext).toMatchObject({ runAsUser: 1_000, runAsGroup: 1_000 })
    expect(operatorPod(['podSecurityContext={"runAsUser":null}']).spec.securityContext).not.toHaveProperty('runAsUser')
  })

  test('have images from a mirror or with a digest', () => {
    const imageOf = (...changes: string[]) => containerOf(changes)['image']
    expect(imageOf('image.registry="r.example:5000"', 'image.tag="1"')).toBe('r.example:5000/ingot:1')
    expect(imageOf('global.imageRegistry="m.example/x"', 'image.repository="r.example/team/ingot"')).toBe(
      'm.example/x/team/ingot:0.1.0',
    )
    expect(imageOf(`image.digest="sha256:${'a'.repeat(64)}"`)).toBe(`ingot@sha256:${'a'.repeat(64)}`)
  })

  test('serve gates with the tokens of a Secret, or none at all', () => {
    const pod = operatorPod(['gates.existingSecret="gate-tokens"'])
    expect(pod.spec['volumes']).toEqual([{ name: 'gates', secret: { secretName: 'gate-tokens' } }])
    const [container] = pod.spec.containers
    expect(container).toMatchObject({
      volumeMounts: [{ name: 'gates', mountPath: '/etc/ingot/gates', readOnly: true }],
    })
    expect(containerOf(['gates.existingSecret="gate-tokens"']).env).toContainEqual({
      name: 'INGOT_GATES_TOKEN_FILE',
      value: '/etc/ingot/gates/token',
    })
    const portsOf = (changes: readonly string[]): unknown =>
      find(render('default', changes), 'Service', 'ingot-operator').spec?.['ports']
    expect(portsOf([])).toMatchObject([{ name: 'metrics' }, { name: 'gates', port: 9_401 }])
    expect(portsOf(['metrics.service.enabled=false'])).toMatchObject([{ name: 'gates' }])
    expect(portsOf(['gates.enabled=false'])).toMatchObject([{ name: 'metrics' }])
    expect(kinds(render('default', ['gates.enabled=false', 'metrics.service.enabled=false']), 'Service')).toEqual([])
  })

  test('admit the metrics and the gates only', () => {
    const policy = (changes: readonly string[]) => find(render('default', changes), 'NetworkPolicy', 'ingot-operator')
    expect(policy([]).spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ port: 'metrics' }] }, { ports: [{ port: 'gates' }] }],
      egress: [{}],
    })
    const from = [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }]
    expect(policy([`networkPolicy.metricsFrom=${JSON.stringify(from)}`]).spec['ingress']).toMatchObject([{ from }, {}])
  })
})

describe('names', () => {
  test.each([
    ['ingot-operator', [], 'ingot-operator'],
    ['ops', [], 'ops-ingot-operator'],
    ['ops', ['nameOverride="steward"'], 'ops-steward'],
    ['ops', ['fullnameOverride="x"'], 'x'],
    ['a.b', [], 'a-b-ingot-operator'],
    ['r'.repeat(53), [], `${'r'.repeat(25)}-ingot-operator`],
  ])('release %s with %j', (release, changes, name) => {
    expect(kinds(render('default', changes, release), 'Deployment')).toEqual([name])
  })

  test('are short enough for every release name, and the account keeps its name', () => {
    for (const release of ['r'.repeat(53), 'ingot-operator'.padEnd(53, 'x'), '123']) {
      const manifests = render('everything', ['fullnameOverride="x"'], release)
      const long = render('default', release === '123' ? ['fullnameOverride="x"'] : [], release)
      for (const { metadata, kind } of [...manifests, ...long]) {
        expect(metadata.name.length, `${kind}/${metadata.name}`).toBeLessThanOrEqual(63)
        expect(metadata.labels?.['app.kubernetes.io/instance']).toBe(release)
      }
      expect(kinds(long, 'ServiceAccount')).toEqual(['ingot-operator'])
    }
  })
})

describe('a string that looks like a number or a YAML keyword stays a string', () => {
  test('in names and classes', () => {
    const changes = ['serviceAccount.name="123"', 'priorityClassName="6"', 'extraEnv=[{"name":"A","value":"true"}]']
    const { spec } = operatorPod([...changes, 'image.pullSecrets=["7"]', 'namespaces=["1","2"]'])
    expect(spec).toMatchObject({
      serviceAccountName: '123',
      priorityClassName: '6',
      imagePullSecrets: [{ name: '7' }],
    })
    expect(spec.containers[0]).toMatchObject({ args: ['operate', '--namespaces', '1,2'] })
    expect(spec.containers[0]?.env).toContainEqual({ name: 'A', value: 'true' })
  })

  test('in a tag with quotes and in labels', () => {
    expect(
      find(render('default', ['commonLabels={"a":"true"}']), 'Service', 'ingot-operator').metadata.labels,
    ).toMatchObject({ a: 'true' })
  })
})

type Values = Readonly<Record<string, unknown>>

function leaves(values: Values, path: readonly string[] = []): [path: string, value: unknown][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    return isMap ? leaves(value as Values, [...path, key]) : [[[...path, key].join('.'), value] as [string, unknown]]
  })
}

const at = (values: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((part, key) => (part as Values | undefined)?.[key], values)

describe('every value has an effect', () => {
  const defaults = leaves(readYaml(join(OPERATOR_CHART, 'values.yaml')) as Values)
  const everything = readYaml(valuesFile('everything'))
  /** Values whose default is better shown in everything.yaml. */
  const OTHER: Values = {
    namespaces: ['shop'],
    'crds.install': false,
    'serviceAccount.create': false,
    'podDisruptionBudget.enabled': false,
    'metrics.service.enabled': false,
    'networkPolicy.enabled': false,
    'gates.enabled': false,
  }

  test.each(defaults)('%s', (path, byDefault) => {
    const other = OTHER[path] ?? at(everything, path)
    expect(other).not.toEqual(byDefault)
    const alone = render('default', [`${path}=${JSON.stringify(other)}`])
    const without = render('everything', [`${path}=${JSON.stringify(byDefault)}`])
    const changesAlone = JSON.stringify(alone) !== JSON.stringify(render('default'))
    const changesAll = JSON.stringify(without) !== JSON.stringify(render('everything'))
    expect(changesAlone || changesAll).toBe(true)
  })
})
