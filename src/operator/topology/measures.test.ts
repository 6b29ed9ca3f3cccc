import { expect, test } from 'vitest'
import { createMetrics } from '../../telemetry/metrics.ts'
import { createTopologyMeasures } from './measures.ts'
import type { TopologyStatus } from './status.ts'

const STATUS: TopologyStatus = {
  observedGeneration: 1,
  size: 2,
  selector: 'app=r',
  primaries: [{ shard: 0, pod: 'r-0', since: '2026-01-01T00:00:00Z' }],
  servers: [
    { pod: 'r-0', role: 'primary', offset: 10, slots: 16_384 },
    { pod: 'r-1', role: 'replica', linked: true, lagBytes: 3 },
  ],
  sentinels: { agreed: 3, reachable: 3, known: 5, canFailOver: true },
  conditions: [
    { type: 'Ready', status: 'True', reason: '', message: '', observedGeneration: 1, lastTransitionTime: '' },
  ],
}

test('the latest status of each topology is shown until it is forgotten, and events are counted', async () => {
  const metrics = createMetrics()
  const measures = createTopologyMeasures(metrics)
  measures.observed('shop/redis', STATUS, 7)
  const failover = { from: 'r-1', to: 'r-0', wallMs: 0, writeGapMs: 1 }
  measures.failedOver('shop/redis', { ...failover, planned: false, reason: 'PodLost' })
  measures.acted('shop/redis', 'Demote', 'done')
  const { body } = await metrics.render()
  const labels = 'namespace="shop",topology="redis"'
  expect(body.split('\n')).toEqual(
    expect.arrayContaining([
      `ingot_redis_epoch{${labels}} 7`,
      `ingot_redis_primary_info{${labels},shard="0",pod="r-0"} 1`,
      `ingot_redis_role{${labels},pod="r-1",role="replica"} 1`,
      `ingot_redis_slots{${labels},pod="r-0"} 16384`,
      `ingot_redis_lag_bytes{${labels},pod="r-1"} 3`,
      `ingot_redis_sentinels{${labels},state="known"} 5`,
      `ingot_redis_condition{${labels},condition="Ready"} 1`,
      `ingot_redis_role_changes_total{${labels},planned="false",cause="PodLost"} 1`,
      `ingot_operator_actions_total{${labels},action="Demote",outcome="done"} 1`,
    ]),
  )
  measures.forget('shop/redis')
  const later = (await metrics.render()).body
  expect(later).not.toContain('ingot_redis_primary_info{')
  expect(later).toContain('ingot_redis_role_changes_total{')
})

test('the counters of a topology are exported from its first status, and keep their values', async () => {
  const metrics = createMetrics()
  const measures = createTopologyMeasures(metrics)
  const counted = async (name: string): Promise<readonly string[]> =>
    (await metrics.render()).body.split('\n').filter((line) => line.startsWith(`${name}{`))
  expect(await counted('ingot_redis_role_changes_total')).toEqual([])
  measures.observed('shop/redis', STATUS)
  const labels = 'namespace="shop",topology="redis"'
  expect(await counted('ingot_redis_role_changes_total')).toEqual([
    `ingot_redis_role_changes_total{${labels},planned="true",cause="PodDeleted"} 0`,
    `ingot_redis_role_changes_total{${labels},planned="true",cause="Handover"} 0`,
    `ingot_redis_role_changes_total{${labels},planned="false",cause="PodLost"} 0`,
    `ingot_redis_role_changes_total{${labels},planned="false",cause="ServerSilent"} 0`,
  ])
  expect(await counted('ingot_operator_actions_total')).toHaveLength(14)
  expect((await metrics.render()).body).not.toContain('ingot_redis_epoch{')
  measures.acted('shop/redis', 'Meet', 'failed')
  measures.forget('shop/redis')
  measures.observed('shop/redis', STATUS)
  expect(await counted('ingot_operator_actions_total')).toContain(
    `ingot_operator_actions_total{${labels},action="Meet",outcome="failed"} 1`,
  )
})
