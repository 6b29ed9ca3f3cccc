/** Breaks every rule on values once. The message of helm must say what is wrong, and where. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONFIG_SCHEMA } from '../../../src/config/schema.ts'
import { CHART, refusal, refusalOf, render } from './helm.ts'
import { brokenRules, KEYWORDS, nested, type Schema } from './schema-rules.ts'

/** Set of values, changes, message of helm. */
type Case = readonly [mode: string, changes: readonly string[], message: string]

const CONTRADICTIONS: readonly Case[] = [
  ['postgres', ['store.mode="external"'], 'name the Secret that holds the DSN in store.external.existingSecret'],
  ['postgres', ['store.mode="http"'], 'give the address of your API in store.http.url'],
  ['http', ['store.http.url="ftp://backend"'], 'store.http.url: "ftp://backend" must begin with http:// or https://'],
  ['http', ['store.http.mapping=null'], 'store.http.url is set, but store.http.mapping is empty'],
  ['postgres', ['legacyBackend.enabled=true'], 'legacyBackend.enabled=true has no effect with this store'],
  ['http', ['legacyBackend.enabled=true'], 'legacyBackend.enabled=true has no effect with this store'],
  ['http', ['lock.mode="never"'], 'an http store cannot refuse duplicates by itself: set lock.mode=auto'],
  ['postgres', ['lock.fences.mode="external"'], 'name the Secret that holds the DSN in lock.fences.existingSecret'],
  ['http', ['lock.url=""', 'redis.mode="external"'], 'needs a lock service: set redis.mode'],
  ['external', ['lock.url=""', 'redis.mode="external"'], 'needs a lock service: set redis.mode'],
  ['external', ['lock.existingSecret="locks"'], 'lock.url and lock.existingSecret are both set: keep one of them'],
  ['http', ['lock.directKey="direct"'], 'name the Secret in lock.existingSecret'],
  ['http', ['lock.url="etcd://e1,e2,e3"', 'canary.enabled=true'], 'canary.enabled=true needs a Redis to check'],
  ['postgres', ['redis.external={"url":"redis://own"}'], 'redis.external.url is lock.url'],
  [
    'postgres',
    ['redis.mode="external"', 'canary.enabled=true'],
    'canary.enabled=true needs a Redis to check: set redis.mode',
  ],
  ['http', ['cache.enabled=true'], 'has no effect with an http store, only with Postgres: disable it'],
  [
    'external',
    ['service.autoscaling.minReplicas=5'],
    'service.autoscaling.minReplicas is above service.autoscaling.maxReplicas',
  ],
  ['external', ['service.autoscaling.targetCPUUtilizationPercentage=0'], 'needs a metric'],
  ['postgres', ['service.loadBalancerClass="x"'], 'the Service is a ClusterIP: set service.type=LoadBalancer'],
  ['legacy', ['service.loadBalancerSourceRanges=["192.0.2.0/24"]'], 'the Service is a NodePort: set service.type'],
  ['postgres', ['service.externalTrafficPolicy="Local"'], 'set service.type to NodePort or LoadBalancer'],
  ['postgres', ['redis.sentinel.quorum=4'], 'redis.sentinel.quorum is 4, and there are only 3 Sentinels: no failover'],
  ['postgres', ['redis.sentinel.replicas=5', 'redis.sentinel.quorum=6'], 'there are only 5 Sentinels: no failover'],
  ['postgres', ['redis.minReplicasMaxLagSeconds=4'], 'more than a third of the lease (service.config.lockTtl, 10s)'],
  ['cluster', ['redis.minReplicasMaxLagSeconds=4'], 'Set it to at most 3, or make the lease longer'],
  ['postgres', ['service.config.lockTtl="8.9s"'], 'Set it to at most 2'],
  ['postgres', ['redis.sentinel.downAfterMs=10000'], 'redis.sentinel.downAfterMs is 10000, and the lease is 10s'],
  ['cluster', ['redis.cluster.nodeTimeoutMs=10000'], 'redis.cluster.nodeTimeoutMs is 10000, and the lease is 10s'],
  [
    'http',
    ['store.http.ca={"existingSecret":"a","existingConfigMap":"b"}'],
    'existingSecret and existingConfigMap: keep one of them',
  ],
  ['postgres', ['store.http.ca.existingSecret="a"'], 'store.http.ca is only for an https store'],
  [
    'http',
    ['store.http.ca.existingConfigMap="a"', 'store.http.url="http://plain.example"'],
    'a store.http.url that begins with https://',
  ],
  ['postgres', ['serviceAccount={"create":false,"annotations":{"a":"b"}}'], 'annotate the account itself'],
  ['postgres', ['commonLabels={"app.kubernetes.io/name":"x"}'], 'commonLabels sets app.kubernetes.io/name'],
  ...['service', 'redis', 'redis.sentinel', 'cache', 'postgres', 'legacyBackend', 'canary', 'export', 'test'].map(
    (path): Case => {
      const change = `${path}.podLabels={"app.kubernetes.io/component":"x"}`
      return [
        'postgres',
        [change],
        `${path}.podLabels sets app.kubernetes.io/component, which the chart uses to select pods`,
      ]
    },
  ),
  ['postgres', ['service.extraEnv=[{"name":"INGOT_STORE_URL","value":"x"}]'], 'service.extraEnv sets INGOT_STORE_URL'],
  ['postgres', ['canary.extraEnv=[{"name":"A"},{"name":"A"}]'], 'canary.extraEnv sets A, which is set already'],
  ['postgres', ['ingress.enabled=true'], 'needs at least one entry in ingress.hosts'],
  ['postgres', ['httpRoute.enabled=true'], 'name it in httpRoute.parentRefs'],
  ['postgres', ['export.enabled=true'], 'needs collections: name them in export.collections'],
  ['postgres', ['export={"existingClaim":"a","volume":{"emptyDir":{}}}'], 'are both set: keep one of them'],
]

