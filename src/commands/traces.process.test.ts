/** Spans of a real service, as a collector receives them by OTLP. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../drill/checkout.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { type ReceivedSpan, startCollector } from '../testing/otlp/collector.ts'
import { type Service, startService } from '../testing/service.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const RECORDED = `00-${TRACE}-${PARENT}-01`

async function startTraced(env: Readonly<Record<string, string>>): Promise<Service> {
  const service = await startService({
    data: temporaryFolder(),
    env: { INGOT_OTEL: 'on', OTEL_BSP_SCHEDULE_DELAY: '100', ...env },
  })
  onTestFinished(async () => void (await service.kill()))
  return service
}

async function post(service: Service, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${service.url}/v1/collections/orders/items`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

const named = (spans: readonly ReceivedSpan[], name: string): readonly ReceivedSpan[] =>
  spans.filter((span) => span.name === name)

/** Names of the span and of its ancestors that the collector has, nearest first. */
function pathOf(spans: readonly ReceivedSpan[], span: ReceivedSpan | undefined): readonly string[] {
  if (span === undefined) return []
  return [
    span.name,
    ...pathOf(
      spans,
      spans.find(({ spanId }) => spanId === span.parentSpanId),
    ),
  ]
}

test("a request joins its caller's trace; its commit and the store's call are below it; probes have no span", async () => {
  await using collector = await startCollector()
  const service = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_SERVICE_NAME: 'orders-intake',
    INGOT_LOG_LEVEL: 'debug',
  })
  await fetch(`${service.url}/livez`)
  expect((await post(service, '{"n":1}', { traceparent: RECORDED })).status).toBe(201)
  const spans = await collector.until(
    (all) => named(all, 'request').length > 0 && named(all, 'ingot.commit').length > 0,
  )
  const [put] = named(spans, 'ingot.store.put')
  expect(pathOf(spans, put)).toEqual(['ingot.store.put', 'ingot.commit', 'request'])
  expect(named(spans, 'request')).toMatchObject([{ traceId: TRACE, parentSpanId: PARENT }])
  const [request] = named(spans, 'request')
  expect(named(spans, 'ingot.commit')).toMatchObject([{ traceId: TRACE, links: [{ spanId: request?.spanId }] }])
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]))
  expect(collector.resource().get('service.name')).toBe('orders-intake')
  const line = service
    .stderr()
    .split('\n')
    .find((one) => one.includes('request answered') && one.includes('201'))
  expect(JSON.parse(String(line))).toMatchObject({ trace_id: TRACE, span_id: request?.spanId })
})

test('a problem names the trace of its span, and the span has the failure', async () => {
  await using collector = await startCollector()
  const service = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const refused = await post(service, '{', { traceparent: RECORDED })
  expect(await refused.json()).toMatchObject({ code: 'JSON_INVALID', traceId: TRACE })
  const spans = await collector.until((all) => named(all, 'request').length > 0)
  expect(JSON.stringify(named(spans, 'request'))).toContain('"intValue":400')
})

test('a batch, and a stream of 3000 lines, have no span for single items', async () => {
  await using collector = await startCollector()
  const service = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const lines = Array.from({ length: 3_000 }, (_, n) => JSON.stringify({ n }))
  const stream = await post(service, lines.join('\n'), {
    'content-type': 'application/x-ndjson',
    traceparent: RECORDED,
  })
  expect(await stream.text()).toContain('"created":3000')
  await service.stop()
  const spans = collector.spans()
  expect(named(spans, 'ingot.store.put').length).toBeGreaterThan(0)
  expect(spans.length).toBeLessThan(60)
  expect(spans.every(({ traceId }) => traceId === TRACE)).toBe(true)
})

test('spans that wait are sent when the service ends', async () => {
  await using collector = await startCollector()
  const service = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '60000' })
  await post(service, '{"n":1}')
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  expect(
    collector
      .spans()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(['ingot.commit', 'ingot.store.collection', 'ingot.store.put', 'request'])
})

