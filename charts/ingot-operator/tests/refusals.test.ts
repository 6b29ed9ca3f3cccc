/** Breaks every rule on values once. The message of helm must say what is wrong, and where. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { brokenRules, KEYWORDS, nested, type Schema } from '../../ingot/tests/schema-rules.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const { refusal, refusalOf, render } = operatorChart

describe('values that contradict each other', () => {
  test.each([
    ['serviceAccount={"create":false,"annotations":{"a":"b"}}', 'annotate the account itself'],
    ['commonLabels={"app.kubernetes.io/name":"x"}', 'commonLabels sets app.kubernetes.io/name, which the chart uses'],
    ['podLabels={"app.kubernetes.io/component":"x"}', 'podLabels sets app.kubernetes.io/component, which the chart'],
    ['extraEnv=[{"name":"INGOT_LISTEN","value":"x"}]', 'extraEnv sets INGOT_LISTEN, which is set already'],
    ['extraEnv=[{"name":"A"},{"name":"A"}]', 'extraEnv sets A, which is set already'],
  ])('%s', (change, message) => {
    expect(refusal('default', [change])).toContain(message)
  })

  test('a name that is invalid for a Service', () => {
    expect(() => render('default', [], '1st')).toThrow('a Service must begin with a letter: set fullnameOverride')
  })
})

describe('values that the schema refuses', () => {
  test.each([
    ['replicas=0', "at '/replicas': minimum: got 0, want 1"],
    ['replicas="many"', "at '/replicas': got string, want integer"],
    ['namespaces="shop"', "at '/namespaces': got string, want array"],
    ['namespaces=["Shop"]', "at '/namespaces/0'"],
    ['namespaces=["a,b"]', "at '/namespaces/0'"],
    ['namespaces=[""]', "at '/namespaces/0'"],
    ['logLevel="loud"', "at '/logLevel': value must be one of"],
    ['serviceAccount.name=""', "at '/serviceAccount/name'"],
    ['resources.limits=null', "at '/resources': missing property 'limits'"],
    ['image.digest="sha256:abc"', "at '/image/digest'"],
    ['topologySpread.keys=[""]', "at '/topologySpread/keys/0'"],
    ['operator={}', "additional properties 'operator' not allowed"],
    ['commonLabels=null', "missing property 'commonLabels'"],
  ])('%s', (change, message) => {
    expect(refusal('default', [change])).toContain(message)
  })

  test('lists may be null', () => {
    const changes = ['extraEnv', 'sidecars', 'tolerations', 'namespaces', 'image.pullSecrets'].map(
      (key) => `${key}=null`,
    )
    expect(() => render('default', changes)).not.toThrow()
  })
})

const schema = JSON.parse(readFileSync(join(OPERATOR_CHART, 'values.schema.json'), 'utf8')) as Schema

/** Breaks every rule of the schema, all rules with the same keyword together, so that no rule is without a test. */
describe('every rule of the schema', () => {
  test.each(KEYWORDS)('%s', (keyword) => {
    const broken = brokenRules(schema).filter((rule) => rule.keyword === keyword)
    expect(broken.length).toBeGreaterThan(0)
    for (const layer of Map.groupBy(broken, ({ path }) => path.length).values()) {
      const message = refusalOf('default', nested(layer))
      expect(layer.map(({ where }) => where).filter((where) => !message.includes(`at '${where}'`))).toEqual([])
    }
  })

  test('refuses unknown values at every level', () => {
    const open: string[] = []
    function visit(part: Schema, path: string): void {
      if (part.properties !== undefined && part.additionalProperties === undefined) open.push(path)
      for (const [name, child] of Object.entries(part.properties ?? {})) visit(child, `${path}/${name}`)
    }
    visit(schema, '')
    // values that other charts share
    expect(open).toEqual(['/global'])
  })
})
