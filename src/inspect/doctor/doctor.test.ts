/** Each check of `doctor`: no finding in a healthy release, its finding in a release with the hazard. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../../drill/checkout.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import {
  factsOf,
  NOW,
  RELEASE,
  type ReleaseObjects,
  releaseObjects,
  set,
  setCondition,
} from '../../testing/inspect/release.ts'
import type { Facts, Read } from '../facts.ts'
import { listAt, textAt } from '../json.ts'
import type { Part } from '../kinds.ts'
import { createPaint } from '../paint.ts'
import { bytesOfQuantity, bytesOfRedisSize } from '../quantity.ts'
import { selects } from '../selector.ts'
import { statusReport } from '../status/judge.ts'
import { statusText } from '../status/text.ts'
import type { Need } from './check.ts'
import { CHECKS, diagnose } from './diagnosis.ts'
import { diagnosisText } from './text.ts'

type Mode = 'sentinel' | 'cluster'
type Change = (objects: ReleaseObjects) => void

interface Hazard {
  readonly code: string
  readonly change: Change
  readonly seen: string
  /** Default: sentinel. */
  readonly mode?: Mode
  /** Default: that of the fixture. */
  readonly nowMs?: number
}

const topology = (o: ReleaseObjects): KubeObject => o.get('RedisTopology', 'ingot-redis')
const redis = (o: ReleaseObjects): KubeObject => o.get('StatefulSet', 'ingot-redis')
const sentinel = (o: ReleaseObjects): KubeObject => o.get('StatefulSet', 'ingot-sentinel')
const pod = (o: ReleaseObjects, name = 'ingot-redis-1'): KubeObject => o.get('Pod', name)
const SERVICE_POD = 'ingot-7c9d5f6b8-aaaaa'
const LATER = '2026-11-29T11:00:00Z'

/** Replaces the value of a variable in the first container of a workload. */
function setVariable(workload: KubeObject, name: string, value: string): void {
  const path = ['spec', 'template', 'spec', 'containers', 0, 'env'] as const
  const index = listAt(workload, ...path).findIndex((one) => textAt(one, 'name') === name)
  set(workload, [...path, index, 'value'], value)
}

/** Replaces a line of redis.conf. */
function setLine(o: ReleaseObjects, name: string, value: string): void {
  const map = o.get('ConfigMap', 'ingot-redis')
  const text = textAt(map, 'data', 'redis.conf').replace(new RegExp(`^${name} .*$`, 'm'), `${name} ${value}`)
  set(map, ['data', 'redis.conf'], text)
}

function setSecret(o: ReleaseObjects, name: string, key: string, value: string | undefined): void {
  const encoded = value === undefined ? undefined : Buffer.from(value).toString('base64')
  set(o.get('Secret', name), ['data', key], encoded)
}

const nodeOf = (o: ReleaseObjects, component: string): void => {
  for (const one of o.items) {
    const isOne = one.metadata.labels?.['app.kubernetes.io/component'] === component
    if (one.kind === 'Pod' && isOne) set(one, ['spec', 'nodeName'], 'worker-0')
  }
}

const autoscaler = (status: object): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: RELEASE, namespace: 'shop', labels: { 'app.kubernetes.io/instance': RELEASE } },
  spec: { minReplicas: 3, maxReplicas: 10 },
  status,
})

const DAY_MS = 86_400_000

