import { expect, test } from 'vitest'
import { createMetrics } from '../../telemetry/metrics.ts'
import { type DrillObject, keepDrill } from './drill-object.ts'
import { createDrillMeasures } from './measures.ts'
import { keepSchedule } from './schedule-object.ts'

test('shows the drills and schedules that exist, while this process leads', async () => {
  const metrics = createMetrics()
  const measures = createDrillMeasures(metrics)
  const counts = { attempted: 9, acknowledged: 8, indeterminate: 1, rejected: 0, lost: 2 }
  const summary = { ...counts, redisLost: 3, doubleGrants: 1, secondsWithoutWrite: 4.5 }
  const finished = { phase: 'Finished', verdict: 'Fail', summary }
  const drills: DrillObject[] = [
    keepDrill({ metadata: { namespace: 'shop', name: 'one' }, status: finished }),
    keepDrill({ metadata: { namespace: 'shop', name: 'two' }, status: { phase: 'Gate' } }),
  ]
  const lastPassed = { name: 'zero', at: '2026-01-02T03:04:05Z' }
  const schedules = [
    keepSchedule({ metadata: { namespace: 'shop', name: 'weekly' }, status: { lastPassed } }),
    keepSchedule({ metadata: { namespace: 'shop', name: 'new' } }),
  ]
  const lines = async () => (await metrics.render()).body.split('\n').filter((line) => line.startsWith('ingot_drill'))
  expect(await lines()).toEqual([])
  const hide = measures.show({ drills: { all: () => drills }, schedules: { all: () => schedules } })
  const all = [
    'ingot_drill_running{namespace="shop",drill="one"} 0',
    'ingot_drill_running{namespace="shop",drill="two"} 1',
    'ingot_drill_verdict{namespace="shop",drill="one",verdict="Fail"} 1',
    'ingot_drill_lost_items{namespace="shop",drill="one"} 2',
    'ingot_drill_canary_lost_writes{namespace="shop",drill="one"} 3',
    'ingot_drill_canary_double_grants{namespace="shop",drill="one"} 1',
    'ingot_drill_unavailable_seconds{namespace="shop",drill="one"} 4.5',
    'ingot_drill_last_passed_timestamp_seconds{namespace="shop",schedule="weekly"} 1767323045',
    'ingot_drill_last_passed_timestamp_seconds{namespace="shop",schedule="new"} 0',
  ]
  expect(await lines()).toEqual(all)
  drills.length = 0
  expect(await lines()).toEqual(all.slice(-2))
  hide()
  expect(await lines()).toEqual([])
})
