/** Metrics of the running service: each one moves, all are there at the first scrape, and a scrape stays small. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { openTestApp, overStore, type TestApp } from '../testing/app.ts'
import { createFakeClock } from '../testing/clock.ts'

const ITEMS = '/v1/collections/things/items'

async function scraped({ get }: Pick<TestApp, 'get'>): Promise<string> {
  return (await get('/metrics')).body
}

/** Returns the value of a series, written as in the text format. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
}

/** Returns the names and labels of all series. */
function seriesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')))
}

test('the first scrape has every series that later ones have', async () => {
  const service = await openTestApp()
  const first = new Set(seriesOf(await scraped(service)))
  await service.post(ITEMS, '{"n":1}')
  await service.post(ITEMS, '{"n":1}')
  await service.post(ITEMS, '{broken')
  await service.post(ITEMS, 'x', { 'content-type': 'text/plain' })
  await service.post(`${ITEMS}:batch`, '[{"n":1},{"n":2}]')
  await service.post(ITEMS, '{"n":1}\n{"n":3}\n{', { 'content-type': 'application/x-ndjson' })
  await service.post(ITEMS, '{"n":4}', { 'idempotency-key': 'k' })
  await service.post(ITEMS, '{"n":4}', { 'idempotency-key': 'k' })
  await service.get('/readyz')
  await service.get(ITEMS)
  const later = seriesOf(await scraped(service))
  expect(later.filter((one) => !first.has(one))).toEqual([])
})

test('single items, batches, streams, other requests and probes are counted apart', async () => {
  const service = await openTestApp()
  await service.post(ITEMS, '{"n":1}')
  await service.post(`${ITEMS}:batch`, '[{"n":2}]')
  await service.post(ITEMS, '{"n":3}\n', { 'content-type': 'application/x-ndjson; charset=utf-8' })
  await service.post(ITEMS, '{broken')
  await service.get(ITEMS)
  await service.get('/readyz')
  const text = await scraped(service)
  const count = (kind: string, status: string): number =>
    valueOf(text, `ingot_http_request_seconds_count{kind="${kind}",status="${status}"}`)
  expect(count('single', '2xx')).toBe(1)
  expect(count('single', '4xx')).toBe(1)
  expect(count('batch', '2xx')).toBe(1)
  expect(count('stream', '2xx')).toBe(1)
  expect(count('other', '2xx')).toBe(1)
  expect(count('probe', '2xx')).toBe(1)
  expect(valueOf(text, `ingot_http_requests_total{route="/readyz",method="GET",status="200",kind="probe"}`)).toBe(1)
  expect(valueOf(text, 'ingot_http_in_flight{kind="probe"}')).toBe(1)
  expect(valueOf(text, 'ingot_http_in_flight{kind="single"}')).toBe(0)
  expect(valueOf(text, 'ingot_stream_first_result_seconds_count')).toBe(1)
  expect(valueOf(text, 'ingot_stream_items_per_second_count')).toBe(1)
})

test('the sizes of all items are counted, once each', async () => {
  const service = await openTestApp()
  await service.post(ITEMS, JSON.stringify('x'.repeat(62)))
  await service.post(ITEMS, JSON.stringify('x'.repeat(63)))
  await service.post(`${ITEMS}:batch`, '[1,1]')
  const text = await scraped(service)
  expect(valueOf(text, 'ingot_item_bytes_bucket{le="64"}')).toBe(3)
  expect(valueOf(text, 'ingot_item_bytes_bucket{le="256"}')).toBe(4)
  expect(valueOf(text, 'ingot_item_bytes_bucket{le="+Inf"}')).toBe(4)
  expect(valueOf(text, 'ingot_item_bytes_sum')).toBe(64 + 65 + 2)
  expect(valueOf(text, 'ingot_item_bytes_count')).toBe(4)
})

