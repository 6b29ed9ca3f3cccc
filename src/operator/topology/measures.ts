/** Metrics about topologies. */
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Failover } from './failovers.ts'
import type { Action } from './plan.ts'
import type { TopologyStatus } from './status.ts'

export interface TopologyMeasures {
  /** Shows the latest status of a topology, `namespace/name`, and the epoch that its servers report. */
  observed(key: string, status: TopologyStatus, epoch?: number): void
  /** Forgets a topology that is gone. */
  forget(key: string): void
  failedOver(key: string, failover: Failover): void
  acted(key: string, action: Action['kind'], outcome: 'done' | 'failed'): void
}

/** Counts nothing. */
export const unmeasuredTopologies: TopologyMeasures = {
  observed: () => {},
  forget: () => {},
  failedOver: () => {},
  acted: () => {},
}

type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number }

const TOPOLOGY = ['namespace', 'topology'] as const

interface Latest extends TopologyStatus {
  readonly epoch: number | undefined
}

const ACTIONS: Readonly<Record<Action['kind'], true>> = {
  Demote: true,
  Repoint: true,
  ResetSentinel: true,
  Meet: true,
  FormCluster: true,
  AttachReplica: true,
  MovePrimary: true,
}

const CAUSES: Readonly<Record<Failover['reason'], boolean>> = {
  PodDeleted: true,
  Handover: true,
  PodLost: false,
  ServerSilent: false,
}

/** Registers the `ingot_redis_*` metrics. Throws on a second call with the same registry. */
export function createTopologyMeasures(metrics: Metrics): TopologyMeasures {
  const latest = new Map<string, Latest>()
  measureStatus(metrics, latest)
  const { begin, ...counters } = createCounters(metrics)
  return {
    ...counters,
    observed(key, status, epoch) {
      if (!latest.has(key)) begin(key)
      latest.set(key, { ...status, epoch })
    },
    forget: (key) => void latest.delete(key),
  }
}

/** Registers the gauges of the latest status of each topology. */
function measureStatus(metrics: Metrics, latest: ReadonlyMap<string, Latest>): void {
  const gauge = (
    name: `ingot_redis_${string}`,
    help: string,
    labels: readonly string[],
    samples: (status: Latest) => readonly Sample[],
  ): void => {
    const all = (): readonly Sample[] =>
      [...latest].flatMap(([key, status]) =>
        samples(status).map((one) => ({ ...one, labels: { ...labelsOf(key), ...one.labels } })),
      )
    metrics.gaugesOf({ name, help, labels: [...TOPOLOGY, ...labels] }, all)
  }
  gauge('ingot_redis_primary_info', '1 for each server that is primary.', ['shard', 'pod'], ({ primaries }) =>
    primaries.map(({ shard, pod }) => ({ labels: { shard: String(shard), pod }, value: 1 })),
  )
  gauge('ingot_redis_role', '1 for the role that each server reports.', ['pod', 'role'], ({ servers }) =>
    servers.map(({ pod, role }) => ({ labels: { pod, role }, value: 1 })),
  )
  gauge('ingot_redis_lag_bytes', 'Bytes that a replica is behind its primary.', ['pod'], ({ servers }) =>
    servers.flatMap(({ pod, lagBytes }) => (lagBytes === undefined ? [] : [{ labels: { pod }, value: lagBytes }])),
  )
  gauge('ingot_redis_slots', 'Slots that a server of a cluster serves.', ['pod'], ({ servers }) =>
    servers.flatMap(({ pod, slots }) => (slots === undefined ? [] : [{ labels: { pod }, value: slots }])),
  )
  gauge(
    'ingot_redis_sentinels',
    'Sentinels that respond, that name the same primary, and that the others know.',
    ['state'],
    (status) =>
      (['reachable', 'agreed', 'known'] as const).flatMap((state) => {
        return status.sentinels === undefined ? [] : [{ labels: { state }, value: status.sentinels[state] }]
      }),
  )
  gauge(
    'ingot_redis_condition',
    '1 if the condition of the topology is True, else 0.',
    ['condition'],
    ({ conditions }) =>
      conditions.map(({ type, status }) => ({ labels: { condition: type }, value: status === 'True' ? 1 : 0 })),
  )
  gauge(
    'ingot_redis_epoch',
    'Epoch of the last failover, as the Sentinels or the nodes of a cluster count it.',
    [],
    ({ epoch }) => (epoch === undefined ? [] : [{ labels: {}, value: epoch }]),
  )
}

interface Counters extends Pick<TopologyMeasures, 'failedOver' | 'acted'> {
  /** Exports the counters of a topology as 0, so that their first increase is visible. */
  readonly begin: (key: string) => void
}

function createCounters(metrics: Metrics): Counters {
  const failovers = metrics.counter({
    name: 'ingot_redis_role_changes_total',
    help: 'Failovers that the operator saw. A planned one loses no acknowledged write.',
    labels: [...TOPOLOGY, 'planned', 'cause'],
  })
  const actions = metrics.counter({
    name: 'ingot_operator_actions_total',
    help: 'Repairs by the operator.',
    labels: [...TOPOLOGY, 'action', 'outcome'],
  })
  return {
    begin(key) {
      for (const [cause, planned] of Object.entries(CAUSES)) {
        failovers.add({ ...labelsOf(key), planned: String(planned), cause }, 0)
      }
      for (const action of Object.keys(ACTIONS)) {
        for (const outcome of ['done', 'failed']) actions.add({ ...labelsOf(key), action, outcome }, 0)
      }
    },
    failedOver: (key, { planned, reason: cause }) =>
      failovers.add({ ...labelsOf(key), planned: String(planned), cause }),
    acted: (key, action, outcome) => actions.add({ ...labelsOf(key), action, outcome }),
  }
}

function labelsOf(key: string): { readonly namespace: string; readonly topology: string } {
  const [namespace = '', topology = ''] = key.split('/')
  return { namespace, topology }
}
