/**
 * The spec of a failover drill: its target, its faults or a named scenario, its load, and what it must prove. The custom
 * resource FailoverDrill and the file of `ingot drill run` have the same spec.
 */
import { type Static, Type } from 'typebox'
import { FAULTS } from './fault.ts'
import { duration, label, type Rule, rules } from './parts.ts'

export { ACTIONS, type ActionName, type FaultSpec, type TargetSpec } from './fault.ts'

export const SCENARIO_NAMES = ['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D8', 'D9', 'D10', 'D11', 'D12'] as const
export type ScenarioName = (typeof SCENARIO_NAMES)[number]

const LOAD = Type.Object({
  kind: Type.Optional(
    Type.Enum(['K6', 'None'], { description: 'None: no load; the verdict cannot be Pass.', default: 'K6' }),
  ),
  rate: Type.Optional(
    Type.Integer({
      description: 'Requests per second. An even number, because contents are sent in pairs. Default: 20.',
      minimum: 2,
      maximum: 2_000,
      ...rules({ rule: 'self % 2 == 0', message: 'the rate is an even number' }),
    }),
  ),
  timeout: Type.Optional(duration('Timeout of a request. Default: 12s.')),
  maxDuration: Type.Optional(duration('The load ends by itself after so long. Default: 30m.')),
  collection: Type.Optional(
    label('Collection of its items, which is deleted before and after the load. Default: ingot-drill.'),
  ),
  token: Type.Optional(
    Type.Object({
      secretName: Type.String({
        description: 'Secret with a token for the collection, under the key token. Default: the one of the chart.',
        maxLength: 253,
      }),
    }),
  ),
  image: Type.Optional(Type.String({ description: 'Image of k6. Default: grafana/k6:1.8.1.', maxLength: 512 })),
})

const CRITERIA = Type.Object({
  lostItems: Type.Optional(
    Type.Integer({ description: 'Acknowledged items that may be lost. Default: 0.', minimum: 0 }),
  ),
  duplicates: Type.Optional(
    Type.Integer({ description: 'Contents that may be stored twice. Default: 0.', minimum: 0 }),
  ),
  redisLoss: Type.Optional(
    Type.Enum(['Forbid', 'Report'], {
      description: 'Writes that Redis acknowledged and lost: a failure, or only a figure. Default: Report.',
    }),
  ),
  unavailable: Type.Optional(duration('Longest time without an acknowledged write. Default: no limit.')),
  failedWrites: Type.Optional(Type.Integer({ description: 'Writes that may fail. Default: no limit.', minimum: 0 })),
  recoveredWithin: Type.Optional(
    duration('Longest time from the end of the last fault to an acknowledged write. Default: 10s.'),
  ),
  latency: Type.Optional(duration('Highest p99 of acknowledged writes before the first fault. Default: no limit.')),
  onePrimary: Type.Optional(
    Type.Boolean({ description: 'No sample, taken once a second, shows two writable primaries. Default: true.' }),
  ),
  errors: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({
        max: Type.Optional(Type.Integer({ minimum: 0 })),
        within: Type.Optional(duration('Longest time from the injection to the last error of this class.')),
      }),
      { description: 'Goals by class of error, such as READONLY or "503 LOCK_UNAVAILABLE".', maxProperties: 16 },
    ),
  ),
})

const REPORT = Type.Object(
  {
    store: Type.Optional(Type.Enum(['ConfigMap', 'Claim', 'Bucket'], { description: 'Default: ConfigMap.' })),
    claimName: Type.Optional(label('PersistentVolumeClaim for the store Claim.')),
    bucket: Type.Optional(
      Type.Object({
        url: Type.String({
          description: 'S3-compatible address with the bucket.',
          maxLength: 2_048,
          pattern: '^https?://',
        }),
        region: Type.Optional(Type.String({ maxLength: 63, description: 'Default: us-east-1.' })),
        secretName: Type.String({
          description: 'Secret with the keys accessKeyId and secretAccessKey.',
          maxLength: 253,
        }),
      }),
    ),
  },
  rules(
    {
      rule: "!has(self.store) || self.store != 'Claim' || has(self.claimName)",
      message: 'the store Claim needs claimName',
    },
    {
      rule: "!has(self.store) || self.store != 'Bucket' || has(self.bucket)",
      message: 'the store Bucket needs bucket',
    },
  ),
)

/** Rules of the whole spec. */
export const DRILL_RULES: readonly Rule[] = [
  {
    rule: 'has(self.scenario) != has(self.faults)',
    message: 'write exactly one of scenario and faults',
  },
]

export const DRILL_SPEC = Type.Object(
  {
    target: Type.Object({ release: label('Release of the chart, by the label app.kubernetes.io/instance.') }),
    scenario: Type.Optional(
      Type.Enum([...SCENARIO_NAMES], { description: 'A named drill. docs/drills.md has a table.' }),
    ),
    faults: Type.Optional(FAULTS),
    load: Type.Optional(LOAD),
    gate: Type.Optional(
      Type.Object({
        steadyFor: Type.Optional(duration('How long the release must be healthy under load first. Default: 10s.')),
        timeout: Type.Optional(duration('Longest wait for that. Default: 5m.')),
      }),
    ),
    criteria: Type.Optional(CRITERIA),
    abort: Type.Optional(
      Type.Object({
        errorRate: Type.Optional(
          Type.Integer({
            description: 'Failed requests of the load, in percent, that end the drill.',
            minimum: 1,
            maximum: 100,
          }),
        ),
        for: Type.Optional(duration('How long the rate must be above the limit. Default: 60s.')),
        bystanders: Type.Optional(
          Type.Object({
            errors: Type.Integer({
              description: 'Failed requests of other clients, beyond those of the load, that end the drill.',
              minimum: 1,
            }),
          }),
        ),
      }),
    ),
    safety: Type.Optional(
      Type.Object({
        maxPods: Type.Optional(
          Type.Integer({ description: 'Pods broken at the same time. Default: no limit.', minimum: 1 }),
        ),
        maxNodes: Type.Optional(
          Type.Integer({ description: 'Nodes broken at the same time. Default: 1.', minimum: 0 }),
        ),
        keepMajority: Type.Optional(
          Type.Boolean({
            description:
              'Refuses own faults that break a majority of the Sentinels or of the primaries. Default: true.',
          }),
        ),
      }),
    ),
    report: Type.Optional(REPORT),
    dryRun: Type.Optional(Type.Boolean({ description: 'Lists the victims and breaks nothing. Default: false.' })),
    cancel: Type.Optional(Type.Boolean({ description: 'Ends the drill and undoes its faults. Default: false.' })),
  },
  rules(...DRILL_RULES),
)

export type DrillSpec = Static<typeof DRILL_SPEC>
export type Criteria = Static<typeof CRITERIA>
