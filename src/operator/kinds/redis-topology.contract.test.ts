/** The schema and the rules of RedisTopology, as a real API server applies them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection, type KubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { DEFINITIONS, definitionOf } from '../../kube/crd/definition.ts'
import { systemClock } from '../../std/clock.ts'
import { untilTrue } from '../../std/until.ts'
import { startBareApiServer } from '../../testing/kube/bare-api-server.ts'
import { present } from '../../testing/present.ts'
import { REDIS_TOPOLOGIES, REDIS_TOPOLOGY, REDIS_TOPOLOGY_SPEC } from './redis-topology.ts'

const SENTINEL = { statefulSet: 'shop-sentinel', replicas: 3, quorum: 2 }
const VALID = {
  sentinel: { mode: 'Sentinel', statefulSet: 'shop-redis', size: 3, sentinel: SENTINEL },
  cluster: { mode: 'Cluster', statefulSet: 'shop-redis', size: 6, replicasPerShard: 1 },
  standalone: { mode: 'Standalone', statefulSet: 'shop-redis', size: 1 },
} as const

/** A wrong spec, the start of the sentence that refuses it, and the spec before it where a rule compares the two. */
interface Refused {
  readonly says: string
  readonly spec: object
  readonly before?: object
}

const REFUSED: Readonly<Record<string, Refused>> = {
  'another mode': { says: 'the mode of existing servers', before: VALID.standalone, spec: { ...VALID.cluster } },
  'another StatefulSet': {
    says: 'a topology keeps its StatefulSet',
    before: VALID.standalone,
    spec: { ...VALID.standalone, statefulSet: 'other' },
  },
  'a smaller size': {
    says: 'a smaller size removes servers',
    before: VALID.sentinel,
    spec: { ...VALID.sentinel, size: 2 },
  },
  'Sentinel without Sentinels': { says: 'mode Sentinel needs', spec: { ...VALID.sentinel, sentinel: undefined } },
  'a cluster with Sentinels': { says: 'sentinel is only', spec: { ...VALID.cluster, sentinel: SENTINEL } },
  'one StatefulSet for both': {
    says: 'servers and Sentinels need',
    spec: { ...VALID.sentinel, sentinel: { ...SENTINEL, statefulSet: 'shop-redis' } },
  },
  'an even number of Sentinels': {
    says: 'use an odd number',
    spec: { ...VALID.sentinel, sentinel: { ...SENTINEL, replicas: 4 } },
  },
  'a quorum above the Sentinels': {
    says: 'the quorum is above',
    spec: { ...VALID.sentinel, sentinel: { ...SENTINEL, quorum: 5 } },
  },
  'replicas per shard without a cluster': {
    says: 'replicasPerShard is only',
    spec: { ...VALID.sentinel, replicasPerShard: 1 },
  },
  'a cluster of 7': { says: 'the size of a cluster is', spec: { ...VALID.cluster, size: 7 } },
  'two primaries': { says: 'a cluster needs at least three', spec: { ...VALID.cluster, size: 4 } },
  'two standalone servers': { says: 'mode Standalone has size 1', spec: { ...VALID.standalone, size: 2 } },
  'a hand-over of an hour': {
    says: 'write a time from 1s to 10m',
    spec: { ...VALID.sentinel, handover: { timeout: '1h' } },
  },
  'an unknown mode': { says: 'Unsupported value: "Redlock"', spec: { ...VALID.standalone, mode: 'Redlock' } },
  'an unknown policy': { says: 'Unsupported value: "Fix"', spec: { ...VALID.standalone, policy: 'Fix' } },
  'no size': { says: 'spec.size: Required value', spec: { ...VALID.standalone, size: undefined } },
  'a name that is none': { says: 'spec.statefulSet', spec: { ...VALID.standalone, statefulSet: 'Not A Name' } },
}

let server: Awaited<ReturnType<typeof startBareApiServer>>
let connection: KubeConnection | undefined
let api: KubeApi
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

beforeAll(async () => {
  server = await startBareApiServer()
  if ('absent' in server) return
  connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  api = createKubeApi(connection)
  await api.apply(DEFINITIONS, definitionOf(REDIS_TOPOLOGY, '0.1.0'), soon())
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, { withinMs: 20_000, everyMs: 100 })
})

beforeEach(({ skip }) => void present(server, skip))

afterAll(async () => {
  connection?.[Symbol.dispose]()
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

let count = 0
const unique = (): string => `topology-${++count}`
const topology = (name: string, spec: object): KubeObject => ({ metadata: { name, namespace: 'default' }, spec })

test.each(Object.entries(VALID))('accepts a valid topology: %s', async (_mode, spec) => {
  const created = await api.create(REDIS_TOPOLOGIES, topology(unique(), spec), soon())
  expect(created['spec']).toMatchObject({ ...spec, policy: 'Heal' })
})

test.each(Object.entries(REFUSED))('refuses %s', async (_what, { says, spec, before }) => {
  const name = unique()
  if (before !== undefined) await api.apply(REDIS_TOPOLOGIES, topology(name, before), soon())
  const attempt = api.apply(REDIS_TOPOLOGIES, topology(name, spec), soon())
  await expect(attempt).rejects.toMatchObject({ code: 'KUBE_INVALID' })
  await expect(attempt).rejects.toThrow(says)
})

test('every rule has a topology that it refuses', () => {
  const messages = [...JSON.stringify(REDIS_TOPOLOGY_SPEC).matchAll(/"rule":".*?","message":"(.*?)"/g)].map(
    ([, m = '']) => m,
  )
  expect(messages.length).toBeGreaterThan(10)
  for (const message of messages) {
    expect(Object.values(REFUSED).filter(({ says }) => message.startsWith(says))).toHaveLength(1)
  }
})

describe('accepts', () => {
  test('another mode with migrate, and a smaller size with allowShrink', async () => {
    const name = unique()
    await api.apply(REDIS_TOPOLOGIES, topology(name, VALID.sentinel), soon())
    await api.apply(REDIS_TOPOLOGIES, topology(name, { ...VALID.sentinel, size: 1, allowShrink: true }), soon())
    await api.apply(REDIS_TOPOLOGIES, topology(name, { ...VALID.cluster, migrate: true }), soon())
  })

  test('a status with conditions, and scales by size', async () => {
    const name = unique()
    await api.apply(REDIS_TOPOLOGIES, topology(name, VALID.sentinel), soon())
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: 'Healthy',
      message: 'all servers are ready',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-02T03:04:05Z',
    }
    const status = { observedGeneration: 1, size: 3, selector: 'app=redis', conditions: [condition] }
    const written = await api.applyStatus(
      REDIS_TOPOLOGIES,
      { metadata: { name, namespace: 'default' }, status },
      soon(),
    )
    expect(written['status']).toEqual(status)
    const scale = await api.get(REDIS_TOPOLOGIES, { namespace: 'default', name, subresource: 'scale' }, soon())
    expect(scale).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 3 },
      status: { replicas: 3, selector: 'app=redis' },
    })
  })
})

test('the version of the definition is readable without the right to read definitions', async () => {
  const request = { method: 'GET', path: '/openapi/v3/apis/ingot.dev/v1alpha1', signal: soon() } as const
  const { body } = await api.connection.send(request)
  expect(body).toContain('(ingot 0.1.0)')
})
