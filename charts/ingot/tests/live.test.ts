/** Tests that the chart refuses changes that an upgrade of the installed objects cannot make. */
import { describe, expect, test } from 'vitest'
import { find, kinds, type Manifest, render } from './helm.ts'
import { chartWithout, startLive } from './live.ts'

/** Returns the objects of an installation with these values. */
const installed = (mode: string, changes: readonly string[] = [], release = 'ingot'): readonly Manifest[] =>
  render(mode, changes, release)

/** Values of the installation, values of the upgrade, message of helm. */
type Case = readonly [mode: string, before: readonly string[], after: readonly string[], message: string]

const CHANGES: readonly Case[] = [
  ['postgres', [], ['redis.mode="cluster"'], 'redis.mode is cluster, but this release runs Redis as sentinel'],
  ['postgres', [], ['redis.mode="standalone"'], 'redis.mode is standalone, but this release runs Redis as sentinel'],
  ['postgres', [], ['redis.mode="external"'], 'delete statefulset ingot-redis ingot-sentinel)'],
  // a RedisTopology keeps its mode
  [
    'postgres',
    [],
    ['redis.mode="cluster"', 'operator.resources="always"'],
    'delete redistopology ingot-redis) and its claims',
  ],
  ['cluster', [], ['redis.mode="sentinel"'], 'redis.mode is sentinel, but this release runs Redis as cluster'],
  ['cluster', [], ['redis.cluster.masters=4'], 'redis.cluster.masters is 4, but this Redis Cluster has 3 primaries'],
  ['cluster', ['redis.cluster.masters=5'], [], 'redis.cluster.masters is 3, but this Redis Cluster has 5 primaries'],
  ['redlock', [], ['redis.redlock.servers=3'], 'redis.redlock.servers is 3, but this release has 5 servers'],
  ['redlock', [], ['redis.mode="sentinel"'], 'redis.mode is sentinel, but this release runs Redis as redlock'],
  ['postgres', [], ['redis.sentinel.masterName="other"'], 'these Sentinels have stored "ingot"'],
  ['postgres', [], ['redis.persistence.size="2Gi"'], 'the claims of StatefulSet ingot-redis were created with 1Gi'],
  ['postgres', [], ['redis.persistence.className="fast"'], 'a volume cannot change its class'],
  ['postgres', [], ['redis.persistence.enabled=false'], 'StatefulSet ingot-redis was created with the opposite'],
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
  ['postgres', [], ['lock.url="etcd://e1"'], 'lock.url or lock.existingSecret is set, but this release runs Redis'],
  ['legacy', [], ['lock.url=""'], 'the pods of this release use an external lock service'],
  ['legacy', [], ['lock.url="etcd://e1"'], 'lock.url begins with etcd:, but the pods of this release use redis:'],
]

describe('an upgrade is refused', () => {
  test.each(CHANGES)('%s, installed with %j, upgraded with %j', async (mode, before, after, message) => {
    await using live = await startLive({ objects: installed(mode, before) })
    expect(await live.refusal(mode, after)).toContain(message)
  })
})

test('without these rules helm accepts all of the changes', async () => {
  using broken = chartWithout('ingot.refuseChanges')
  for (const [mode, before, after] of CHANGES) {
    await using live = await startLive({ objects: installed(mode, before), chart: broken.chart })
    await expect(live.render(mode, after), `${mode} ${after.join(' ')}`).resolves.toBeDefined()
  }
  // one installation and one upgrade for each change
}, 120_000)

test('without the rule on Secrets the chart generates passwords', async () => {
  using broken = chartWithout('ingot.requireSecrets')
  await using live = await startLive({ objects: [], chart: broken.chart })
  const manifests = await live.render('postgres', ['secrets.requireExisting=true'])
  expect(kinds(manifests, 'Secret').toSorted()).toEqual(['ingot-postgres', 'ingot-redis', 'ingot-token'])
})

