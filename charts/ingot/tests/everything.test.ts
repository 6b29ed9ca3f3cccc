/** Tests that rarely used values appear in the right fields. tests/values/everything.yaml sets all of them. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { find, kinds, type Manifest, type PodSpec, podOf, pods, render, valuesFile } from './helm.ts'

const manifests = render('everything')
const values = parse(readFileSync(valuesFile('everything'), 'utf8'), { merge: true }) as Record<string, unknown>

/** Path of the values of each component, and owner of its pods. */
const COMPONENTS = [
  ['service', 'Deployment/ingot-all'],
  ['redis', 'StatefulSet/ingot-all-redis'],
  ['redis.sentinel', 'StatefulSet/ingot-all-sentinel'],
  ['cache', 'Deployment/ingot-all-cache'],
  ['postgres', 'StatefulSet/ingot-all-postgres'],
  ['canary', 'Deployment/ingot-all-canary'],
  ['export', 'CronJob/ingot-all-export'],
  ['test', 'Pod/ingot-all-test'],
] as const

const valuesOf = (path: string): Record<string, unknown> =>
  path.split('.').reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, values)

type FullSpec = PodSpec & Readonly<Record<string, unknown>>

test('these are all components', () => {
  expect(new Set(pods(manifests).map(({ owner }) => owner))).toEqual(new Set(COMPONENTS.map(([, owner]) => owner)))
})

describe.each(COMPONENTS)('the pods of %s', (path, owner) => {
  const { meta, spec } = podOf(manifests, owner) as unknown as { meta: Manifest['metadata']; spec: FullSpec }
  const own = valuesOf(path)
  const [container] = spec.containers

  test('have their own and the common labels and annotations', () => {
    expect(meta.labels).toMatchObject({ 'example.org/tier': 'inner', team: 'platform', 'cost-center': '42' })
    expect(meta.annotations).toMatchObject({
      'example.org/note': '1',
      'owner.example/contact': 'platform@example.org',
    })
  })

  test('have the scheduling fields', () => {
    expect(spec['nodeSelector']).toEqual(own['nodeSelector'])
    expect(spec['tolerations']).toEqual(own['tolerations'])
    expect(spec['affinity']).toMatchObject(own['affinity'] as object)
    expect(spec['priorityClassName']).toBe('system-cluster-critical')
    const selecting = ['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name']
    const [constraint, ...more] = spec.topologySpreadConstraints ?? []
    expect(more).toEqual([])
    expect(constraint).toMatchObject({ topologyKey: 'topology.kubernetes.io/zone', maxSkew: 2 })
    const { labelSelector } = constraint as unknown as { labelSelector: { matchLabels: Record<string, string> } }
    expect(Object.keys(labelSelector.matchLabels).toSorted()).toEqual(selecting)
  })

  test('have the security contexts, with integers', () => {
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1_000_660_000,
      supplementalGroups: [1_000_660_000],
    })
    expect(container?.securityContext).toMatchObject({ privileged: false, readOnlyRootFilesystem: true })
  })

  test('have the environment, the volumes and the containers', () => {
    expect(container?.env).toContainEqual({ name: 'EXTRA', value: 'yes' })
    expect((container as unknown as Record<string, unknown>)['volumeMounts']).toContainEqual({
      name: 'extra',
      mountPath: '/extra',
    })
    expect(spec['volumes']).toContainEqual({ name: 'extra', emptyDir: {} })
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['before'])
    expect(spec.containers.at(-1)?.name).toBe('beside')
    const beside = { redis: 4, 'redis.sentinel': 3 } as Readonly<Record<string, number>>
    expect(spec.containers.length).toBe(beside[path] ?? 2)
  })

  test('use the service account, the pull secrets and the mirror', () => {
    expect(spec['serviceAccountName']).toBe('ingot-runner')
    expect(spec['imagePullSecrets']).toEqual(
      ['mirror-login', 'mirror-login-2', 'registry-login'].map((name) => ({ name })),
    )
    expect(container?.image).toMatch(/^mirror\.example\/cache\//)
  })
})

