/** The row about Redis, which two dashboards have: for one release, and for all topologies. */
import type { Row } from './model.ts'
import { maxBy } from './promql.ts'

/** `selector` selects topologies, `prefix` begins the names of the series. */
export function redisRow(selector: string, prefix = ''): Row {
  const by = 'namespace, topology'
  return {
    title: 'Redis, as the operator sees it',
    panels: [
      {
        title: 'Primaries',
        question: 'Which server is primary?',
        runbook: 'RUNBOOK.md#redis-has-no-primary',
        series: { [`${prefix}{{shard}} {{pod}}`]: maxBy(`${by}, shard, pod`, 'ingot_redis_primary_info', selector) },
      },
      {
        title: 'Number of primaries of a shard',
        question: 'Has a shard two primaries, or none?',
        runbook: 'RUNBOOK.md#redis-has-two-primaries',
        limit: 2,
        series: {
          [`${prefix}{{shard}}`]: `count by (${by}, shard) (${maxBy(`${by}, shard, pod`, 'ingot_redis_primary_info', selector)})`,
        },
      },
      {
        title: 'Roles',
        question: 'How many servers have each role?',
        runbook: 'RUNBOOK.md#a-failover-is-impossible',
        series: { [`${prefix}{{role}}`]: `sum by (${by}, role) (ingot_redis_role{${selector}})` },
      },
      {
        title: 'Lag of replicas',
        question: 'Is a replica far behind its primary?',
        runbook: 'RUNBOOK.md#a-replica-lags',
        unit: 'bytes',
        limit: 16_777_216,
        series: { [`${prefix}{{pod}}`]: maxBy(`${by}, pod`, 'ingot_redis_lag_bytes', selector) },
      },
      {
        title: 'Sentinels',
        question: 'Do all Sentinels respond, and name the same primary?',
        runbook: 'RUNBOOK.md#the-sentinels-disagree',
        series: { [`${prefix}{{state}}`]: maxBy(`${by}, state`, 'ingot_redis_sentinels', selector) },
      },
      {
        title: 'Conditions',
        question: 'Is Redis healthy, and can it fail over?',
        runbook: 'RUNBOOK.md#redis-is-not-healthy',
        series: { [`${prefix}{{condition}}`]: maxBy(`${by}, condition`, 'ingot_redis_condition', selector) },
      },
      {
        title: 'Failovers',
        question: 'How often did the primary change in an hour, and why?',
        runbook: 'RUNBOOK.md#redis-fails-over-again-and-again',
        series: {
          [`${prefix}{{cause}} (planned: {{planned}})`]: `sum by (${by}, planned, cause) (increase(ingot_redis_role_changes_total{${selector}}[1h]))`,
        },
      },
      {
        title: 'Epoch of the last failover',
        question: 'Did the Sentinels or the cluster fail over without the operator seeing it?',
        runbook: 'RUNBOOK.md#redis-fails-over-again-and-again',
        series: { [`${prefix}epoch`]: maxBy(by, 'ingot_redis_epoch', selector) },
      },
      {
        title: 'Repairs',
        question: 'What does the operator repair, and does it succeed?',
        runbook: 'RUNBOOK.md#the-operator-asks-for-a-decision',
        series: {
          [`${prefix}{{action}} {{outcome}}`]: `sum by (${by}, action, outcome) (increase(ingot_operator_actions_total{${selector}}[1h]))`,
        },
      },
      {
        title: 'Slots of a cluster',
        question: 'Does each server of a cluster serve its slots? Together they are 16384.',
        runbook: 'RUNBOOK.md#redis-has-no-primary',
        series: { [`${prefix}{{pod}}`]: maxBy(`${by}, pod`, 'ingot_redis_slots', selector) },
      },
    ],
  }
}