test('the trace goes on in an http store, below the lock; a batch has one span for its items there', async () => {
  await using collector = await startCollector()
  const received: IncomingHttpHeaders[] = []
  const backend = createServer((request, response) => {
    received.push(request.headers)
    request.resume().on('end', () => response.writeHead(request.method === 'POST' ? 201 : 404).end())
  })
  backend.listen(0, '127.0.0.1')
  await once(backend, 'listening')
  onTestFinished(() => void backend.close())
  const service = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    INGOT_STORE_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
    INGOT_STORE_MAPPING: join(ROOT, 'examples/legacy-backend/mapping.json'),
    INGOT_LOCK_URL: 'memory:',
  })
  expect((await post(service, '{"n":1}', { traceparent: RECORDED })).status).toBe(201)
  const spans = await collector.until(
    (all) => named(all, 'request').length > 0 && named(all, 'ingot.commit').length > 0,
  )
  const [lock, save] = ['ingot.lock', 'ingot.forward.save'].map((name) => named(spans, name)[0])
  expect(pathOf(spans, lock)).toEqual(['ingot.lock', 'ingot.commit', 'request'])
  expect(pathOf(spans, save)).toEqual(['ingot.forward.save', 'ingot.commit', 'request'])
  expect(received.at(-1)?.['traceparent']).toBe(`00-${TRACE}-${save?.spanId}-01`)
  const before = spans.length
  const batch = await fetch(`${service.url}/v1/collections/orders/items:batch`, {
    method: 'POST',
    body: JSON.stringify(Array.from({ length: 50 }, (_, at) => ({ at }))),
    headers: { 'content-type': 'application/json', traceparent: RECORDED },
  })
  expect(batch.status).toBe(200)
  const after = await collector.until(
    (all) => named(all, 'request').length > 1 && named(all, 'ingot.commit').length > 1,
  )
  expect(
    after
      .slice(before)
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(['ingot.commit', 'ingot.forward', 'request'])
  expect(received).toHaveLength(2 + 100)
  expect(received.every(({ traceparent }) => traceparent?.includes(TRACE))).toBe(true)
})

test('a request that its caller does not record has no span, and the caller’s trace id goes on', async () => {
  await using collector = await startCollector()
  const service = await startTraced({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const refused = await post(service, '{', { traceparent: `00-${TRACE}-${PARENT}-00` })
  expect(await refused.json()).toMatchObject({ traceId: TRACE })
  await service.stop()
  expect(collector.spans()).toEqual([])
})

test('a sampler that the environment sets decides for requests without a trace', async () => {
  await using collector = await startCollector()
  const service = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
  })
  await post(service, '{"n":1}')
  await post(service, '{"n":2}', { traceparent: RECORDED })
  await service.stop()
  expect(new Set(collector.spans().map(({ traceId }) => traceId))).toEqual(new Set([TRACE]))
})

test('a collector that does not respond fails no request, delays no end, and is logged once', async () => {
  const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => void silent.close())
  const { port } = silent.address() as AddressInfo
  const service = await startTraced({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '300',
    OTEL_BSP_EXPORT_TIMEOUT: '300',
  })
  for (let n = 0; n < 20; n++) expect((await post(service, JSON.stringify({ n }))).status).toBe(201)
  expect(await service.stop(6_000)).toEqual({ code: 0, signal: null })
  expect(service.stderr().match(/spans are not exported/g) ?? []).toHaveLength(1)
})

/** Prints each module of the SDK that the process loads. */
const REPORT_SDK = `import { registerHooks } from 'node:module'
registerHooks({ load(url, context, next) {
  if (/@opentelemetry\\/(?!api\\/)|@fastify\\/otel/.test(url)) process.stderr.write('SDK ' + url + '\\n')
  return next(url, context)
} })`

test.for(['off', 'on'])('with INGOT_OTEL=%s, the SDK is loaded only if it is on', async (otel) => {
  const hook = join(temporaryFolder(), 'hook.mjs')
  writeFileSync(hook, REPORT_SDK)
  const service = await startTraced({ INGOT_OTEL: otel, NODE_OPTIONS: `--import ${hook}` })
  expect((await post(service, '{"n":1}', { traceparent: RECORDED })).status).toBe(201)
  expect(service.stderr().includes('SDK ')).toBe(otel === 'on')
})