const HAZARDS: readonly Hazard[] = [
  { code: 'NO_PRIMARY', change: (o) => set(topology(o), ['status', 'primaries'], []), seen: 'no server is primary' },
  {
    code: 'NO_PRIMARY',
    change(o) {
      o.remove('RedisTopology', 'ingot-redis')
      set(pod(o, 'ingot-redis-0'), ['metadata', 'labels', 'ingot.dev/role'], 'replica')
    },
    seen: 'no server is primary',
  },
  {
    code: 'SEVERAL_PRIMARIES',
    change: (o) => set(topology(o), ['status', 'primaries', 1], { shard: 0, pod: 'ingot-redis-2' }),
    seen: 'these servers are primary: ingot-redis-0, ingot-redis-2',
  },
  {
    code: 'REPLICA_NOT_LINKED',
    change: (o) => set(topology(o), ['status', 'servers', 1, 'linked'], false),
    seen: 'the replica is not connected',
  },
  {
    code: 'SERVER_UNREACHABLE',
    change: (o) => set(topology(o), ['status', 'servers', 2], { pod: 'ingot-redis-2', role: 'unknown' }),
    seen: 'does not tell its role',
  },
  {
    code: 'FAILOVER_IMPOSSIBLE',
    change: (o) =>
      setCondition(topology(o), 'FailoverPossible', { status: 'False', reason: 'NoQuorum', message: 'too few' }),
    seen: 'NoQuorum: too few',
  },
  {
    code: 'SLOTS_MISSING',
    mode: 'cluster',
    change: (o) => set(topology(o), ['status', 'servers', 0, 'slots'], 5_000),
    seen: '15923 of 16384 slots',
  },
  {
    code: 'SHARDS_DIFFER',
    mode: 'cluster',
    change: (o) => set(redis(o), ['metadata', 'annotations', 'ingot.dev/redis-primaries'], '4'),
    seen: 'redis.cluster.masters is 4, and 3 primaries have slots',
  },
  {
    code: 'MODE_CHANGED',
    change: (o) => set(redis(o), ['metadata', 'annotations', 'ingot.dev/redis-mode'], 'cluster'),
    seen: 'it has mode cluster, its RedisTopology sentinel',
  },
  {
    code: 'MODE_CHANGED',
    change: (o) => set(pod(o), ['spec', 'containers', 0, 'env'], [{ name: 'MODE', value: 'cluster' }]),
    seen: 'these pods another one: ingot-redis-1',
  },
  {
    code: 'KEEPER_MISSING',
    change: (o) => set(redis(o), ['spec', 'template', 'spec', 'containers', 1, 'name'], 'other'),
    seen: 'no container "keeper"',
  },
  {
    code: 'QUORUM_ABOVE_SENTINELS',
    change(o) {
      setVariable(sentinel(o), 'QUORUM', '5')
      set(topology(o), ['spec', 'sentinel', 'quorum'], 5)
    },
    seen: 'the quorum is 5, and there are 3 Sentinels',
  },
  {
    code: 'QUORUM_BELOW_MAJORITY',
    change: (o) => setVariable(sentinel(o), 'QUORUM', '1'),
    seen: 'the quorum is 1, below the majority 2 of 3',
  },
  {
    code: 'SENTINELS_EVEN',
    change(o) {
      set(sentinel(o), ['spec', 'replicas'], 4)
      setVariable(sentinel(o), 'QUORUM', '3')
    },
    seen: 'there are 4 Sentinels',
  },
  {
    code: 'SENTINELS_STALE',
    change: (o) => set(topology(o), ['status', 'sentinels', 'known'], 5),
    seen: 'know 5 of them, and 3 are deployed',
  },
  {
    code: 'SENTINELS_DISAGREE',
    change: (o) => set(topology(o), ['status', 'sentinels', 'agreed'], 2),
    seen: '2 of 3 reachable Sentinels',
  },
  {
    code: 'SENTINELS_UNREACHABLE',
    change: (o) => set(topology(o), ['status', 'sentinels', 'reachable'], 2),
    seen: '2 of 3 Sentinels respond',
  },
  {
    code: 'MAX_LAG_TOO_LONG',
    change: (o) => setLine(o, 'min-replicas-max-lag', '30'),
    seen: 'min-replicas-max-lag is 30 s, more than a third of the lease of 10 s',
  },
  {
    code: 'WRITES_WITHOUT_REPLICA',
    change: (o) => setLine(o, 'min-replicas-to-write', '0'),
    seen: 'min-replicas-to-write is 0',
  },
  { code: 'MEMORY_NEAR_LIMIT', change: (o) => setLine(o, 'maxmemory', '250mb'), seen: 'maxmemory is 250mb' },
  { code: 'MEMORY_NEAR_LIMIT', change: (o) => setLine(o, 'maxmemory', '0'), seen: 'maxmemory is not limited' },
  { code: 'EVICTION_ON', change: (o) => setLine(o, 'maxmemory-policy', 'allkeys-lru'), seen: 'allkeys-lru' },
  { code: 'SECRET_MISSING', change: (o) => o.remove('Secret', 'ingot-postgres'), seen: 'it is not there' },
  {
    code: 'SECRET_KEY_MISSING',
    change: (o) => setSecret(o, 'ingot-redis', 'admin-password', undefined),
    seen: 'it lacks the key admin-password',
  },
  {
    code: 'SECRET_CHANGED_AFTER_START',
    change: (o) => set(o.get('Secret', 'ingot-redis'), ['metadata', 'managedFields', 0, 'time'], LATER),
    seen: 'Secret ingot-redis changed after its start',
  },
  {
    code: 'OPERATOR_PASSWORD_MISSING',
    change: (o) => setSecret(o, 'ingot-redis', 'operator-password', undefined),
    seen: 'it lacks the key operator-password',
  },
  {
    code: 'SECRETS_RENDERED_BY_GITOPS',
    change: (o) => set(o.get('Secret', 'ingot-redis'), ['metadata', 'labels', 'argocd.argoproj.io/instance'], RELEASE),
    seen: 'the chart generated it',
  },
  {
    code: 'CERTIFICATE_EXPIRES',
    change: () => {},
    nowMs: Date.parse(NOW) + 390 * DAY_MS,
    seen: 'tls.crt: it expires in',
  },
  { code: 'CERTIFICATE_EXPIRES', change: () => {}, nowMs: Date.parse(NOW) + 500 * DAY_MS, seen: 'it has expired' },
  {
    code: 'CERTIFICATE_UNREADABLE',
    change: (o) => setSecret(o, 'ingot-redis-tls', 'tls.crt', 'no certificate'),
    seen: 'tls.crt is not a certificate in PEM',
  },
  {
    code: 'CERTIFICATE_NAME_WRONG',
    change: (o) => setVariable(redis(o), 'REDIS_DOMAIN', 'ingot-redis-headless.other.svc.cluster.local'),
    seen: 'tls.crt is not for ingot-redis-0.ingot-redis-headless.other',
  },
  {
    code: 'PERSISTENCE_OFF',
    change: (o) => set(redis(o), ['spec', 'volumeClaimTemplates'], undefined),
    seen: 'no volume that outlives',
  },
  { code: 'APPEND_FSYNC_WEAK', change: (o) => setLine(o, 'appendfsync', 'everysec'), seen: 'appendfsync is everysec' },
  {
    code: 'CLAIMS_LEFT_OVER',
    change: (o) => set(redis(o), ['spec', 'replicas'], 2),
    seen: 'no pod of the release uses it',
  },
  {
    code: 'CLAIM_NOT_BOUND',
    change: (o) => set(o.get('PersistentVolumeClaim', 'data-ingot-redis-1'), ['status', 'phase'], 'Pending'),
    seen: 'it is Pending, not Bound',
  },
  {
    code: 'POD_UNSCHEDULABLE',
    change: (o) =>
      setCondition(pod(o, 'ingot-sentinel-2'), 'PodScheduled', {
        status: 'False',
        reason: 'Unschedulable',
        message: "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.",
      }),
    seen: 'anti-affinity',
  },
  {
    code: 'POD_CANNOT_START',
    change: (o) =>
      set(pod(o), ['status', 'containerStatuses', 0, 'state'], { waiting: { reason: 'ImagePullBackOff' } }),
    seen: 'the container redis waits: ImagePullBackOff',
  },
  {
    code: 'POD_OUT_OF_MEMORY',
    change: (o) =>
      set(pod(o), ['status', 'containerStatuses', 0, 'lastState'], { terminated: { reason: 'OOMKilled' } }),
    seen: 'the kernel ended the container redis',
  },
  {
    code: 'POD_RESTARTS',
    change: (o) => set(pod(o, SERVICE_POD), ['status', 'containerStatuses', 0, 'restartCount'], 7),
    seen: 'was restarted 7 times',
  },
  {
    code: 'IMAGES_DIFFER',
    change: (o) => set(pod(o, SERVICE_POD), ['spec', 'containers', 0, 'image'], 'ingot:0.0.9'),
    seen: 'ingot:0.0.9, ingot:0.1.0',
  },
  {
    code: 'CANARY_FAILED',
    change: (o) =>
      o.add({
        kind: 'Pod',
        metadata: {
          name: 'canary',
          labels: { 'app.kubernetes.io/instance': RELEASE, 'app.kubernetes.io/component': 'canary' },
        },
        status: { phase: 'Failed' },
      }),
    seen: 'the canary has ended with a failure',
  },
  { code: 'NEVER_TESTED', change: (o) => o.remove('Pod', 'ingot-test'), seen: 'no helm test has passed' },
  { code: 'REDIS_ON_ONE_NODE', change: (o) => nodeOf(o, 'redis'), seen: 'all 3 pods are on node worker-0' },
  { code: 'SENTINELS_ON_ONE_NODE', change: (o) => nodeOf(o, 'sentinel'), seen: 'all 3 pods are on node worker-0' },
  { code: 'SERVICE_ON_ONE_NODE', change: (o) => nodeOf(o, 'service'), seen: 'all 3 pods are on node worker-0' },
  {
    code: 'NO_DISRUPTION_BUDGET',
    change: (o) => o.remove('PodDisruptionBudget', 'ingot-redis'),
    seen: 'no PodDisruptionBudget selects them',
  },
  {
    code: 'AUTOSCALER_NOT_IN_EFFECT',
    change(o) {
      o.add(autoscaler({}))
      set(o.get('Deployment', 'ingot'), ['spec', 'replicas'], 1)
    },
    seen: 'the Deployment has 1 replicas, below minReplicas 3',
  },
  {
    code: 'AUTOSCALER_NOT_IN_EFFECT',
    change: (o) =>
      o.add(autoscaler({ conditions: [{ type: 'ScalingActive', status: 'False', message: 'no metrics' }] })),
    seen: 'it does not scale: no metrics',
  },
  { code: 'OPERATOR_ABSENT', change: (o) => o.remove('Lease', 'ingot-operator'), seen: 'there is no operator' },
  {
    code: 'OPERATOR_LEASE_STALE',
    change: (o) => set(o.get('Lease', 'ingot-operator'), ['spec', 'renewTime'], '2026-11-29T11:59:00.000000Z'),
    seen: 'is not renewed',
  },
  {
    code: 'OPERATOR_VERSION_DIFFERS',
    change: (o) =>
      set(
        o.get('CustomResourceDefinition', 'redistopologies.ingot.dev'),
        ['metadata', 'annotations', 'ingot.dev/crd-version'],
        '0.10.0',
      ),
    seen: 'it is 0.1.0, older than its definitions 0.10.0',
  },
  {
    code: 'OPERATOR_VERSION_DIFFERS',
    change: (o) =>
      set(o.get('Deployment', 'ingot-operator'), ['metadata', 'labels', 'app.kubernetes.io/version'], '0.2.0'),
    seen: 'newer than its definitions 0.1.0',
  },
  {
    code: 'SEVERAL_OPERATORS',
    change(o) {
      const lease = structuredClone(o.get('Lease', 'ingot-operator'))
      set(lease, ['metadata', 'namespace'], 'other')
      o.add(lease)
    },
    seen: 'operators lead in several namespaces: ingot-system, other',
  },
  {
    code: 'OPERATOR_FORBIDDEN',
    change: (o) =>
      setCondition(topology(o), 'Stalled', { status: 'True', reason: 'SecretForbidden', message: 'may not read' }),
    seen: 'SecretForbidden: may not read',
  },
  {
    code: 'TOPOLOGY_STALLED',
    change: (o) =>
      setCondition(topology(o), 'Stalled', { status: 'True', reason: 'PasswordWrong', message: 'refused' }),
    seen: 'PasswordWrong: refused',
  },
  {
    code: 'TOPOLOGY_STATUS_OLD',
    change: (o) => set(topology(o), ['metadata', 'generation'], 2),
    seen: 'its status is of generation 1, its spec of 2',
  },
  { code: 'TOPOLOGY_PAUSED', change: (o) => set(topology(o), ['spec', 'paused'], true), seen: 'it is paused' },
  {
    code: 'TOPOLOGY_MISSING',
    change: (o) => o.remove('RedisTopology', 'ingot-redis'),
    seen: 'no RedisTopology names this StatefulSet',
  },
  {
    code: 'OPERATOR_NOT_ADMITTED',
    change: (o) => o.remove('NetworkPolicy', 'ingot-redis-operator'),
    seen: 'no NetworkPolicy admits the operator of namespace ingot-system',
  },
]

