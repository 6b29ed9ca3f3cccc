/** Changes that an upgrade cannot make, refused by what is live. */
import { describe, expect, test } from 'vitest'
import { find, kinds, type Manifest, render } from './helm.ts'
import { chartWithout, startLive } from './live.ts'

/** What an install with these values leaves in the cluster. */
const installed = (mode: string, changes: readonly string[] = [], release = 'ingot'): readonly Manifest[] =>
  render(mode, changes, release)

/** Installed with, upgraded with, what helm says. */
type Case = readonly [mode: string, before: readonly string[], after: readonly string[], answer: string]

const CHANGES: readonly Case[] = [
  ['postgres', [], ['redis.mode="cluster"'], 'redis.mode is cluster, but this release runs Redis as sentinel'],
  ['postgres', [], ['redis.mode="standalone"'], 'redis.mode is standalone, but this release runs Redis as sentinel'],
  ['postgres', [], ['redis.mode="external"'], 'delete statefulset ingot-redis ingot-sentinel)'],
  ['cluster', [], ['redis.mode="sentinel"'], 'redis.mode is sentinel, but this release runs Redis as cluster'],
  ['cluster', [], ['redis.cluster.masters=4'], 'redis.cluster.masters is 4, but this Redis Cluster has 3 primaries'],
  ['cluster', ['redis.cluster.masters=5'], [], 'redis.cluster.masters is 3, but this Redis Cluster has 5 primaries'],
  ['postgres', [], ['redis.sentinel.masterName="other"'], 'these Sentinels remember "ingot"'],
  ['postgres', [], ['redis.persistence.size="2Gi"'], 'the claims of StatefulSet ingot-redis were made with 1Gi'],
  ['postgres', [], ['redis.persistence.className="fast"'], 'a volume cannot change its class'],
  ['postgres', [], ['redis.persistence.enabled=false'], 'StatefulSet ingot-redis was made the other way'],
  [
    'postgres',
    ['redis.persistence.enabled=false'],
    [],
    'redis.persistence.enabled is true, but StatefulSet ingot-redis',
  ],
  ['postgres', [], ['redis.sentinel.persistence.size="1Gi"'], 'redis.sentinel.persistence.size is 1Gi'],
  ['postgres', [], ['redis.sentinel.persistence.className="x"'], 'redis.sentinel.persistence.className is "x"'],
  ['postgres', [], ['postgres.storage.size="1Gi"'], 'postgres.storage.size is 1Gi'],
  ['postgres', [], ['postgres.storage.className="fast"'], 'postgres.storage.className is "fast"'],
  ['legacy', [], ['legacyBackend.storage.size="512Mi"'], 'claim ingot-legacy has 1Gi, and a claim cannot shrink'],
  ['legacy', [], ['legacyBackend.storage.className="fast"'], 'claim ingot-legacy has the class ""'],
  ['postgres', [], ['fullnameOverride="other"'], 'would rename this release from ingot to other'],
  ['legacy', [], ['redis.mode="sentinel"'], 'the pods of this release use an external lock service'],
]

describe('an upgrade is refused', () => {
  test.each(CHANGES)('%s, installed with %j, upgraded with %j', async (mode, before, after, answer) => {
    await using live = await startLive({ objects: installed(mode, before) })
    expect(await live.refusal(mode, after)).toContain(answer)
  })
})

test('without these rules helm takes every one of the changes', async () => {
  using broken = chartWithout('ingot.refuseChanges')
  for (const [mode, before, after] of CHANGES) {
    await using live = await startLive({ objects: installed(mode, before), chart: broken.chart })
    await expect(live.render(mode, after), `${mode} ${after.join(' ')}`).resolves.toBeDefined()
  }
})

test('without the rule on Secrets the chart makes passwords', async () => {
  using broken = chartWithout('ingot.requireSecrets')
  await using live = await startLive({ objects: [], chart: broken.chart })
  const manifests = await live.render('postgres', ['secrets.requireExisting=true'])
  expect(kinds(manifests, 'Secret').toSorted()).toEqual(['ingot-postgres', 'ingot-redis', 'ingot-token'])
})

