/** Every rule on values, broken once. What helm prints has to say what is wrong, and where. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONFIG_SCHEMA } from '../../../src/config/schema.ts'
import { CHART, refusal, refusalOf, render } from './helm.ts'
import { brokenRules, KEYWORDS, nested, type Schema } from './schema-rules.ts'

/** Values, their change, what helm answers. */
type Case = readonly [mode: string, changes: readonly string[], answer: string]

const CONTRADICTIONS: readonly Case[] = [
  ['postgres', ['store.mode="external"'], 'name the Secret that holds the DSN in store.external.existingSecret'],
  ['postgres', ['store.mode="http"'], 'give the address of your API in store.http.url'],
  ['http', ['store.http.url="ftp://backend"'], 'store.http.url: "ftp://backend" is not http://… or https://…'],
  ['http', ['store.http.mapping=null'], 'store.http.mapping does not say how to call it'],
  ['postgres', ['legacyBackend.enabled=true'], 'legacyBackend.enabled=true has no effect with this store'],
  ['http', ['legacyBackend.enabled=true'], 'legacyBackend.enabled=true has no effect with this store'],
  ['http', ['lock.mode="never"'], 'an http store cannot refuse duplicates by itself: set lock.mode=auto'],
  ['postgres', ['lock.fences.mode="external"'], 'name the Secret that holds the DSN in lock.fences.existingSecret'],
  ['http', ['redis.external.url=""'], 'needs a lock service: set redis.mode'],
  ['external', ['redis.external.url=""'], 'needs a lock service: set redis.mode'],
  [
    'postgres',
    ['redis.mode="external"', 'canary.enabled=true'],
    'canary.enabled=true needs a Redis to watch: set redis.mode',
  ],
  ['http', ['cache.enabled=true'], 'an http store has no use for it: disable it'],
  ['external', ['cache.enabled=true'], 'set redis.mode, or name a cache of your own in service.extraEnv'],
  [
    'external',
    ['service.autoscaling.minReplicas=5'],
    'service.autoscaling.minReplicas is above service.autoscaling.maxReplicas',
  ],
]

describe('values that contradict each other', () => {
  test.each(CONTRADICTIONS)('%s with %j', (mode, changes, answer) => {
    expect(refusal(mode, changes)).toContain(answer)
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
]

describe('values that cannot be', () => {
  test.each(IMPOSSIBLE)('%s with %j', (mode, changes, answer) => {
    expect(refusal(mode, changes)).toContain(answer)
  })
})

describe('values at a former place', () => {
  test.each([
    ['replicaCount=2', 'replicaCount is now service.replicas'],
    ['autoscaling={"enabled":true}', 'autoscaling is now service.autoscaling'],
    ['config={"maxDepth":7}', 'config is now service.config'],
    ['extraEnv=[]', 'extraEnv is now service.extraEnv'],
    ['resources={}', 'resources is now service.resources'],
    ['affinity={}', 'affinity is now service.affinity'],
    ['topologySpread={}', 'topologySpread is now service.topologySpread'],
    ['podDisruptionBudget={}', 'podDisruptionBudget is now service.podDisruptionBudget'],
  ])('%s is refused with the new place', (change, answer) => {
    expect(refusal('postgres', [change])).toContain(answer)
  })

  test('all of them are named at once', () => {
    const answer = refusal('postgres', ['replicaCount=2', 'config={}'])
    expect(answer).toContain('config is now service.config, replicaCount is now service.replicas')
  })
})

const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema

/** So that no rule is without a test: each one of the schema is broken on its own place, all of a kind at once. */
describe('every rule of the schema', () => {
  test.each(KEYWORDS)('%s', (keyword) => {
    const broken = brokenRules(schema).filter((rule) => rule.keyword === keyword)
    expect(broken.length).toBeGreaterThan(0)
    for (const layer of Map.groupBy(broken, ({ path }) => path.length).values()) {
      const answer = refusalOf('postgres', nested(layer))
      expect(layer.map(({ where }) => where).filter((where) => !answer.includes(`at '${where}'`))).toEqual([])
    }
  })
})

describe('settings of the service', () => {
  const { properties: settings = {} } = schema.properties?.['service']?.properties?.['config'] ?? {}
  const given = Object.entries<object>(CONFIG_SCHEMA.properties).filter(([key]) => key in settings)

  test.each(given)('%s is refused with the sentence that the service would say', (key, property) => {
    const { allowed, pattern } = property as { allowed: string; pattern?: string }
    const answer = refusal('postgres', [`service.config.${key}=${pattern === undefined ? '-1.5' : '"nonsense"'}`])
    expect(answer).toContain(pattern === undefined ? `at '/service/config/${key}'` : `"nonsense" is not ${allowed}`)
  })

  test.each(['listen', 'storeUrl', 'lockUrl', 'lockMode', 'tokensFile', 'access', 'data'])(
    '%s is decided by values of its own',
    (key) => {
      expect(refusal('postgres', [`service.config.${key}="x"`])).toContain(`additional properties '${key}' not allowed`)
    },
  )

  test('all others can be set', () => {
    const defaults = given.flatMap(([key, property]) =>
      'default' in property ? [`service.config.${key}=${JSON.stringify(property.default)}`] : [],
    )
    expect(defaults.length).toBeGreaterThan(10)
    expect(() => render('postgres', defaults)).not.toThrow()
  })
})