function factsAfter({ change, mode = 'sentinel', nowMs }: Omit<Hazard, 'code' | 'seen'>): Facts {
  const objects = releaseObjects(mode)
  change(objects)
  const facts = factsOf(objects, nowMs)
  // a Lease that is renewed: only the clock of the certificates moves
  return nowMs === undefined ? facts : { ...facts, leases: factsOf(objects).leases }
}

test.each(['sentinel', 'cluster'] as const)('a healthy release with %s has no finding', (mode) => {
  const { findings, notChecked, checked } = diagnose(factsOf(releaseObjects(mode)))
  expect(findings).toEqual([])
  expect(notChecked).toEqual([])
  expect(checked).toBe(CHECKS.length)
})

test('every check has a hazard here, and a code of its own', () => {
  expect([...new Set(HAZARDS.map(({ code }) => code))].toSorted()).toEqual(CHECKS.map(({ code }) => code).toSorted())
})

test('docs/kubectl.md lists every code with its severity', () => {
  const text = readFileSync(join(ROOT, 'docs', 'kubectl.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` +\| (error|warning) /gm)].map(([, code, severity]) => [
    code,
    severity,
  ])
  expect(rows).toEqual(CHECKS.map(({ code, severity }) => [code, severity]))
})

test.each(HAZARDS)('$code is found: $seen', (hazard) => {
  const { findings } = diagnose(factsAfter(hazard))
  const own = findings.filter(({ code }) => code === hazard.code)
  expect(own.map(({ seen }) => seen).join('\n')).toContain(hazard.seen)
  for (const { remedy, subject } of own) {
    expect(remedy).toMatch(/\w/)
    expect(subject).toMatch(/\w/)
  }
})

