/**
 * The alerts on a real cluster: Prometheus scrapes a release and its operator while Redis fails. Needs kind with the images
 * ingot:dev and redis:8.0, and the image of Prometheus in Docker. The alerts are written to out/chart-kind/alerts.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OUT } from '../../../../src/drill/checkout.ts'
import { deletePod, eventually, kubectl, sentinelProblems, thePrimary } from './cluster.ts'
import { drillRelease, startBystander } from './drill-release.ts'
import { type FiredAlert, installPrometheus, type Prometheus, removePrometheus } from './prometheus.ts'

/** A fifth of all `for:` and windows: 5 minutes become one. */
const TIME_SCALE = 0.2
const DOWN_MS = 180_000
const EXPECTED = ['IngotRedisNoPrimary', 'IngotRedisFailoverImpossible']
/** Other alerts that are right while no Redis runs. */
const ALSO_RIGHT: ReadonlySet<string> = new Set([
  ...EXPECTED,
  'IngotBreakerOpen',
  'IngotSavesWithoutLock',
  'IngotLocksLost',
  'IngotRedisNotReady',
  'IngotRedisRepairFails',
])

drillRelease()

let prometheus: Prometheus
let endLoad: () => Promise<void> = async () => {}
const seen: Record<string, readonly FiredAlert[]> = {}

beforeAll(async () => {
  prometheus = await installPrometheus(TIME_SCALE)
  endLoad = await startBystander()
  await eventually('Redis is healthy', 120, async () => (await sentinelProblems(3)).length === 0)
})

afterAll(async () => {
  await endLoad()
  await removePrometheus()
  mkdirSync(join(OUT, 'chart-kind'), { recursive: true })
  writeFileSync(join(OUT, 'chart-kind', 'alerts.json'), `${JSON.stringify(seen, null, 2)}\n`)
})

test('one death of the primary fires no critical alert', async () => {
  const since = Date.now()
  await deletePod(await thePrimary(), 'by force')
  await eventually('Redis is healthy', 120, async () => (await sentinelProblems(3)).length === 0)
  // longer than the longest scaled `for:` of a critical alert
  await sleep(75_000)
  const fired = await prometheus.firedWithin((Date.now() - since) / 1_000)
  seen['one death'] = fired
  expect(fired.filter(({ severity }) => severity === 'critical')).toEqual([])
})

test('without Redis the alerts fire, and they resolve within 3 minutes after it is back', async () => {
  const since = Date.now()
  await kubectl(['scale', 'statefulset/ingot-redis', '--replicas=0'])
  try {
    await sleep(DOWN_MS)
    expect(await prometheus.firing()).toEqual(expect.arrayContaining(EXPECTED))
  } finally {
    await kubectl(['scale', 'statefulset/ingot-redis', '--replicas=3'])
  }
  await eventually('Redis is healthy', 180, async () => (await sentinelProblems(3)).length === 0)
  await eventually('the alerts are resolved', 180, async () => {
    const firing = await prometheus.firing()
    return !EXPECTED.some((name) => firing.includes(name))
  })
  const fired = await prometheus.firedWithin((Date.now() - since) / 1_000)
  seen['no Redis'] = fired
  expect(fired.map(({ name }) => name).filter((name) => !ALSO_RIGHT.has(name))).toEqual([])
})