describe('every object', () => {
  test('has the common labels and annotations', () => {
    for (const { kind, metadata } of manifests) {
      expect(metadata.labels, `${kind}/${metadata.name}`).toMatchObject({ team: 'platform', 'cost-center': '42' })
      expect(metadata.annotations).toMatchObject({ 'owner.example/contact': 'platform@example.org' })
    }
  })

  test('has a selector without them', () => {
    const selectors = manifests.map(({ spec }) => JSON.stringify((spec ?? {})['selector'] ?? {}))
    expect(selectors.filter((selector) => selector.includes('platform'))).toEqual([])
  })

  test('has the revision limit, if it has revisions', () => {
    const workloads = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    expect(workloads.map(({ spec }) => spec['revisionHistoryLimit'])).toEqual(workloads.map(() => 3))
  })
})

test('the service account', () => {
  expect(find(manifests, 'ServiceAccount', 'ingot-runner')).toMatchObject({
    metadata: { annotations: { 'iam.example/role': 'ingot' } },
    automountServiceAccountToken: false,
  })
  const other = render('postgres', ['serviceAccount={"create":false,"name":"mine","automount":true}'])
  expect(kinds(other, 'ServiceAccount')).toEqual([])
  for (const { spec } of pods(other)) {
    expect(spec).toMatchObject({ serviceAccountName: 'mine', automountServiceAccountToken: true })
  }
  const [pod] = pods(render('postgres', ['serviceAccount.create=false']))
  expect(pod?.spec).toMatchObject({ serviceAccountName: 'default' })
})

describe('images', () => {
  const images = (changes: readonly string[]): string[] =>
    pods(render('canary', changes)).map(({ owner, spec }) => `${owner.split('/')[1]} ${spec.containers[0]?.image}`)

  test('come from the registry of the chart, of the value, or of all charts', () => {
    expect(images(['image.registry="r.example:5000"', 'image.tag="1"'])).toContain('ingot r.example:5000/ingot:1')
    expect(images(['redis.image.registry="r.example"'])).toContain('ingot-redis r.example/redis:8.0')
    const mirrored = images(['global.imageRegistry="m.example/x"', 'image={"repository":"r.example/team/ingot"}'])
    expect(mirrored).toContain('ingot m.example/x/team/ingot:0.1.0')
    expect(mirrored).toContain('ingot-postgres m.example/x/postgres:17')
    // a path is not a registry
    expect(images(['global.imageRegistry="m.example"', 'image.repository="team/ingot"'])).toContain(
      'ingot m.example/team/ingot:0.1.0',
    )
  })

  test('can have a digest', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    expect(images([`postgres.image.digest="${digest}"`])).toContain(`ingot-postgres postgres@${digest}`)
  })

  test('the legacy backend keeps its tag if the service has a digest', () => {
    const changes = [`image.digest="sha256:${'a'.repeat(64)}"`, 'legacyBackend.imageTag="now"']
    expect(podOf(render('legacy', changes), 'Deployment/ingot-legacy').spec.containers[0]?.image).toBe('ingot:now')
  })
})

