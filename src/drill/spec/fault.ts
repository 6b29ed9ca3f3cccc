/** Schema of a fault: what is done to which pods, when, and for how long. */
import { type Static, Type } from 'typebox'
import { duration, label, type Rule, rules } from './parts.ts'

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
      Type.Object({
        node: Type.Optional(
          Type.String({
            description: 'Waits until this node is NotReady. Default: the node of the target.',
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
      }),
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
      rule: "self.action == 'External' || !has(self.external)",
      message: 'external is only for the action External',
    },
    {
      rule:
        "self.action != 'External' || has(self.target) || " +
        '(has(self.external) && (has(self.external.node) || has(self.external.webhook)))',
      message: 'External needs a target, the name of a node, or a webhook',
    },
    {
      rule: "!(self.action in ['Crash', 'Stall']) || !has(self.target) || self.target.component == 'redis'",
      message: 'Crash and Stall are commands of Redis: their component is redis',
    },
  ),
)

export const FAULTS = Type.Array(FAULT, {
  description: 'Own faults, in their order.',
  minItems: 1,
  maxItems: 16,
  ...rules({
    rule: 'self.all(one, self.exists_one(other, other.name == one.name))',
    message: 'two faults have the same name',
  }),
})

export type FaultSpec = Static<typeof FAULT>
export type TargetSpec = Static<typeof TARGET>