test('items that wait for their commit are counted, with their bytes and their age', async () => {
  const gate = Promise.withResolvers<void>()
  const memory = createMemoryStore()
  const store = overStore(memory, {
    put: async (units, nowMs) => {
      await gate.promise
      return memory.put(units, nowMs)
    },
  })
  const service = await openTestApp({ store })
  const answer = service.post(ITEMS, '{"n":1}')
  await expect.poll(async () => valueOf(await scraped(service), 'ingot_pending_items')).toBe(1)
  const during = await scraped(service)
  expect(valueOf(during, 'ingot_pending_bytes')).toBe(7)
  expect(valueOf(during, 'ingot_pending_oldest_seconds')).toBeGreaterThan(0)
  expect(valueOf(during, 'ingot_http_in_flight{kind="single"}')).toBe(1)
  expect(valueOf(during, 'ingot_store_call_seconds_count{call="put"}')).toBe(0)
  gate.resolve()
  expect((await answer).statusCode).toBe(201)
  const after = await scraped(service)
  expect(valueOf(after, 'ingot_pending_items')).toBe(0)
  expect(valueOf(after, 'ingot_pending_bytes')).toBe(0)
  expect(valueOf(after, 'ingot_pending_oldest_seconds')).toBe(0)
  expect(valueOf(after, 'ingot_store_call_seconds_count{call="put"}')).toBe(1)
  expect(valueOf(after, 'ingot_pending_items_limit')).toBe(16_384)
  expect(valueOf(after, 'ingot_pending_bytes_limit')).toBeGreaterThan(1_000_000)
  expect(valueOf(after, 'ingot_commit_items_sum')).toBe(1)
  expect(valueOf(after, 'ingot_commit_seconds_count')).toBe(1)
  expect(valueOf(after, 'ingot_receiving_bytes_limit')).toBe(1_000_000)
})

test('a store that fails is down and the service is not ready, until the store is back', async () => {
  const memory = createMemoryStore()
  let isDown = false
  const check = async (): Promise<void> => {
    if (isDown) throw new Error('away')
  }
  const service = await openTestApp({ store: overStore(memory, { check }) })
  const state = async (): Promise<readonly number[]> => {
    const text = await scraped(service)
    return ['ingot_store_up', 'ingot_ready', 'ingot_draining'].map((name) => valueOf(text, name))
  }
  expect(await state()).toEqual([1, 1, 0])
  isDown = true
  await service.get('/readyz')
  expect(await state()).toEqual([0, 0, 0])
  isDown = false
  await service.get('/readyz')
  expect(await state()).toEqual([1, 1, 0])
  service.leave()
  expect(await state()).toEqual([1, 0, 1])
})

test('a scrape checks the store itself only if the last result is old', async () => {
  const memory = createMemoryStore()
  const clock = createFakeClock()
  let checks = 0
  const check = async (): Promise<void> => void checks++
  const service = await openTestApp({ store: overStore(memory, { check }), clock })
  await scraped(service)
  await scraped(service)
  expect(checks).toBe(1)
  await clock.advance(5_001)
  await scraped(service)
  expect(checks).toBe(2)
})

test('a scrape stays small, and no label grows with collections, keys or content', async () => {
  const service = await openTestApp()
  await service.post(ITEMS, '{"n":1}')
  const before = new Set(seriesOf(await scraped(service)))
  for (let at = 0; at < 200; at++) {
    await service.post(`/v1/collections/c${at}/items`, `{"n":${at}}`, { 'idempotency-key': `key-${at}` })
    await service.get(`/v1/collections/c${at}/items`)
    await service.get(`/no/such/path/${at}`)
  }
  const text = await scraped(service)
  const added = seriesOf(text).filter((one) => !before.has(one))
  // one series of the unknown route, whatever the path
  expect(added).toEqual([`ingot_http_requests_total{route="unknown",method="GET",status="404",kind="other"}`])
  expect(text.length).toBeLessThan(100_000)
})

test('OpenMetrics is sent on request, with the trace of a recorded request as exemplar', async () => {
  const service = await openTestApp()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  await service.post(ITEMS, '{"n":1}', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
  await service.post(ITEMS, '{"n":2}', { traceparent: '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' })
  const open = await service.get('/metrics', { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' })
  expect(open.headers['content-type']).toContain('application/openmetrics-text')
  expect(open.body.endsWith('# EOF\n')).toBe(true)
  expect(open.body).toContain('# TYPE ingot_http_requests counter')
  expect(open.body).toContain('ingot_idempotent_replays_total 0')
  expect(open.body.match(/trace_id="(\w+)"/g)).toEqual([`trace_id="${traceId}"`])
  const plain = await service.get('/metrics')
  expect(plain.headers['content-type']).toContain('text/plain')
  expect(plain.body).toContain('# TYPE ingot_http_requests_total counter')
  expect(plain.body).not.toContain('trace_id')
})

test('promtool accepts the names, types and help texts', async ({ skip }) => {
  if (spawnSync('promtool', ['--version']).status !== 0) skip('promtool is not installed')
  const service = await openTestApp()
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: await scraped(service), encoding: 'utf8' })
  expect(checked.stdout + checked.stderr).toBe('')
  expect(checked.status).toBe(0)
})
