/** For each alert about Redis, the operator and drills series that fire, and series that do not. */
import type { AlertCase } from '../../ingot/tests/promtool.ts'

/** Without `exported_namespace`: Prometheus honours the labels of its targets. */
const T = 'namespace="shop",topology="ingot-redis"'
const TOPOLOGY = { namespace: 'shop', topology: 'ingot-redis' }
/** As Prometheus names the namespace by default. */
const EXPORTED = 'namespace="ingot-system",exported_namespace="shop",topology="ingot-redis"'

const condition = (name: string, labels = T) => `ingot_redis_condition{${labels},condition="${name}"}`
const primary = (pod: string, shard = '0', labels = T) =>
  `ingot_redis_primary_info{${labels},shard="${shard}",pod="${pod}"}`
const role = (pod: string, name: string) => `ingot_redis_role{${T},pod="${pod}",role="${name}"}`
const sentinels = (state: string) => `ingot_redis_sentinels{${T},state="${state}"}`
const passed = (labels: string) => `ingot_drill_last_passed_timestamp_seconds{${labels}}`

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'IngotDrillNotPassed',
    step: '10m',
    // it passed in the first hour, and never since
    fires: { series: { [passed('namespace="shop",schedule="weekly"')]: '3600x1030' }, at: '10180m' },
    labels: { namespace: 'shop', schedule: 'weekly' },
    quiet: [
      // it passes all the time
      { series: { [passed('namespace="shop",schedule="weekly"')]: '0+600x1030' }, at: '10180m' },
      // seven days are over since 10 minutes
      { series: { [passed('namespace="shop",schedule="weekly"')]: '3600x1030' }, at: '10150m' },
      // a new schedule, and one that was deleted
      {
        series: {
          [passed('namespace="shop",schedule="new"')]: '_x900 0x130',
          [passed('namespace="shop",schedule="deleted"')]: '0x100 stale',
        },
        at: '10180m',
      },
    ],
  },
  {
    alert: 'IngotDrillNotPassed',
    step: '10m',
    // it has never passed; schedules of one name in two namespaces are two, also when the leader changes
    fires: {
      series: {
        [passed('namespace="ingot-system",exported_namespace="shop",schedule="weekly",pod="a"')]: '0x500 stale',
        [passed('namespace="ingot-system",exported_namespace="shop",schedule="weekly",pod="b"')]: '_x501 0x530',
        [passed('namespace="ingot-system",exported_namespace="stock",schedule="weekly",pod="b"')]: '1+600x1030',
      },
      at: '10180m',
    },
    labels: { namespace: 'ingot-system', exported_namespace: 'shop', schedule: 'weekly' },
    quiet: [{ series: { [passed('namespace="shop",schedule="weekly"')]: '0x1030' }, at: '10080m' }],
  },
  {
    alert: 'IngotDrillLostItems',
    fires: { series: { 'ingot_drill_lost_items{namespace="shop",drill="nightly-1"}': '0x3 2x3' }, at: '5m' },
    labels: { namespace: 'shop', drill: 'nightly-1' },
    quiet: [{ series: { 'ingot_drill_lost_items{namespace="shop",drill="nightly-1"}': '0x5' }, at: '5m' }],
  },
  {
    alert: 'IngotRedisNoPrimary',
    fires: {
      series: { [condition('Ready', EXPORTED)]: '1x3 0x9', [primary('r-0', '0', EXPORTED)]: '1x3 stale' },
      at: '7m',
    },
    labels: { namespace: 'ingot-system', exported_namespace: 'shop', topology: 'ingot-redis' },
    quiet: [
      // not healthy, but with a primary
      { series: { [condition('Ready')]: '0x9', [primary('r-1')]: '1x9' }, at: '7m' },
      // one failover between two scrapes
      {
        series: { [condition('Ready')]: '1x3 0 1x9', [primary('r-0')]: '1x3 stale', [primary('r-1')]: '_x5 1x9' },
        at: '4m',
      },
      // a topology that cannot be observed
      { series: { [condition('Ready')]: '0x9', [condition('Stalled')]: '1x9' }, at: '7m' },
      // a cluster that serves all slots
      {
        series: {
          [condition('Ready')]: '1x9',
          [primary('r-0')]: '1x9',
          [primary('r-1', '1')]: '1x9',
          [`ingot_redis_slots{${T},pod="r-0"}`]: '8192x9',
          [`ingot_redis_slots{${T},pod="r-1"}`]: '8192x9',
          [`ingot_redis_slots{${T},pod="r-2"}`]: '0x9',
        },
        at: '7m',
      },
    ],
  },
  {
    alert: 'IngotRedisTwoPrimaries',
    fires: { series: { [primary('r-0')]: '1x9', [primary('r-1')]: '_x2 1x9' }, at: '6m' },
    labels: { ...TOPOLOGY, shard: '0' },
    quiet: [
      // the leader of the operator changes, and a cluster has a primary for each shard
      {
        series: {
          [primary('r-0', '0', `${T},instance="a"`)]: '1x9',
          [primary('r-0', '0', `${T},instance="b"`)]: '1x9',
          [primary('r-1', '1')]: '1x9',
        },
        at: '6m',
      },
      // the former primary of a failover is demoted
      { series: { [primary('r-0')]: '1x4 stale', [primary('r-1')]: '_x3 1x9' }, at: '3m' },
      { series: { [primary('r-0')]: '1x4 stale', [primary('r-1')]: '_x3 1x9' }, at: '6m' },
    ],
  },
  {
    alert: 'IngotRedisSentinelsDisagree',
    fires: { series: { [sentinels('agreed')]: '2x9', [sentinels('reachable')]: '3x9' }, at: '5m' },
    labels: TOPOLOGY,
    quiet: [
      {
        series: { [sentinels('agreed')]: '2x9', [sentinels('reachable')]: '2x9', [sentinels('known')]: '3x9' },
        at: '5m',
      },
      { series: { [sentinels('agreed')]: '3x3 2 3x9', [sentinels('reachable')]: '3x12' }, at: '4m' },
    ],
  },
  {
    alert: 'IngotRedisFailoverImpossible',
    // all pods are gone: with Sentinels, and without
    fires: {
      series: {
        [condition('FailoverPossible')]: '1x3 0x20',
        [role('r-0', 'primary')]: '1x3 stale',
        [role('r-1', 'replica')]: '1x3 stale',
      },
      at: '15m',
    },
    labels: TOPOLOGY,
    quiet: [
      // a single server
      { series: { [condition('FailoverPossible')]: '0x20', [role('r-0', 'primary')]: '1x20' }, at: '15m' },
      { series: { [condition('FailoverPossible')]: '1x20', [sentinels('reachable')]: '3x20' }, at: '15m' },
      // a rollout
      { series: { [condition('FailoverPossible')]: '1x3 0x3 1x20', [sentinels('reachable')]: '3x26' }, at: '6m' },
    ],
  },
  {
    alert: 'IngotRedisFailoverStorm',
    fires: {
      series: { [`ingot_redis_role_changes_total{${T},planned="false",cause="PodLost"}`]: '0x5 1x5 2x5 3x20' },
      at: '30m',
    },
    labels: TOPOLOGY,
    quiet: [
      {
        series: { [`ingot_redis_role_changes_total{${T},planned="false",cause="PodLost"}`]: '0x5 1x5 2x50' },
        at: '60m',
      },
      // a rollout
      {
        series: { [`ingot_redis_role_changes_total{${T},planned="true",cause="Handover"}`]: '1x5 2x5 3x5 4x5 5x20' },
        at: '30m',
      },
    ],
  },
  {
    alert: 'IngotRedisReplicaLag',
    fires: { series: { [`ingot_redis_lag_bytes{${T},pod="r-1"}`]: '20000000x9' }, at: '8m' },
    labels: { ...TOPOLOGY, pod: 'r-1' },
    quiet: [
      { series: { [`ingot_redis_lag_bytes{${T},pod="r-1"}`]: '10000000x9' }, at: '8m' },
      { series: { [`ingot_redis_lag_bytes{${T},pod="r-1"}`]: '0x5 20000000x3 0x5' }, at: '8m' },
    ],
  },
  {
    alert: 'IngotRedisNotReady',
    fires: { series: { [condition('Ready')]: '0x20' }, at: '18m' },
    labels: TOPOLOGY,
    quiet: [
      { series: { [condition('Ready')]: '1x20', [condition('Degraded')]: '0x20' }, at: '18m' },
      { series: { [condition('Ready')]: '1x5 0x9 1x9' }, at: '13m' },
    ],
  },
  {
    alert: 'IngotRedisRepairFails',
    fires: { series: { [`ingot_operator_actions_total{${T},action="Demote",outcome="failed"}`]: '0+1x40' }, at: '30m' },
    labels: { ...TOPOLOGY, action: 'Demote' },
    quiet: [
      { series: { [`ingot_operator_actions_total{${T},action="Demote",outcome="done"}`]: '0+1x40' }, at: '30m' },
      { series: { [`ingot_operator_actions_total{${T},action="Demote",outcome="failed"}`]: '0x10 1x30' }, at: '15m' },
    ],
  },
  {
    alert: 'IngotOperatorDown',
    fires: { series: { 'ingot_operator_leader{namespace="ingot-system",pod="a"}': '1x3 0x9' }, at: '10m' },
    labels: {},
    quiet: [
      // the leader changes
      {
        series: {
          'ingot_operator_leader{namespace="ingot-system",pod="a"}': '1x3 stale',
          'ingot_operator_leader{namespace="ingot-system",pod="b"}': '0x5 1x9',
        },
        at: '5m',
      },
      { series: { 'ingot_operator_leader{namespace="ingot-system",pod="a"}': '1x3 0x9' }, at: '6m' },
    ],
  },
  {
    alert: 'IngotOperatorTwoLeaders',
    fires: {
      series: {
        'ingot_operator_leader{namespace="ingot-system",job="ingot-operator",pod="a"}': '1x9',
        'ingot_operator_leader{namespace="ingot-system",job="ingot-operator",pod="b"}': '1x9',
      },
      at: '5m',
    },
    labels: { namespace: 'ingot-system', job: 'ingot-operator' },
    quiet: [
      {
        series: {
          'ingot_operator_leader{namespace="ingot-system",job="ingot-operator",pod="a"}': '1x4 0x9',
          'ingot_operator_leader{namespace="ingot-system",job="ingot-operator",pod="b"}': '0x3 1x9',
          'ingot_operator_leader{namespace="other",job="ingot-operator",pod="c"}': '1x12',
        },
        at: '4m',
      },
    ],
  },
  {
    alert: 'IngotOperatorBlind',
    fires: {
      series: { 'ingot_operator_watch_stale_seconds{namespace="ingot-system",pod="a",resource="pods"}': '200+60x12' },
      at: '8m',
    },
    labels: { namespace: 'ingot-system', pod: 'a', resource: 'pods' },
    quiet: [
      {
        series: { 'ingot_operator_watch_stale_seconds{namespace="ingot-system",pod="a",resource="pods"}': '60x12' },
        at: '8m',
      },
      {
        series: { 'ingot_operator_watch_stale_seconds{namespace="ingot-system",pod="a",resource="pods"}': '0+60x12' },
        at: '7m',
      },
    ],
  },
]
