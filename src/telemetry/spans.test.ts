import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { recordedTrace, traceHeaders, withSharedSpan, withSpan, withUnitSpan } from './spans.ts'

const exported = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exported)] })
provider.register()
const requests = trace.getTracer('requests')

beforeEach(() => exported.reset())
afterAll(() => provider.shutdown())

/** Runs the work as part of a recorded request. */
async function inRequest<T>(work: () => Promise<T>): Promise<T> {
  return requests.startActiveSpan('request', { root: true }, async (span) => work().finally(() => span.end()))
}

/** Runs the work as part of a request that its caller does not record. */
async function inUnrecorded<T>(work: () => Promise<T>): Promise<T> {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
  const remote = propagation.extract(ROOT_CONTEXT, { traceparent })
  return context.with(remote, () => requests.startActiveSpan('request', (span) => work().finally(() => span.end())))
}

const names = (): readonly string[] => exported.getFinishedSpans().map(({ name }) => name)

test('work within a recorded request has a span, which is its child', async () => {
  const result = await inRequest(() => withSpan('work', { size: 3 }, async () => 'done'))
  expect(result).toBe('done')
  const [work, request] = exported.getFinishedSpans()
  expect(work).toMatchObject({ name: 'work', attributes: { size: 3 } })
  expect(work?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
})

test('work outside a recorded request has no span', async () => {
  await withSpan('work', {}, async () => {})
  await inUnrecorded(() => withSpan('work', {}, async () => {}))
  expect(names()).toEqual([])
})

test('a failure is in the span, and reaches the caller', async () => {
  const fails = inRequest(() => withSpan('work', {}, async () => Promise.reject(new Error('disk full'))))
  await expect(fails).rejects.toThrow('disk full')
  expect(exported.getFinishedSpans()[0]?.status).toEqual({ code: 2, message: 'disk full' })
})

test('work of many items is one span', async () => {
  await inRequest(() =>
    withUnitSpan('unit', {}, async () => {
      await Promise.all(Array.from({ length: 100 }, () => withSpan('item', {}, async () => {})))
    }),
  )
  expect(names()).toEqual(['unit', 'request'])
})

test('shared work links to each recorded request once, and belongs to the trace of the first', async () => {
  const first = await inRequest(async () => recordedTrace())
  const second = await inRequest(async () => recordedTrace())
  const unrecorded = await inUnrecorded(async () => recordedTrace())
  expect(unrecorded).toBeUndefined()
  exported.reset()
  const shared = { name: 'commit', attributes: {} }
  await withSharedSpan(shared, [unrecorded, first, second, first], () => withSpan('store', {}, async () => {}))
  const [store, commit] = exported.getFinishedSpans()
  expect(commit?.links.map((link) => link.context.spanId)).toEqual([first?.spanId, second?.spanId])
  expect(commit?.spanContext().traceId).toBe(first?.traceId)
  expect(store?.parentSpanContext?.spanId).toBe(commit?.spanContext().spanId)
})

test('shared work without a recorded request has no span, also when a recorded request began it', async () => {
  await inRequest(() =>
    withSharedSpan({ name: 'commit', attributes: {} }, [undefined], () => withSpan('store', {}, async () => {})),
  )
  expect(names()).toEqual(['request'])
})

test('the header of another service continues the trace, recorded or not', async () => {
  const recorded = await inRequest(async () => ({ own: recordedTrace(), headers: traceHeaders() }))
  expect(recorded.headers['traceparent']).toBe(`00-${recorded.own?.traceId}-${recorded.own?.spanId}-01`)
  const headers = await inUnrecorded(async () => traceHeaders())
  expect(headers['traceparent']).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-\w{16}-00$/)
  expect(traceHeaders()).toEqual({})
})