describe('values that contradict each other', () => {
  test.each(CONTRADICTIONS)('%s with %j', (mode, changes, message) => {
    expect(refusal(mode, changes)).toContain(message)
  })
})

const IMPOSSIBLE: readonly Case[] = [
  ['postgres', ['service.replicas=0'], "at '/service/replicas': minimum: got 0, want 1"],
  ['postgres', ['service.replicas="many"'], "at '/service/replicas': got string, want integer"],
  ['postgres', ['store.mode="mongo"'], "at '/store/mode': value must be one of 'postgres', 'external', 'http'"],
  ['postgres', ['lock.mode="often"'], "at '/lock/mode': value must be one of 'auto', 'always', 'never'"],
  ['postgres', ['lock.fences.mode="some"'], "at '/lock/fences/mode': value must be one of"],
  ['postgres', ['access.mode="anyone"'], "at '/access/mode': value must be one of 'token', 'off'"],
  ['postgres', ['access.existingSecret="A B"'], "at '/access/existingSecret'"],
  ['postgres', ['service.nodePort=80'], "at '/service/nodePort'"],
  ['postgres', ['service.port=0'], "at '/service/port': minimum"],
  ['postgres', ['service.type="ExternalName"'], "at '/service/type': value must be one of"],
  ['postgres', ['service.preStopSeconds=-1'], "at '/service/preStopSeconds': minimum"],
  [
    'postgres',
    ['service.podDisruptionBudget.maxUnavailable=0'],
    "at '/service/podDisruptionBudget/maxUnavailable': minimum",
  ],
  ['postgres', ['image.repository=""'], "at '/image/repository'"],
  ['postgres', ['image.pullPolicy="Sometimes"'], "at '/image/pullPolicy': value must be one of"],
  ['postgres', ['service.resources.limits=null'], "at '/service/resources': missing property 'limits'"],
  ['postgres', ['service.resources.requests={"cpu":"1","memory":"lots"}'], "at '/service/resources/requests/memory'"],
  ['postgres', ['postgres.resources.requests.memory=null'], "missing property 'memory'"],
  ['postgres', ['postgres.userId=0'], "at '/postgres/userId': minimum: got 0, want 1"],
  ['postgres', ['postgres.image.tag=""'], "at '/postgres/image/tag'"],
  ['postgres', ['postgres.storage.size="big"'], "at '/postgres/storage/size'"],
  ['postgres', ['store.external.key=""'], "at '/store/external/key'"],
  [
    'postgres',
    ['service.topologySpread.whenUnsatisfiable="Perhaps"'],
    "at '/service/topologySpread/whenUnsatisfiable': value must",
  ],
  ['postgres', ['service.autoscaling.targetCPUUtilizationPercentage=-1'], 'minimum: got -1, want 0'],
  ['postgres', ['legacyBackend.latencyMs=-1'], "at '/legacyBackend/latencyMs': minimum"],
  ['postgres', ['service.extraEnv=[{"value":"x"}]'], "missing property 'name'"],
  ['postgres', ['networkPolicy.serviceFrom=["all"]'], 'got string, want object'],
  ['postgres', ['service.nodeSelector={"disk":1}'], 'got number, want string'],
  ['postgres', ['commonLabels={"team":7}'], 'got number, want string'],
  ['postgres', ['commonLabels={"team":"größe"}'], "at '/commonLabels/team'"],
  ['postgres', ['redis.sentinel.quorum=-1'], "at '/redis/sentinel/quorum': minimum"],
  ['postgres', ['image.digest="sha256:abc"'], "at '/image/digest'"],
  ['postgres', ['global.imageRegistry="https://mirror.example"'], "at '/global/imageRegistry'"],
  ['postgres', ['image.pullSecrets=[{"secret":"x"}]'], "missing property 'name'"],
  ['postgres', ['fullnameOverride="Ingot"'], "at '/fullnameOverride'"],
  ['postgres', ['fullnameOverride="1st"'], "at '/fullnameOverride'"],
  ['postgres', ['openshift="maybe"'], "at '/openshift': value must be one of 'auto', true, false"],
  ['postgres', ['service.loadBalancerSourceRanges=["everywhere"]'], "at '/service/loadBalancerSourceRanges/0'"],
  ['postgres', ['service.ipFamilies=["IPv5"]'], "at '/service/ipFamilies/0'"],
  ['postgres', ['ingress.hosts=[{"host":"a","paths":[{"path":"x"}]}]'], "at '/ingress/hosts/0/paths/0/path'"],
  ['postgres', ['httpRoute.parentRefs=[{"namespace":"x"}]'], "missing property 'name'"],
  ['postgres', ['export.collections=["../up"]'], "at '/export/collections/0'"],
]