describe('what could not be read', () => {
  const UNREAD: Read<never> = { kind: 'unread', why: '403' }

  function without(facts: Facts, need: Need): Facts {
    if (need === 'secrets') return { ...facts, secrets: facts.secrets.map(({ name }) => ({ name, secret: UNREAD })) }
    if (need in facts.objects) return { ...facts, objects: { ...facts.objects, [need]: UNREAD } }
    return { ...facts, [need]: UNREAD }
  }

  test.each(HAZARDS)('$code is never taken for fine', (hazard) => {
    const needs = CHECKS.find(({ code }) => code === hazard.code)?.needs ?? []
    for (const need of needs) {
      const { notChecked, findings } = diagnose(without(factsAfter(hazard), need))
      expect(notChecked, need).toContainEqual({ code: hazard.code, why: expect.stringMatching(/: 403$/) as string })
      expect(
        findings.map(({ code }) => code),
        need,
      ).not.toContain(hazard.code)
    }
  })

  test('a check names all that it needs: without it, no finding appears that was not there', () => {
    const needs: readonly Need[] = ['topologies', 'leases', 'operators', 'definition', 'secrets']
    const parts = Object.keys(factsOf(releaseObjects('sentinel')).objects) as Part[]
    for (const mode of ['sentinel', 'cluster'] as const) {
      for (const need of [...needs, ...parts]) {
        const { findings } = diagnose(without(factsOf(releaseObjects(mode)), need))
        expect(
          findings.map(({ code }) => code),
          need,
        ).toEqual([])
      }
    }
  })
})