describe('names', () => {
  const deployments = (changes: readonly string[], release: string): string[] =>
    kinds(render('postgres', changes, release), 'Deployment')

  test.each([
    ['shop', [], 'shop-ingot'],
    ['shop', ['nameOverride="intake"'], 'shop-intake'],
    ['intake-eu', ['nameOverride="intake"'], 'intake-eu'],
    ['shop', ['fullnameOverride="x"'], 'x'],
    ['a.b', [], 'a-b-ingot'],
    ['r'.repeat(53), [], `${'r'.repeat(34)}-ingot`],
    ['r'.repeat(53), ['nameOverride="abcdefghijklmnopqrst"'], `${'r'.repeat(19)}-abcdefghijklmnopqrst`],
  ])('release %s with %j', (release, changes, name) => {
    expect(deployments(changes, release)).toEqual([name])
  })

  test('are short enough for every release name', () => {
    for (const release of ['r'.repeat(53), 'ingot'.padEnd(53, 'x')]) {
      for (const { kind, metadata } of render('everything', ['fullnameOverride=""'], release)) {
        // a CronJob adds 11 characters to the names of its Jobs, a StatefulSet adds 11 to a label of its pods
        const room = kind === 'CronJob' || kind === 'StatefulSet' ? 52 : 63
        expect(metadata.name.length, `${kind}/${metadata.name}`).toBeLessThanOrEqual(room)
      }
    }
  })

  test('labels are strings if the name of the release is a number', () => {
    const text = render('postgres', ['fullnameOverride="x"'], '123')
    for (const { metadata } of text) expect(metadata.labels?.['app.kubernetes.io/instance']).toBe('123')
    expect(find(text, 'Deployment', 'x').spec['selector']).toMatchObject({
      matchLabels: { 'app.kubernetes.io/instance': '123' },
    })
  })
})

describe('a platform that assigns the user', () => {
  const withoutUser = (changes: readonly string[]): void => {
    for (const { owner, spec } of pods(render('canary', changes))) {
      expect(spec.securityContext, owner).toEqual({
        runAsNonRoot: true,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      })
    }
  }

  test('gets pods without a user if openshift is true', () => {
    withoutUser(['openshift=true'])
  })

  test('is detected by its API', () => {
    const args = ['--api-versions', 'security.openshift.io/v1']
    for (const { spec } of pods(render('canary', [], 'ingot', args))) {
      expect(spec.securityContext).not.toHaveProperty('runAsUser')
      expect(spec.securityContext).not.toHaveProperty('fsGroup')
    }
    for (const { spec } of pods(render('canary', ['openshift=false'], 'ingot', args))) {
      expect(spec.securityContext).toHaveProperty('runAsUser')
    }
  })

  test('a null removes a field', () => {
    const changes = ['service.podSecurityContext={"fsGroup":null}']
    expect(podOf(render('postgres', changes), 'Deployment/ingot').spec.securityContext).not.toHaveProperty('fsGroup')
  })
})

test('claims have their retention policy', () => {
  const retention = (name: string): unknown =>
    find(manifests, 'StatefulSet', name).spec['persistentVolumeClaimRetentionPolicy']
  expect(retention('ingot-all-redis')).toEqual({ whenDeleted: 'Delete', whenScaled: 'Delete' })
  expect(retention('ingot-all-sentinel')).toEqual({ whenDeleted: 'Retain', whenScaled: 'Delete' })
  expect(retention('ingot-all-postgres')).toEqual({ whenDeleted: 'Delete', whenScaled: 'Retain' })
})

test('redis.spread applies if there are no constraints', () => {
  const { spec } = podOf(render('postgres', ['redis.spread="DoNotSchedule"']), 'StatefulSet/ingot-redis')
  expect(spec.topologySpreadConstraints).toMatchObject([
    { topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
    { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
  ])
})

test('a constraint keeps its own selector', () => {
  const constraint = { topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} }
  const changes = [`postgres.topologySpreadConstraints=[${JSON.stringify(constraint)}]`]
  const { spec } = podOf(render('postgres', changes), 'StatefulSet/ingot-postgres')
  expect(spec.topologySpreadConstraints).toEqual([constraint])
})

test('the Sentinels have their own anti-affinity in addition to the values', () => {
  const term = { topologyKey: 'rack', labelSelector: { matchLabels: { a: 'b' } } }
  const given = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
  const changes = [`redis.sentinel.affinity=${JSON.stringify(given)}`]
  const { spec } = podOf(render('postgres', changes), 'StatefulSet/ingot-sentinel') as unknown as { spec: FullSpec }
  const { podAntiAffinity } = spec['affinity'] as typeof given
  expect(podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution).toMatchObject([
    term,
    { topologyKey: 'kubernetes.io/hostname' },
  ])
})
