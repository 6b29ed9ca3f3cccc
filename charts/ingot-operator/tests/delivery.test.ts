/** The manifests for Argo Rollouts and Flagger, against the parts of their definitions that they use. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { handleGate } from '../../../src/operator/gates/handle.ts'
import { find } from '../../ingot/tests/helm.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const strict = (properties: Parameters<typeof Type.Object>[0]) =>
  Type.Object(properties, { additionalProperties: false })
const text = (pattern = '.') => Type.String({ pattern })
const METADATA = strict({ name: text('^[a-z][-a-z0-9]*$') })

const WEB = strict({
  url: text('^https?://'),
  timeoutSeconds: Type.Optional(Type.Integer({ minimum: 1 })),
  headers: Type.Optional(Type.Array(strict({ key: text(), value: text() }))),
  jsonPath: Type.Optional(text(String.raw`^\{\$\.`)),
})
const POD = Type.Object({
  restartPolicy: Type.Literal('Never'),
  containers: Type.Array(Type.Object({ name: text(), image: text(), command: Type.Array(text()) }), { minItems: 1 }),
})
const JOB = strict({
  spec: strict({
    backoffLimit: Type.Integer({ minimum: 0 }),
    activeDeadlineSeconds: Type.Integer({ minimum: 1 }),
    template: strict({ spec: POD }),
  }),
})
const PROVIDER = Type.Union([strict({ web: WEB }), strict({ job: JOB })])
const METRIC = strict({
  name: text(),
  count: Type.Integer({ minimum: 1 }),
  failureLimit: Type.Integer({ minimum: 0 }),
  consecutiveErrorLimit: Type.Optional(Type.Integer({ minimum: 0 })),
  successCondition: Type.Optional(text()),
  provider: PROVIDER,
})
const ARGUMENT = strict({
  name: text(),
  value: Type.Optional(text()),
  valueFrom: Type.Optional(strict({ secretKeyRef: strict({ name: text(), key: text() }) })),
})
const ANALYSIS_TEMPLATE = strict({
  apiVersion: Type.Literal('argoproj.io/v1alpha1'),
  kind: Type.Literal('AnalysisTemplate'),
  metadata: METADATA,
  spec: strict({ args: Type.Array(ARGUMENT), metrics: Type.Array(METRIC, { minItems: 1 }) }),
})

const WEBHOOK = strict({
  name: text(),
  type: Type.Enum(['confirm-rollout', 'pre-rollout', 'rollout', 'confirm-promotion', 'post-rollout', 'rollback']),
  url: text('^https?://'),
  timeout: text('^[0-9]+(m|s)$'),
})
const CANARY = strict({
  apiVersion: Type.Literal('flagger.app/v1beta1'),
  kind: Type.Literal('Canary'),
  metadata: METADATA,
  spec: strict({
    targetRef: strict({ apiVersion: text(), kind: Type.Enum(['Deployment', 'DaemonSet']), name: text() }),
    service: strict({ port: Type.Integer({ minimum: 1 }) }),
    analysis: strict({
      interval: text('^[0-9]+(m|s)$'),
      threshold: Type.Integer({ minimum: 1 }),
      maxWeight: Type.Integer({ minimum: 1, maximum: 100 }),
      stepWeight: Type.Integer({ minimum: 1, maximum: 100 }),
      webhooks: Type.Array(WEBHOOK, { minItems: 1 }),
    }),
  }),
})

const FOLDER = join(OPERATOR_CHART, '..', '..', 'k8s', 'delivery')
const read = (file: string): readonly unknown[] =>
  parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((document) => document.toJS() as unknown)

const CASES = { 'argo-rollouts.yaml': ANALYSIS_TEMPLATE, 'flagger.yaml': CANARY }

test.each(Object.entries(CASES))('%s has only fields of its definition', (file, schema) => {
  const documents = read(file)
  expect(documents.length).toBeGreaterThan(0)
  for (const document of documents) expect(Value.Errors(schema, document)).toEqual([])
})

test.each(Object.keys(CASES))('%s asks a gate that the operator serves', (file) => {
  const source = readFileSync(join(FOLDER, file), 'utf8')
  const urls = [...source.matchAll(/http:\/\/\S+?(?=["\s])/g)].map(([url]) =>
    url.replaceAll(/\{\{args\.(\w+)\}\}/g, '$1'),
  )
  expect(urls.length).toBeGreaterThan(0)
  const service = find(operatorChart.render('default'), 'Service', 'ingot-operator')
  for (const url of urls.map((one) => new URL(one))) {
    expect(url.hostname).toBe(`${service.metadata.name}.ingot-system`)
    expect(service.spec?.['ports']).toContainEqual({ name: 'gates', port: Number(url.port), targetPort: 'gates' })
    const response = handleGate({ method: 'POST', url: `${url.pathname}${url.search}` }, { find: () => 'unknown' }, 0)
    expect(response.body).toMatchObject({ reason: 'NoSuchSchedule' })
  }
})