describe('odd releases', () => {
  const judge = (objects: ReleaseObjects): readonly string[] => {
    const facts = factsOf(objects)
    expect(statusText(statusReport(facts), createPaint(false))).toContain('shop/ingot')
    return diagnose(facts).findings.map(({ code }) => code)
  }

  test.each(['sentinel', 'cluster'] as const)('without any one object, or with an empty one: %s', (mode) => {
    const { items } = releaseObjects(mode)
    for (const index of items.keys()) {
      const without = releaseObjects(mode)
      without.items.splice(index, 1)
      judge(without)
      for (const field of ['spec', 'status', 'data']) {
        const emptied = releaseObjects(mode)
        const object = emptied.items[index]
        if (object !== undefined)
          set(object, [field], field === 'data' ? 'odd' : { conditions: 'odd', containers: [null] })
        judge(emptied)
      }
    }
  })

  test('with Redis outside the release has no finding about Redis', () => {
    const objects = releaseObjects('sentinel')
    const isOfRedis = ({ kind, metadata }: KubeObject): boolean =>
      kind !== 'Secret' && /redis|sentinel/.test(metadata.name) && metadata.namespace === 'shop'
    objects.items.splice(0, Number.POSITIVE_INFINITY, ...objects.items.filter((one) => !isOfRedis(one)))
    expect(judge(objects)).toEqual([])
    expect(statusReport(factsOf(objects))).not.toHaveProperty('redis')
  })

  test('with nothing at all is not healthy', () => {
    const objects = releaseObjects('sentinel')
    objects.items.splice(0)
    expect(judge(objects)).toEqual(['NEVER_TESTED'])
    expect(statusReport(factsOf(objects)).healthy).toBe(false)
  })
})

