import { expect, test } from 'vitest'
import { createMetrics } from '../../telemetry/metrics.ts'
import { createRuntimeMeasures } from './measures.ts'

test('each call moves its metric, and series are 0 when their informer or controller is registered', async () => {
  const metrics = createMetrics()
  const measures = createRuntimeMeasures(metrics)
  let staleMs = 1_500
  measures.informer('pods', () => staleMs)
  const value = async (series: string): Promise<number> => {
    const line = (await metrics.render()).body.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
  }
  const failed = 'ingot_operator_list_watch_failures_total{resource="pods",code="KUBE_UNREACHABLE"}'
  const lists = 'ingot_operator_lists_total{resource="pods"}'
  const stale = 'ingot_operator_watch_stale_seconds{resource="pods"}'
  const dropped = 'ingot_operator_events_dropped_total'
  const took = 'ingot_operator_reconcile_seconds_count{controller="topologies",outcome="failed"}'
  const depth = 'ingot_operator_queue_depth{controller="topologies"}'
  measures.controller('topologies')
  for (const series of [failed, lists, dropped, 'ingot_operator_leader', took, depth]) {
    expect(await value(series)).toBe(0)
  }
  expect(await value(stale)).toBe(1.5)
  staleMs = 0
  measures.listWatchFailed('pods', 'KUBE_UNREACHABLE')
  measures.relisted('pods')
  measures.eventDropped()
  measures.leading(true)
  measures.depth('topologies', 4)
  measures.reconciled('topologies', 'failed', 30)
  for (const moved of [failed, lists, dropped, 'ingot_operator_leader']) expect(await value(moved)).toBe(1)
  expect(await value(stale)).toBe(0)
  expect(await value(depth)).toBe(4)
  expect(await value(took)).toBe(1)
  measures.leading(false)
  expect(await value('ingot_operator_leader')).toBe(0)
})