describe('an upgrade is accepted', () => {
  test.each([
    ['postgres', [], []],
    ['cluster', [], ['redis.cluster.replicasPerMaster=2']],
    ['standalone', [], []],
    ['postgres', [], ['redis.replicas=5', 'redis.sentinel.replicas=5']],
    ['postgres', [], ['redis.persistence.size="1024Mi"', 'postgres.storage.size="2048Mi"']],
    ['postgres', [], ['redis.persistence.retention.whenDeleted="Delete"']],
    ['legacy', [], ['legacyBackend.storage.size="2Gi"']],
    // a change of the lock service, in front of Postgres, which needs none
    ['external', ['lock.mode="auto"'], ['lock.url=""', 'lock.mode="auto"']],
    ['http', [], ['lock.url="redis://redis.example:6380"']],
  ])('%s, installed with %j, upgraded with %j', async (mode, before, after) => {
    await using live = await startLive({ objects: installed(mode, before) })
    expect((await live.render(mode, after)).length).toBeGreaterThan(5)
  })

  test('if the service was stopped before its lock service changed', async () => {
    const objects = installed('legacy').map((object) =>
      object.kind === 'Deployment' ? { ...object, spec: { ...object.spec, replicas: 0 } } : object,
    )
    await using live = await startLive({ objects })
    await expect(live.render('legacy', ['lock.url=""'])).resolves.toBeDefined()
  })

  test('regardless of objects of other releases', async () => {
    const objects = installed('postgres').map((object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { 'app.kubernetes.io/instance': 'another' } },
    }))
    await using live = await startLive({ objects })
    await expect(live.render('postgres', ['redis.mode="cluster"'])).resolves.toBeDefined()
  })
})

test('a Redis of an earlier chart is recognized by its environment', async () => {
  const objects = installed('cluster').map((object) => ({
    ...object,
    metadata: { ...object.metadata, annotations: {} },
  }))
  await using live = await startLive({ objects })
  expect(await live.refusal('cluster', ['redis.mode="sentinel"'])).toContain('this release runs Redis as cluster')
  expect(await live.refusal('cluster', ['redis.cluster.masters=6'])).toContain('has 3 primaries')
})

test('passwords of the installation are kept', async () => {
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

  test('too few for the Sentinels are refused if the check is on', async () => {
    await using live = await startLive({ objects: [node('a'), node('b', CONTROL), node('c', { unschedulable: true })] })
    const message = await live.refusal('postgres', CHECK)
    expect(message).toContain('3 Sentinels on its own node, and this cluster has only 1 nodes for them')
    expect(message).toContain('set redis.sentinel.hardAntiAffinity=false')
    await expect(live.render('postgres')).resolves.toBeDefined()
    await expect(live.render('postgres', [...CHECK, 'redis.sentinel.hardAntiAffinity=false'])).resolves.toBeDefined()
  })

  test('enough for the Sentinels are accepted', async () => {
    await using live = await startLive({ objects: [node('a'), node('b'), node('c')] })
    await expect(live.render('postgres', CHECK)).resolves.toBeDefined()
  })

  test('are not listed by default, so that the right to list them is not needed', async () => {
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
    ['stays the same', 5, 5],
    ['rises to the minimum', 1, 3],
    ['falls to the maximum', 50, 10],
    ['starts at the minimum after a stop', 0, 3],
  ])('%s: %d to %d', async (_title, replicas, wanted) => {
    await using live = await startLive({ objects: withReplicas(replicas) })
    const { spec } = find(await live.render('postgres', AUTOSCALED), 'Deployment', 'ingot')
    expect(spec['replicas']).toBe(wanted)
  })

  test('is the value of service.replicas without an autoscaler', async () => {
    await using live = await startLive({ objects: withReplicas(5) })
    expect(find(await live.render('postgres'), 'Deployment', 'ingot').spec['replicas']).toBe(3)
  })
})