describe('values that the schema refuses', () => {
  test.each(IMPOSSIBLE)('%s with %j', (mode, changes, message) => {
    expect(refusal(mode, changes)).toContain(message)
  })
})

test('a name that is invalid for a Service is refused', () => {
  expect(() => render('postgres', [], '1st')).toThrow('a Service must begin with a letter: set fullnameOverride')
})

describe('a lease that is long enough', () => {
  test.each([
    ['postgres', ['redis.minReplicasMaxLagSeconds=4', 'service.config.lockTtl="12s"']],
    ['postgres', ['redis.sentinel.quorum=3']],
    // a standalone Redis counts no replicas
    ['standalone', ['redis.minReplicasMaxLagSeconds=30']],
  ])('%s with %j is accepted', (mode, changes) => {
    expect(() => render(mode, changes)).not.toThrow()
  })
})

describe('with secrets.requireExisting', () => {
  const REQUIRED = 'secrets.requireExisting=true'

  test('the message lists every Secret that the chart would generate, with its keys', () => {
    const message = refusal('standalone', [REQUIRED])
    for (const part of [
      'access.existingSecret (keys tokens.json and token)',
      'postgres.existingSecret (key password)',
      'redis.auth.existingSecret (keys password, replication-password, sentinel-password, admin-password and operator-password)',
      'redis.tls.existingSecret (keys ca.crt, tls.crt and tls.key)',
    ]) {
      expect(message).toContain(part)
    }
  })

  test.each([
    ['access', 'postgres', ['access.mode="off"'], ['postgres.existingSecret', 'redis.auth.existingSecret']],
    ['postgres', 'http', [], ['access.existingSecret']],
    ['redis', 'legacy', [], ['postgres.existingSecret']],
  ])('the message omits %s if the chart generates nothing for it', (_what, mode, changes, named) => {
    const message = refusal(mode, [REQUIRED, ...changes])
    expect(message.match(/[a-z.]+\.existingSecret/g)).toEqual(named)
  })

  test('the chart generates no Secrets', () => {
    expect(render('everything').filter(({ kind }) => kind === 'Secret')).toEqual([])
    expect(() => render('external', [REQUIRED])).not.toThrow()
  })
})

