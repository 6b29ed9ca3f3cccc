/** Counts and logs the requests of the app, by kind. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Metrics } from '../telemetry/metrics.ts'
import { currentTrace, logFieldsOf } from '../telemetry/spans.ts'
import { type TraceContext, traceFrom } from '../telemetry/trace.ts'
import { mediaOf } from './body/bodies.ts'
import type { ReceiveBudget } from './body/receive-budget.ts'
import type { RouteContext } from './deps.ts'
import type { RequestKind } from './http-metrics.ts'

/** Paths that report on the service itself. Their requests are counted apart from those of clients. */
export const PROBES: readonly string[] = ['/livez', '/readyz', '/metrics']

const ITEMS = '/v1/collections/:collection/items'
const BATCH = '/v1/collections/:collection/items::batch'

const traces = new WeakMap<FastifyRequest, TraceContext>()

/** Returns the trace of the request: the caller's, or a new one. With an SDK, it is that of the request's span. */
export function traceOf(request: FastifyRequest): TraceContext {
  const known = traces.get(request) ?? currentTrace() ?? traceFrom(headerText(request.headers['traceparent']))
  traces.set(request, known)
  return known
}

/** Registers the gauges of request bodies in memory. */
export function measureReceiving(metrics: Metrics, receiving: ReceiveBudget, limit: number): void {
  metrics.gaugeOf(
    { name: 'ingot_receiving_bytes', help: 'Bytes of request bodies in memory, being received or not answered yet.' },
    () => receiving.heldBytes,
  )
  metrics.gaugeOf(
    { name: 'ingot_receiving_bytes_limit', help: 'Beyond this number of bytes in memory, requests get 429.' },
    () => limit,
  )
}

/** Counts every request from its head to the end of its response. Call it before the routes are registered. */
export function observeTraffic(app: FastifyInstance, context: RouteContext): void {
  const kinds = new WeakMap<FastifyRequest, RequestKind>()
  app.addHook('onRoute', ({ url, method }) => {
    for (const one of [method].flat()) {
      // fastify adds HEAD to every GET
      if (one === 'HEAD') continue
      for (const kind of kindsOf(url, one)) context.counts.route({ route: url, method: one, kind })
    }
  })
  app.addHook('onRequest', async (request) => {
    const kind = kindOf(request)
    kinds.set(request, kind)
    // later hooks may run outside the context of the request's span
    const trace = currentTrace()
    if (trace !== undefined) traces.set(request, trace)
    context.counts.began(kind)
  })
  app.addHook('onResponse', async (request, reply) => {
    const kind = kinds.get(request)
    // refused by the framework before it began
    if (kind === undefined) return
    const route = request.routeOptions.url ?? 'unknown'
    const seconds = reply.elapsedTime / 1_000
    const trace = traceOf(request)
    const { method } = request
    const status = reply.statusCode
    context.counts.ended({
      route,
      method,
      kind,
      status,
      seconds,
      sampledTrace: trace.sampled ? trace.traceId : undefined,
    })
    context.log.debug({ ...logFieldsOf(trace), route, status, seconds }, 'request answered')
  })
}

/** Returns the kinds of requests that a route can get. */
function kindsOf(route: string, method: string): readonly RequestKind[] {
  if (PROBES.includes(route)) return ['probe']
  if (method !== 'POST') return ['other']
  if (route === BATCH) return ['batch']
  return route === ITEMS ? ['single', 'stream'] : ['other']
}

function kindOf(request: FastifyRequest): RequestKind {
  const [kind = 'other', alternative] = kindsOf(request.routeOptions.url ?? '', request.method)
  return alternative !== undefined && mediaOf(request) === 'application/x-ndjson' ? alternative : kind
}

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
