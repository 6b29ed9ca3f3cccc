/** The dashboard of the operator: its processes, and all topologies. */
import type { Board, Row } from './model.ts'
import { quantileBy, rateBy } from './promql.ts'
import { redisRow } from './redis-panels.ts'
import { drills, roleChanges } from './shared.ts'

const TOPOLOGIES = 'namespace=~"$namespace",topology=~"$topology"'

const processes: Row = {
  title: 'The operator',
  panels: [
    {
      title: 'Leaders',
      question: 'Does exactly one process lead?',
      runbook: 'RUNBOOK.md#the-operator-is-down',
      limit: 2,
      series: { leaders: 'sum(ingot_operator_leader)' },
    },
    {
      title: 'Time since the API server sent something',
      question: 'Does the operator see the cluster?',
      runbook: 'RUNBOOK.md#the-operator-is-down',
      unit: 's',
      limit: 180,
      series: { '{{resource}}': 'max by (resource) (ingot_operator_watch_stale_seconds)' },
    },
    {
      title: 'Failed lists and watches',
      question: 'Does the API server refuse requests of the operator?',
      runbook: 'RUNBOOK.md#the-operator-is-down',
      series: {
        '{{resource}} {{code}}': rateBy('resource, code', 'ingot_operator_list_watch_failures_total', ''),
        'lists of {{resource}}': rateBy('resource', 'ingot_operator_lists_total', ''),
      },
    },
    {
      title: 'Reconciles (p99)',
      question: 'How long does the operator take to look at an object?',
      runbook: 'RUNBOOK.md#the-operator-is-down',
      unit: 's',
      series: { '{{controller}}': quantileBy(0.99, 'ingot_operator_reconcile_seconds', '', 'controller') },
    },
    {
      title: 'Outcomes of reconciles',
      question: 'Does the work of the operator fail?',
      runbook: 'RUNBOOK.md#the-operator-asks-for-a-decision',
      unit: 'ops',
      series: {
        '{{controller}} {{outcome}}': rateBy('controller, outcome', 'ingot_operator_reconcile_seconds_count', ''),
      },
    },
    {
      title: 'Waiting objects and lost Events',
      question: 'Is the operator behind with its work?',
      runbook: 'RUNBOOK.md#the-operator-is-down',
      series: {
        '{{controller}}': 'max by (controller) (ingot_operator_queue_depth)',
        'Events dropped': 'sum(increase(ingot_operator_events_dropped_total[$__rate_interval]))',
      },
    },
  ],
}

export const OPERATOR: Board = {
  name: 'operator',
  title: 'operator',
  about: 'The processes of the operator, and Redis of all topologies.',
  variables: [
    { name: 'namespace', label: 'Namespace', query: 'label_values(ingot_redis_condition, namespace)', isMulti: true },
    {
      name: 'topology',
      label: 'Topology',
      query: 'label_values(ingot_redis_condition{namespace=~"$namespace"}, topology)',
      isMulti: true,
    },
  ],
  annotations: [roleChanges(TOPOLOGIES), drills('namespace=~"$namespace"')],
  rows: [processes, redisRow(TOPOLOGIES, '{{namespace}}/{{topology}} ')],
}