describe('values under an old name', () => {
  test.each([
    ['replicaCount=2', 'replicaCount is now service.replicas'],
    ['autoscaling={"enabled":true}', 'autoscaling is now service.autoscaling'],
    ['config={"maxDepth":7}', 'config is now service.config'],
    ['extraEnv=[]', 'extraEnv is now service.extraEnv'],
    ['resources={}', 'resources is now service.resources'],
    ['affinity={}', 'affinity is now service.affinity'],
    ['topologySpread={}', 'topologySpread is now service.topologySpread'],
    ['podDisruptionBudget={}', 'podDisruptionBudget is now service.podDisruptionBudget'],
  ])('%s is refused with the new name', (change, message) => {
    expect(refusal('postgres', [change])).toContain(message)
  })

  test('one message lists all of them', () => {
    const message = refusal('postgres', ['replicaCount=2', 'config={}'])
    expect(message).toContain('config is now service.config, replicaCount is now service.replicas')
  })
})

const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema

/** Breaks every rule of the schema, all rules with the same keyword together, so that no rule is without a test. */
describe('every rule of the schema', () => {
  test.each(KEYWORDS)('%s', (keyword) => {
    const broken = brokenRules(schema).filter((rule) => rule.keyword === keyword)
    expect(broken.length).toBeGreaterThan(0)
    for (const layer of Map.groupBy(broken, ({ path }) => path.length).values()) {
      const message = refusalOf('postgres', nested(layer))
      expect(layer.map(({ where }) => where).filter((where) => !message.includes(`at '${where}'`))).toEqual([])
    }
  })
})

describe('settings of the service', () => {
  const { properties: settings = {} } = schema.properties?.['service']?.properties?.['config'] ?? {}
  const given = Object.entries<object>(CONFIG_SCHEMA.properties).filter(([key]) => key in settings)

  test.each(given)('%s is refused with the message of the service', (key, property) => {
    const { allowed, pattern } = property as { allowed: string; pattern?: string }
    const message = refusal('postgres', [`service.config.${key}=${pattern === undefined ? '-1.5' : '"nonsense"'}`])
    expect(message).toContain(pattern === undefined ? `at '/service/config/${key}'` : `"nonsense" is not ${allowed}`)
  })

  test.each(['listen', 'storeUrl', 'lockUrl', 'lockMode', 'tokensFile', 'access', 'data'])(
    '%s is decided by values of its own',
    (key) => {
      expect(refusal('postgres', [`service.config.${key}="x"`])).toContain(`additional properties '${key}' not allowed`)
    },
  )

  test('all others are accepted', () => {
    const defaults = given.flatMap(([key, property]) =>
      'default' in property ? [`service.config.${key}=${JSON.stringify(property.default)}`] : [],
    )
    expect(defaults.length).toBeGreaterThan(10)
    expect(() => render('postgres', defaults)).not.toThrow()
  })
})
