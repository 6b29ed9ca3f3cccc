/** `RedisTopology`: the Redis servers of one StatefulSet, and what the operator may do to keep them healthy. */
import { Type } from 'typebox'
import type { Resource } from '../../kube/client/resource.ts'
import type { CustomKind } from '../../kube/crd/definition.ts'

export const REDIS_TOPOLOGIES: Resource = {
  group: 'ingot.dev',
  version: 'v1alpha1',
  kind: 'RedisTopology',
  plural: 'redistopologies',
  namespaced: true,
}

/** A rule in CEL, with the sentence that a user reads who breaks it. */
interface Rule {
  readonly rule: string
  readonly message: string
}

/** Object names are DNS labels or subdomains. */
const name = (description: string, more: object = {}) =>
  Type.String({ description, minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', ...more })

const rules = (...list: readonly Rule[]) => ({ 'x-kubernetes-validations': list })

const SENTINEL = Type.Object(
  {
    statefulSet: name('StatefulSet of the Sentinels.'),
    replicas: Type.Integer({ description: 'Number of Sentinels.', minimum: 1, maximum: 15 }),
    quorum: Type.Integer({
      description: 'Sentinels that must see the primary down before a failover begins.',
      minimum: 1,
      maximum: 15,
    }),
    masterName: Type.String({
      description: 'Name of the primary in the Sentinels.',
      minLength: 1,
      maxLength: 128,
      default: 'ingot',
    }),
  },
  rules(
    { rule: 'self.replicas % 2 == 1', message: 'use an odd number of Sentinels: an even one tolerates no more losses' },
    {
      rule: 'self.quorum <= self.replicas',
      message: 'the quorum is above the number of Sentinels, so no failover could begin',
    },
  ),
)

const SECRET = (what: string) => Type.Object({ secretName: name(`Secret with ${what}.`) })

export const REDIS_TOPOLOGY_SPEC = Type.Object(
  {
    mode: Type.Enum(['Sentinel', 'Cluster', 'Standalone'], { description: 'How the servers fail over.' }),
    statefulSet: name(
      'StatefulSet of the servers.',
      rules({ rule: 'self == oldSelf', message: 'a topology keeps its StatefulSet; create another RedisTopology' }),
    ),
    size: Type.Integer({ description: 'Number of servers.', minimum: 1, maximum: 100 }),
    replicasPerShard: Type.Optional(
      Type.Integer({ description: 'Replicas of each primary of a cluster.', minimum: 0, maximum: 5 }),
    ),
    sentinel: Type.Optional(SENTINEL),
    auth: Type.Optional(SECRET('the password of the user operator, under the key operator-password')),
    tls: Type.Optional(SECRET('the certificate of the authority, under the key ca.crt')),
    clusterDomain: Type.Optional(
      name('DNS domain of the cluster. The names in certificates end with it.', { default: 'cluster.local' }),
    ),
    policy: Type.Enum(['Observe', 'Heal'], {
      description: 'Observe reports only. Heal also repairs views of Sentinels, roles and a cluster without addresses.',
      default: 'Heal',
    }),
    handover: Type.Optional(
      Type.Object({
        timeout: Type.String({
          description: 'Longest pause of writes in a hand-over, such as 10s.',
          maxLength: 16,
          default: '10s',
          ...rules({
            rule: "duration(self) >= duration('1s') && duration(self) <= duration('10m')",
            message: 'write a time from 1s to 10m',
          }),
        }),
      }),
    ),
    allowShrink: Type.Optional(Type.Boolean({ description: 'Allows a smaller size.', default: false })),
    migrate: Type.Optional(Type.Boolean({ description: 'Allows another mode.', default: false })),
    paused: Type.Optional(
      Type.Boolean({ description: 'Stops every action. Status is still reported.', default: false }),
    ),
  },
  rules(
    {
      rule: 'self.mode == oldSelf.mode || (has(self.migrate) && self.migrate)',
      message: 'the mode of existing servers cannot change; set migrate: true to move the data to new ones',
    },
    {
      rule: 'self.size >= oldSelf.size || (has(self.allowShrink) && self.allowShrink)',
      message: 'a smaller size removes servers with data; set allowShrink: true to allow it',
    },
    { rule: "self.mode != 'Sentinel' || has(self.sentinel)", message: 'mode Sentinel needs sentinel' },
    { rule: "self.mode == 'Sentinel' || !has(self.sentinel)", message: 'sentinel is only for mode Sentinel' },
    {
      rule: '!has(self.sentinel) || self.sentinel.statefulSet != self.statefulSet',
      message: 'servers and Sentinels need StatefulSets of their own',
    },
    {
      rule: "self.mode == 'Cluster' || !has(self.replicasPerShard)",
      message: 'replicasPerShard is only for mode Cluster',
    },
    {
      rule: "self.mode != 'Cluster' || self.size % (1 + (has(self.replicasPerShard) ? self.replicasPerShard : 1)) == 0",
      message: 'the size of a cluster is a multiple of 1 + replicasPerShard (default 1)',
    },
    {
      rule: "self.mode != 'Cluster' || self.size >= 3 * (1 + (has(self.replicasPerShard) ? self.replicasPerShard : 1))",
      message: 'a cluster needs at least three primaries, so that a majority remains when one fails',
    },
    { rule: "self.mode != 'Standalone' || self.size == 1", message: 'mode Standalone has size 1' },
  ),
)

const text = (description: string, maxLength = 253) => Type.String({ description, maxLength })
const time = (description: string) => Type.String({ description, format: 'date-time' })

const CONDITION = Type.Object({
  type: text('CamelCase name.', 316),
  status: Type.Enum(['True', 'False', 'Unknown']),
  reason: text('CamelCase reason, for programs.', 1_024),
  message: text('A sentence, for people.', 32_768),
  observedGeneration: Type.Integer({ description: 'Generation of the spec that was judged.' }),
  lastTransitionTime: time('When the status last changed.'),
})

export const REDIS_TOPOLOGY_STATUS = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ description: 'Generation of the spec that was reconciled.' })),
  size: Type.Optional(Type.Integer({ description: 'Servers that are ready.' })),
  selector: Type.Optional(text('Labels of the servers, for the scale subresource.', 1_024)),
  primaries: Type.Optional(
    Type.Array(
      Type.Object({
        shard: Type.Integer({ description: '0 without a cluster.' }),
        pod: text('Pod of the primary.'),
        since: time('When it became the primary.'),
      }),
      { maxItems: 100 },
    ),
  ),
  servers: Type.Optional(
    Type.Array(
      Type.Object({
        pod: text('Pod of the server.'),
        role: Type.Enum(['primary', 'replica', 'unknown']),
        linked: Type.Optional(Type.Boolean({ description: 'A replica is connected to its primary.' })),
        offset: Type.Optional(Type.Integer({ format: 'int64', description: 'Replication offset, in bytes.' })),
        lagBytes: Type.Optional(Type.Integer({ format: 'int64', description: 'Bytes behind the primary.' })),
        slots: Type.Optional(Type.Integer({ description: 'Slots that the server serves.' })),
      }),
      { maxItems: 100 },
    ),
  ),
  sentinels: Type.Optional(
    Type.Object({
      agreed: Type.Integer({ description: 'Sentinels that name the same primary.' }),
      reachable: Type.Integer({ description: 'Sentinels that respond.' }),
      known: Type.Integer({ description: 'Sentinels that the others know, gone ones included.' }),
      canFailOver: Type.Boolean({ description: 'A majority and the quorum are reachable.' }),
    }),
  ),
  lastFailover: Type.Optional(
    Type.Object({
      at: time('When the new primary was seen.'),
      from: text('Pod of the primary before.'),
      to: text('Pod of the primary after.'),
      planned: Type.Boolean({ description: 'A hand-over, not a failure.' }),
      writeGapMs: Type.Integer({
        description: 'Time without a primary that responds, in milliseconds, to within a second.',
      }),
      reason: text('CamelCase reason.', 1_024),
    }),
  ),
  handover: Type.Optional(
    Type.Object({
      request: text('Id in the annotation ingot.dev/handover.', 64),
      phase: Type.Enum(['Running', 'Done', 'Refused']),
      message: text('A sentence, for people.', 1_024),
    }),
  ),
  conditions: Type.Optional(
    Type.Array(CONDITION, {
      maxItems: 16,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
})

const condition = (type: string, member: string): string => `.status.conditions[?(@.type=="${type}")].${member}`

export const REDIS_TOPOLOGY: CustomKind = {
  resource: REDIS_TOPOLOGIES,
  singular: 'redistopology',
  shortNames: ['rt'],
  categories: ['ingot'],
  description: 'The Redis servers of one StatefulSet, their roles and their health.',
  spec: REDIS_TOPOLOGY_SPEC,
  status: REDIS_TOPOLOGY_STATUS,
  columns: [
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
    { name: 'Primary', type: 'string', jsonPath: '.status.primaries[*].pod' },
    { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
    { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason') },
    { name: 'Failover', type: 'string', jsonPath: condition('FailoverPossible', 'status') },
    { name: 'Policy', type: 'string', jsonPath: '.spec.policy', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  scale: {
    specReplicasPath: '.spec.size',
    statusReplicasPath: '.status.size',
    labelSelectorPath: '.status.selector',
  },
}
