/**
 * The spec of a failover drill: its target, its faults or a named scenario, its load, and what it must prove. The custom
 * resource FailoverDrill and the file of `ingot drill run` have the same spec.
 */
import { type Static, Type } from 'typebox'

/** A rule in CEL, with the sentence that a user reads who breaks it. */
interface Rule {
  readonly rule: string
  readonly message: string
}

const rules = (...list: readonly Rule[]) => ({ 'x-kubernetes-validations': list })

export const SCENARIO_NAMES = ['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D8', 'D9', 'D10', 'D11', 'D12'] as const
export type ScenarioName = (typeof SCENARIO_NAMES)[number]

export const ACTIONS = [
  'Delete',
  'Evict',
  'Kill',
  'KillInPlace',
  'Pause',
  'Crash',
  'Stall',
  'Partition',
  'Drain',
  'Rollout',
  'Scale',
  'External',
  'Manifest',
] as const
export type ActionName = (typeof ACTIONS)[number]

export const COMPONENTS = ['service', 'redis', 'sentinel', 'postgres', 'operator'] as const
export type Component = (typeof COMPONENTS)[number]

/** A duration from 0 to an hour, such as `700ms`, `30s` or `5m`. */
const duration = (description: string, more: object = {}) =>
  Type.String({
    description,
    maxLength: 16,
    ...rules({
      rule: "self.matches('^[0-9]+(ms|s|m)$') && duration(self) <= duration('1h')",
      message: 'write a duration up to an hour, such as 700ms, 30s or 5m',
    }),
    ...more,
  })

const label = (description: string, more: object = {}) =>
  Type.String({ description, minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', ...more })

const CHOICE = {
  component: Type.Enum([...COMPONENTS], { description: 'Component whose pods are chosen.' }),
  role: Type.Optional(
    Type.Enum(['primary', 'replica', 'any'], { description: 'Role of a Redis server. Default: any.' }),
  ),
  count: Type.Optional(
    Type.Integer({ description: 'Number of pods. 0 chooses all of them. Default: 1.', minimum: 0, maximum: 100 }),
  ),
}

const ROLE_RULE: Rule = {
  rule: "self.component == 'redis' || !has(self.role) || self.role == 'any'",
  message: 'only pods of component redis have a role',
}

const TARGET = Type.Object(
  {
    ...CHOICE,
    and: Type.Optional(
      Type.Array(Type.Object(CHOICE, rules(ROLE_RULE)), {
        description: 'Further pods, which are hit at the same moment.',
        maxItems: 4,
      }),
    ),
    sameAs: Type.Optional(label('Name of an earlier fault. Its pods are hit again instead of a new choice.')),
  },
  rules(ROLE_RULE),
)

const FAULT = Type.Object(
  {
    name: label('Unique in the drill.'),
    after: Type.Optional(duration('Time between the condition of `when` and the injection. Default: 0s.')),
    when: Type.Optional(
      Type.Enum(['Injected', 'NewPrimary', 'Proven', 'Recovered'], {
        description:
          'What it waits for. Injected: the fault before was injected. NewPrimary: another server became primary ' +
          'since then. Proven: the fault before was proven. Recovered: the release is healthy again. Default: Injected.',
      }),
    ),
    action: Type.Enum([...ACTIONS], { description: 'What is done to the pods.' }),
    target: Type.Optional(TARGET),
    hold: Type.Optional(duration('How long the pods stay broken before the fault is undone. Default: 10s.')),
    image: Type.Optional(
      Type.String({ description: 'For Rollout: the new image. Default: a restart.', maxLength: 512 }),
    ),
    replicas: Type.Optional(
      Type.Integer({ description: 'For Scale: the number of pods meanwhile.', minimum: 0, maximum: 100 }),
    ),
    manifest: Type.Optional(
      Type.Unsafe<Readonly<Record<string, unknown>>>(
        Type.Object(
          {},
          {
            description: 'For Manifest: an object that is created, and deleted to undo the fault.',
            'x-kubernetes-preserve-unknown-fields': true,
            'x-kubernetes-embedded-resource': true,
          },
        ),
      ),
    ),
    external: Type.Optional(
      Type.Object(
        {
          node: Type.Optional(
            Type.String({
              description: 'Waits until this node is NotReady, or the node of the target.',
              maxLength: 253,
            }),
          ),
          webhook: Type.Optional(
            Type.String({
              description: 'Posts {"fault","phase":"inject"|"undo"} to this URL and expects a 2xx.',
              maxLength: 2_048,
              pattern: '^https?://',
            }),
          ),
          timeout: Type.Optional(duration('Longest wait for the effect. Default: 5m.')),
        },
        rules({
          rule: 'has(self.node) || has(self.webhook)',
          message: 'External needs the name of a node or a webhook',
        }),
      ),
    ),
  },
  rules(
    {
      rule: "self.action in ['External', 'Manifest'] || has(self.target)",
      message: 'name the target of the fault: its component, and for redis its role',
    },
    { rule: "self.action != 'Scale' || has(self.replicas)", message: 'Scale needs replicas' },
    { rule: "self.action == 'Scale' || !has(self.replicas)", message: 'replicas is only for the action Scale' },
    { rule: "self.action == 'Rollout' || !has(self.image)", message: 'image is only for the action Rollout' },
    {
      rule: "(self.action == 'Manifest') == has(self.manifest)",
      message: 'the action Manifest needs manifest, and no other action has it',
    },
    {
      rule: "(self.action == 'External') == has(self.external)",
      message: 'the action External needs external, and no other action has it',
    },
    {
      rule: "!(self.action in ['Crash', 'Stall']) || !has(self.target) || self.target.component == 'redis'",
      message: 'Crash and Stall are commands of Redis: their component is redis',
    },
  ),
)

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
  collection: Type.Optional(label('Collection of its items. Default: drill-NAME.')),
  token: Type.Optional(
    Type.Object({
      secretName: Type.String({
        description: 'Secret with a token for the collection, under the key token.',
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

export const DRILL_SPEC = Type.Object(
  {
    target: Type.Object({ release: label('Release of the chart, by the label app.kubernetes.io/instance.') }),
    scenario: Type.Optional(
      Type.Enum([...SCENARIO_NAMES], { description: 'A named drill. docs/drills.md has a table.' }),
    ),
    faults: Type.Optional(Type.Array(FAULT, { description: 'Own faults, in their order.', minItems: 1, maxItems: 16 })),
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
    report: Type.Optional(
      Type.Object({
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
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Lists the victims and breaks nothing. Default: false.' })),
    cancel: Type.Optional(Type.Boolean({ description: 'Ends the drill and undoes its faults. Default: false.' })),
  },
  rules(
    {
      rule: 'has(self.scenario) != has(self.faults)',
      message: 'write exactly one of scenario and faults',
    },
    {
      rule: '!has(self.faults) || self.faults.all(one, self.faults.exists_one(other, other.name == one.name))',
      message: 'two faults have the same name',
    },
    {
      rule: "!has(self.report) || !has(self.report.store) || self.report.store != 'Claim' || has(self.report.claimName)",
      message: 'the store Claim needs claimName',
    },
    {
      rule: "!has(self.report) || !has(self.report.store) || self.report.store != 'Bucket' || has(self.report.bucket)",
      message: 'the store Bucket needs bucket',
    },
  ),
)

export type DrillSpec = Static<typeof DRILL_SPEC>
export type FaultSpec = Static<typeof FAULT>
export type TargetSpec = Static<typeof TARGET>
export type Criteria = Static<typeof CRITERIA>
