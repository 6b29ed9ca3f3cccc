/** The dashboard of drills in the namespace of a release. */
import type { Board, Row } from './model.ts'
import { maxBy } from './promql.ts'
import { drills, RELEASE, RELEASE_VARIABLES, roleChanges } from './shared.ts'

const NAMESPACE = 'namespace="$namespace"'
const PASSED = maxBy('schedule', 'ingot_drill_last_passed_timestamp_seconds', NAMESPACE)

const results: Row = {
  title: 'Results',
  panels: [
    {
      title: 'Verdicts',
      question: 'Which drills passed, failed or proved nothing?',
      runbook: 'RUNBOOK.md#no-drill-has-passed',
      type: 'table',
      series: { verdict: maxBy('drill, verdict', 'ingot_drill_verdict', NAMESPACE) },
    },
    {
      title: 'Time since the last pass',
      question: 'Has a drill of each schedule passed in the last seven days?',
      runbook: 'RUNBOOK.md#no-drill-has-passed',
      unit: 's',
      limit: 604_800,
      series: { '{{schedule}}': `time() - (${PASSED} > 0)` },
    },
    {
      title: 'Schedules without a pass',
      question: 'Is there a schedule of which no drill has ever passed?',
      runbook: 'RUNBOOK.md#no-drill-has-passed',
      type: 'stat',
      limit: 1,
      series: { schedules: `count(${PASSED} == 0) or vector(0)` },
    },
    {
      title: 'Lost items',
      question: 'Did a drill lose acknowledged items?',
      runbook: 'RUNBOOK.md#check-whether-data-was-lost',
      limit: 1,
      series: { '{{drill}}': maxBy('drill', 'ingot_drill_lost_items', NAMESPACE) },
    },
    {
      title: 'Losses of Redis',
      question: 'Did Redis lose writes of the canary, or grant a lock to two holders?',
      runbook: 'RUNBOOK.md#the-redis-primary-is-killed',
      series: {
        'lost writes {{drill}}': maxBy('drill', 'ingot_drill_canary_lost_writes', NAMESPACE),
        'double grants {{drill}}': maxBy('drill', 'ingot_drill_canary_double_grants', NAMESPACE),
      },
    },
    {
      title: 'Time without a write',
      question: 'How long was no write acknowledged in a drill?',
      runbook: 'RUNBOOK.md#the-redis-primary-is-killed',
      unit: 's',
      series: { '{{drill}}': maxBy('drill', 'ingot_drill_unavailable_seconds', NAMESPACE) },
    },
    {
      title: 'Running drills',
      question: 'Does a drill run now?',
      runbook: 'RUNBOOK.md#no-drill-has-passed',
      series: { '{{drill}}': maxBy('drill', 'ingot_drill_running', NAMESPACE) },
    },
  ],
}

const service: Row = {
  title: 'The service meanwhile',
  panels: [
    {
      title: 'Acknowledged items',
      question: 'Were items saved during the fault?',
      runbook: 'RUNBOOK.md#check-whether-data-was-lost',
      series: { '{{result}}': `sum by (result) (rate(ingot_items_total{${RELEASE}}[$__rate_interval]))` },
    },
    {
      title: 'Failed requests',
      question: 'Which requests failed during the fault?',
      runbook: 'RUNBOOK.md#requests-fail',
      unit: 'reqps',
      series: {
        '{{status}}': `sum by (status) (rate(ingot_http_requests_total{${RELEASE},kind!="probe",status=~"5.."}[$__rate_interval]))`,
      },
    },
    {
      title: 'Lost locks',
      question: 'Which locks were lost during the fault?',
      runbook: 'RUNBOOK.md#a-lock-was-lost',
      series: { '{{cause}}': `sum by (cause) (increase(ingot_lock_lost_total{${RELEASE}}[$__rate_interval]))` },
    },
  ],
}

export const DRILLS: Board = {
  name: 'drills',
  title: 'drills',
  about: 'Drills in the namespace of a release, and the service meanwhile.',
  variables: RELEASE_VARIABLES,
  annotations: [roleChanges(NAMESPACE), drills(NAMESPACE)],
  rows: [results, service],
}
