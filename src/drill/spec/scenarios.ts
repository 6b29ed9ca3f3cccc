/**
 * The scenarios D1 to D12: a failure that other set-ups are known for, its faults, and what must hold. Each repeats a report
 * from the issue trackers of Redis, its charts and its operators. docs/drills.md names them. Pure.
 */
import type { Mode } from '../../redis/topology/roles.ts'
import type { Criteria, DrillSpec, FaultSpec, ScenarioName } from './schema.ts'

export interface Scenario {
  /** One sentence: what the drill shows. */
  readonly title: string
  /** End of the name of its manifest, such as `stale-address`. */
  readonly slug: string
  readonly faults: readonly FaultSpec[]
  readonly criteria: Criteria
  /** Megabytes that are written to each primary before the load, so that a synchronization takes long. Default: 0. */
  readonly bulkMb?: number
  /** Deployments of Redis that it is for. */
  readonly modes: readonly Mode[]
}

const CLUSTERED: readonly Mode[] = ['sentinel', 'cluster']
const primary = { component: 'redis', role: 'primary' } as const
const kill = (name: string, more: Partial<FaultSpec> = {}): FaultSpec => ({
  name,
  action: 'Kill',
  target: primary,
  ...more,
})

/** Nothing is lost, nothing is stored twice, and at no moment two servers take writes. */
const ALWAYS: Criteria = { lostItems: 0, duplicates: 0, onePrimary: true }

/** Returns the scenario for a deployment of Redis. */
export function scenarioOf(name: ScenarioName, mode: Mode): Scenario {
  return SCENARIOS[name](mode)
}

const voters = (mode: Mode) =>
  mode === 'sentinel' ? { and: [{ component: 'sentinel' as const, count: 1 }] } : { and: [{ ...primary, count: 1 }] }

