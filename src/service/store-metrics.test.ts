/** Metrics of the store follow what they measure. The store of the other tests has no connections. */
import { expect, test } from 'vitest'
import { createCacheMeasures } from '../items/cache/measure.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { measureBuild } from './build-info.ts'
import { countRetries, countUnlocked, measurePool } from './store-metrics.ts'

test('connections are read at each scrape, by state, with limit and waiting calls', async () => {
  const metrics = createMetrics()
  let pool = { idle: 3, used: 1, limit: 10, waiting: 0 }
  measurePool(metrics, () => pool)
  const lines = async () => (await metrics.render()).body.split('\n').filter((line) => line.startsWith('ingot_'))
  expect(await lines()).toEqual([
    'ingot_store_pool_connections{state="idle"} 3',
    'ingot_store_pool_connections{state="used"} 1',
    'ingot_store_pool_limit 10',
    'ingot_store_pool_waiting 0',
  ])
  pool = { idle: 0, used: 10, limit: 10, waiting: 4 }
  expect(await lines()).toEqual([
    'ingot_store_pool_connections{state="idle"} 0',
    'ingot_store_pool_connections{state="used"} 10',
    'ingot_store_pool_limit 10',
    'ingot_store_pool_waiting 4',
  ])
})

test('repeated transactions and batches without locks are counted by their causes, which are 0 before', async () => {
  const metrics = createMetrics()
  const retried = countRetries(metrics)
  const unlocked = countUnlocked(metrics)
  retried('40P01')
  unlocked('LOCK_TIMEOUT')
  unlocked('LOCK_TIMEOUT')
  const { body } = await metrics.render()
  for (const line of [
    'ingot_store_retries_total{sqlstate="40001"} 0',
    'ingot_store_retries_total{sqlstate="40P01"} 1',
    'ingot_unlocked_batches_total{reason="LOCK_TIMEOUT"} 2',
    'ingot_unlocked_batches_total{reason="LOCK_LOST"} 0',
  ]) {
    expect(body).toContain(`${line}\n`)
  }
})

test('entries of the cache are counted when they are written', async () => {
  const metrics = createMetrics()
  const measures = createCacheMeasures(metrics)
  expect((await metrics.render()).body).toContain('ingot_cache_written_total 0\n')
  measures.wrote(3)
  expect((await metrics.render()).body).toContain('ingot_cache_written_total 3\n')
})

test('the build names version, store and lock service, without addresses', async () => {
  const metrics = createMetrics()
  measureBuild(metrics, { storeUrl: 'postgres://user:secret@db/ingot', lockUrl: 'redis://:secret@redis' })
  const { body } = await metrics.render()
  expect(body).toMatch(/^ingot_build_info\{version="\d[^"]*",store="postgres",lock="redis"\} 1$/m)
  expect(body).not.toContain('secret')
})