describe('an upgrade is taken', () => {
  test.each([
    ['postgres', [], []],
    ['cluster', [], ['redis.cluster.replicasPerMaster=2']],
    ['standalone', [], []],
    ['postgres', [], ['redis.replicas=5', 'redis.sentinel.replicas=5']],
    ['postgres', [], ['redis.persistence.size="1024Mi"', 'postgres.storage.size="2048Mi"']],
    ['postgres', [], ['redis.persistence.retention.whenDeleted="Delete"']],
    ['legacy', [], ['legacyBackend.storage.size="2Gi"']],
    // one lock service follows the other, and Postgres needs none
    ['external', ['lock.mode="auto"'], ['redis.mode="sentinel"', 'lock.mode="auto"']],
  ])('%s, installed with %j, upgraded with %j', async (mode, before, after) => {
    await using live = await startLive({ objects: installed(mode, before) })
    expect((await live.render(mode, after)).length).toBeGreaterThan(5)
  })

  test('when the service was stopped before its lock service changed', async () => {
    const objects = installed('legacy').map((object) =>
      object.kind === 'Deployment' ? { ...object, spec: { ...object.spec, replicas: 0 } } : object,
    )
    await using live = await startLive({ objects })
    await expect(live.render('legacy', ['redis.mode="sentinel"'])).resolves.toBeDefined()
  })

  test('whatever objects of another release look like', async () => {
    const objects = installed('postgres').map((object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { 'app.kubernetes.io/instance': 'another' } },
    }))
    await using live = await startLive({ objects })
    await expect(live.render('postgres', ['redis.mode="cluster"'])).resolves.toBeDefined()
  })
})

test('a Redis that an earlier chart installed is known by its environment', async () => {
  const objects = installed('cluster').map((object) => ({
    ...object,
    metadata: { ...object.metadata, annotations: {} },
  }))
  await using live = await startLive({ objects })
  expect(await live.refusal('cluster', ['redis.mode="sentinel"'])).toContain('this release runs Redis as cluster')
  expect(await live.refusal('cluster', ['redis.cluster.masters=6'])).toContain('has 3 primaries')
})

test('passwords of the install are found again', async () => {
  const objects = [
    {
      kind: 'Secret',
      metadata: { name: 'ingot-postgres' },
      data: { password: Buffer.from('kept').toString('base64') },
    },
  ]
  await using live = await startLive({ objects })
  const { stringData } = find(await live.render('postgres'), 'Secret', 'ingot-postgres')
  expect(stringData).toEqual({ password: 'kept' })
})

describe('nodes', () => {
  const node = (name: string, spec: object = {}) => ({ kind: 'Node', metadata: { name }, spec: { ...spec } })
  const CHECK = ['redis.sentinel.checkNodes=true']
  const CONTROL = { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }

  test('that are too few for the Sentinels are refused when the check is on', async () => {
    await using live = await startLive({ objects: [node('a'), node('b', CONTROL), node('c', { unschedulable: true })] })
    const answer = await live.refusal('postgres', CHECK)
    expect(answer).toContain('3 Sentinels on a node of its own, and this cluster has 1 nodes for them')
    expect(answer).toContain('set redis.sentinel.hardAntiAffinity=false')
    await expect(live.render('postgres')).resolves.toBeDefined()
    await expect(live.render('postgres', [...CHECK, 'redis.sentinel.hardAntiAffinity=false'])).resolves.toBeDefined()
  })

  test('that suffice are taken', async () => {
    await using live = await startLive({ objects: [node('a'), node('b'), node('c')] })
    await expect(live.render('postgres', CHECK)).resolves.toBeDefined()
  })

  test('are not looked at unless asked, so that nobody needs a right for it', async () => {
    await using live = await startLive({ objects: installed('postgres'), mayListNodes: false })
    await expect(live.render('postgres')).resolves.toBeDefined()
    expect(await live.refusal('postgres', CHECK)).toContain('Forbidden')
  })
})

describe('the number of pods under an autoscaler', () => {
  const AUTOSCALED = ['service.autoscaling.enabled=true']
  const withReplicas = (replicas: number): readonly Manifest[] =>
    installed('postgres').map((object) =>
      object.kind === 'Deployment' ? { ...object, spec: { ...object.spec, replicas } } : object,
    )

  test.each([
    ['stays what it is', 5, 5],
    ['rises to the minimum', 1, 3],
    ['falls to the maximum', 50, 10],
    ['starts at the minimum after a stop', 0, 3],
  ])('%s: %d to %d', async (_title, replicas, wanted) => {
    await using live = await startLive({ objects: withReplicas(replicas) })
    const { spec } = find(await live.render('postgres', AUTOSCALED), 'Deployment', 'ingot')
    expect(spec['replicas']).toBe(wanted)
  })

  test('is the one of the values without an autoscaler', async () => {
    await using live = await startLive({ objects: withReplicas(5) })
    expect(find(await live.render('postgres'), 'Deployment', 'ingot').spec['replicas']).toBe(3)
  })
})