const SCENARIOS: Readonly<Record<ScenarioName, (mode: Mode) => Scenario>> = {
  D1: () => ({
    title: 'the primary is killed, and then its successor, when the first one has a new address',
    slug: 'stale-address',
    modes: CLUSTERED,
    faults: [kill('first-kill'), kill('second-kill', { when: 'Recovered' })],
    criteria: ALWAYS,
  }),
  D2: () => ({
    title: 'a graceful deletion of the primary loses no write and fails none',
    slug: 'graceful-delete',
    modes: CLUSTERED,
    faults: [{ name: 'delete', action: 'Delete', target: primary }],
    criteria: { ...ALWAYS, redisLoss: 'Forbid', failedWrites: 0 },
  }),
  D3: (mode) => ({
    title: 'the primary is killed together with a voter, and then all servers at once: never two primaries',
    slug: 'two-primaries',
    modes: CLUSTERED,
    faults: [
      kill('primary-and-voter', { target: { ...primary, ...(mode === 'sentinel' ? voters(mode) : {}) } }),
      kill('all-servers', {
        when: 'Recovered',
        target: {
          component: 'redis',
          count: 0,
          ...(mode === 'sentinel' ? { and: [{ component: 'sentinel', count: 0 }] } : {}),
        },
      }),
    ],
    criteria: ALWAYS,
  }),
  D4: () => ({
    title: 'all Redis servers are killed at the same time, and come back with new addresses',
    slug: 'all-servers',
    modes: CLUSTERED,
    faults: [kill('all-servers', { target: { component: 'redis', count: 0 } })],
    criteria: ALWAYS,
  }),
  D5: () => ({
    title: 'the operator is killed before, during and after a failover, and its start changes no role',
    slug: 'operator-restart',
    modes: CLUSTERED,
    faults: [
      kill('operator-before', { target: { component: 'operator', count: 0 } }),
      kill('primary-kill', { after: '2s' }),
      kill('operator-during', { after: '1s', target: { component: 'operator', count: 0 } }),
      kill('operator-after', { when: 'Recovered', target: { component: 'operator', count: 0 } }),
    ],
    criteria: ALWAYS,
  }),
  D6: () => ({
    title:
      'replicas and primaries are replaced while large synchronizations run, and no server without the data is promoted',
    slug: 'roll-during-sync',
    modes: CLUSTERED,
    bulkMb: 64,
    faults: [
      kill('replica-kill', { target: { component: 'redis', role: 'replica' } }),
      { name: 'roll', action: 'Rollout', after: '500ms', target: { component: 'redis' } },
    ],
    criteria: { ...ALWAYS, redisLoss: 'Report' },
  }),
  D7: () => ({
    title: 'the primary ends without saving and restarts in the same pod, and its emptiness spreads to no replica',
    slug: 'restart-in-place',
    modes: ['sentinel', 'cluster', 'standalone'],
    faults: [{ name: 'crash', action: 'Crash', target: primary }],
    criteria: ALWAYS,
  }),
  D8: () => ({
    title: 'the node of a primary is lost, and service and Redis go on without it',
    slug: 'lost-node',
    modes: CLUSTERED,
    faults: [{ name: 'node', action: 'External', target: primary, hold: '8s' }],
    criteria: ALWAYS,
  }),
  D9: () => ({
    title: 'service, Redis and Sentinels are rolled and the service is scaled under load, and no write fails',
    slug: 'upgrade',
    modes: ['sentinel', 'cluster'],
    faults: [
      { name: 'roll-service', action: 'Rollout', target: { component: 'service' } },
      { name: 'roll-redis', action: 'Rollout', when: 'Recovered', target: { component: 'redis' } },
      {
        name: 'scale-service',
        action: 'Scale',
        when: 'Recovered',
        target: { component: 'service' },
        replicas: 4,
        hold: '5s',
      },
    ],
    criteria: { ...ALWAYS, redisLoss: 'Forbid', failedWrites: 0 },
  }),
  D10: () => ({
    title: 'clients of a demoted primary notice it: each class of error ends within its time',
    slug: 'demoted-primary',
    modes: CLUSTERED,
    faults: [kill('kill')],
    criteria: {
      ...ALWAYS,
      errors: {
        READONLY: { within: '15s' },
        LOADING: { within: '15s' },
        MOVED: { within: '15s' },
        CLUSTERDOWN: { within: '15s' },
        NOREPLICAS: { within: '15s' },
        ECONNREFUSED: { within: '15s' },
      },
    },
  }),
  D11: () => ({
    title: 'a primary is cut off from all others: the writes that it alone acknowledged are counted',
    slug: 'partition',
    modes: CLUSTERED,
    faults: [{ name: 'partition', action: 'Partition', target: primary, hold: '10s' }],
    // the isolated primary stays writable until it notices that it has no replicas
    criteria: { ...ALWAYS, onePrimary: false, redisLoss: 'Report' },
  }),
  D12: () => ({
    title: 'a graceful deletion of the primary is overtaken by a forced one, and the successor is killed',
    slug: 'overtaken-delete',
    modes: CLUSTERED,
    faults: [
      { name: 'graceful', action: 'Delete', target: primary },
      kill('forced', { after: '700ms', target: { component: 'redis', sameAs: 'graceful' } }),
      kill('successor', { when: 'NewPrimary' }),
    ],
    criteria: ALWAYS,
  }),
}

/** What a drill does, after its scenario was looked up. */
export interface DrillPlan {
  readonly title: string
  readonly faults: readonly FaultSpec[]
  readonly criteria: Criteria
  readonly bulkMb: number
  /** True if the user has named the faults. */
  readonly isOwn: boolean
}

/** Returns the plan of a drill. The criteria of the spec come before those of the scenario. */
export function planDrill(spec: DrillSpec, mode: Mode): DrillPlan | { readonly refused: string } {
  const { scenario: name, faults = [], criteria = {} } = spec
  if (name === undefined) {
    const title = faults.map((fault) => `${fault.action} ${fault.target?.component ?? ''}`.trim()).join(', then ')
    return { title, faults, criteria: { ...ALWAYS, ...criteria }, bulkMb: 0, isOwn: true }
  }
  const scenario = scenarioOf(name, mode)
  if (!scenario.modes.includes(mode))
    return { refused: `${name} is for ${scenario.modes.join(' and ')}, and the release has ${mode}` }
  const { title, bulkMb = 0 } = scenario
  return { title, faults: scenario.faults, criteria: { ...scenario.criteria, ...criteria }, bulkMb, isOwn: false }
}