test('errors come first, and the text has code, subject, sighting and remedy', () => {
  const diagnosis = diagnose(
    factsAfter({
      change(o) {
        set(topology(o), ['spec', 'paused'], true)
        setLine(o, 'min-replicas-max-lag', '30')
      },
    }),
  )
  expect(diagnosis.findings.map(({ severity }) => severity)).toEqual(['error', 'warning'])
  const text = diagnosisText(diagnosis, createPaint(false))
  expect(text).toContain(`shop/ingot: 2 findings in ${CHECKS.length} checks\n`)
  expect(text).toContain('error    MAX_LAG_TOO_LONG  configmap/ingot-redis\n  seen    min-replicas-max-lag is 30 s')
  expect(text).toContain('warning  TOPOLOGY_PAUSED  redistopology/ingot-redis')
})

test('an operator of other namespaces is no second one', () => {
  const { findings } = diagnose(
    factsAfter({
      change(o) {
        for (const kind of ['Lease', 'Deployment']) {
          const copy = structuredClone(o.get(kind, 'ingot-operator'))
          set(copy, ['metadata', 'namespace'], 'other')
          if (kind === 'Deployment')
            set(copy, ['spec', 'template', 'spec', 'containers', 0, 'args'], ['operate', '--namespaces=a,b'])
          o.add(copy)
        }
      },
    }),
  )
  expect(findings).toEqual([])
})

test.each([
  [{ matchLabels: { a: '1' } }, true],
  [{ matchLabels: { a: '2' } }, false],
  [{}, true],
  [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, true],
  [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, false],
  [{ matchExpressions: [{ key: 'b', operator: 'NotIn', values: ['1'] }] }, true],
  [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, true],
  [{ matchExpressions: [{ key: 'b', operator: 'Exists' }] }, false],
  [{ matchExpressions: [{ key: 'b', operator: 'DoesNotExist' }] }, true],
  [{ matchExpressions: [{ key: 'a', operator: 'Gt', values: ['0'] }] }, false],
])('the selector %j matches a=1: %j', (selector, matches) => {
  expect(selects(selector, { a: '1' })).toBe(matches)
})

test('sizes are read as Kubernetes and Redis write them', () => {
  expect(['256Mi', '1G', '1.5Ki', '12', '1Zi', 'x'].map(bytesOfQuantity)).toEqual([
    256 * 2 ** 20,
    1e9,
    1_536,
    12,
    undefined,
    undefined,
  ])
  expect(['200mb', '1G', '187904819', '1kb', 'toString'].map(bytesOfRedisSize)).toEqual([
    200 * 2 ** 20,
    1e9,
    187_904_819,
    1_024,
    undefined,
  ])
})
