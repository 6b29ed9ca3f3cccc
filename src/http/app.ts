/** Builds the HTTP app. It does not listen; the service does. */
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { IngotError } from '../errors/error.ts'
import { logFieldsOf } from '../telemetry/spans.ts'
import { readBodies } from './body/bodies.ts'
import { isUnread, lingeringResponse } from './body/linger.ts'
import { createReceiveBudget } from './body/receive-budget.ts'
import { answerClientError } from './client-error.ts'
import type { HttpDeps, HttpOptions, RouteContext } from './deps.ts'
import { createHttpMetrics } from './http-metrics.ts'
import { measureReceiving, observeTraffic, PROBES, traceOf } from './observe.ts'
import { problemOf } from './problem.ts'
import { createReadiness } from './readiness.ts'
import { collectionRoutes } from './routes/collections.ts'
import { deleteCollectionRoutes } from './routes/delete-collection.ts'
import { eventRoutes } from './routes/events.ts'
import { getItemRoutes } from './routes/get-items.ts'
import { healthRoutes } from './routes/health.ts'
import { lookupRoutes } from './routes/lookup.ts'
import { OPENAPI } from './routes/openapi.ts'
import { putItemRoutes } from './routes/put-items.ts'
import { statusRoutes } from './routes/status.ts'
import { refuseUnrouted } from './routes/unrouted.ts'

/** Maximum size of the request line and header fields together, in bytes. Node's default. */
const MAX_HEAD_BYTES = 16_384

export async function buildApp(deps: HttpDeps, options: HttpOptions): Promise<FastifyInstance> {
  const receiving = createReceiveBudget(options.maxReceivingBytes)
  const readiness = createReadiness(deps)
  const context: RouteContext = { ...deps, options, receiving, readiness, counts: createHttpMetrics(deps.metrics) }
  measureReceiving(deps.metrics, receiving, options.maxReceivingBytes)
  const app = fastify({
    // streams have no end to wait for; the pause within a body is limited where the body is read
    requestTimeout: 0,
    // closes idle connections
    connectionTimeout: options.bodyIdleMs + options.readStallMs,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    // longer than any URL: the check of the collection name then refuses a long name, with a better message
    routerOptions: { maxParamLength: MAX_HEAD_BYTES },
    // the Host field is checked below, because Node's own response has no body
    http: { maxHeaderSize: MAX_HEAD_BYTES, requireHostHeader: false },
    forceCloseConnections: 'idle',
    // drains are handled below, because fastify's response has neither a code nor Retry-After
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (thrown, request, reply) => void failure(context, request, reply, thrown),
  })
  // RFC 9110 lets a server ignore an unknown expectation; Node would respond with 417 and no body
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.decorateRequest('caller', null)
  observeTraffic(app, context)
  admitRequests(app, context)
  refuseUnrouted(app)
  readBodies(app, context)
  await app.register(swagger, OPENAPI)
  await app.register(async (routes) => {
    healthRoutes(routes, context)
    collectionRoutes(routes, context)
    deleteCollectionRoutes(routes, context)
    getItemRoutes(routes, context)
    putItemRoutes(routes, context)
    lookupRoutes(routes, context)
    statusRoutes(routes, context)
    eventRoutes(routes, context)
    routes.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  })
  return app
}

function failure(context: RouteContext, request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const trace = traceOf(request)
  const { url: route, bodyLimit } = request.routeOptions
  const problem = problemOf(thrown, { traceId: trace.traceId, bodyLimit })
  const fields = { ...logFieldsOf(trace), route, status: problem.status, err: thrown }
  if (problem.status >= 500) context.log.error(fields, 'request failed')
  else context.log.debug(fields, 'request refused')
  reply.code(problem.status).headers(problem.headers)
  if (!isUnread(request.raw) || request.method === 'HEAD') return reply.send(problem.body)
  return reply
    .headers({ connection: 'close', 'content-length': String(Buffer.byteLength(problem.body)) })
    .send(lingeringResponse(problem.body, request.raw, context.clock))
}

/** Routes that report on the service itself. They respond until the process ends. */
const HEALTH: ReadonlySet<string | undefined> = new Set([...PROBES, '/v1/status'])

function admitRequests(app: FastifyInstance, context: RouteContext): void {
  app.addHook('onRequest', async (request) => {
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      throw new IngotError('REQUEST_INVALID', 'the request has no Host header field')
    // this request came on an existing connection; new connections are not accepted
    if (context.draining.aborted && !HEALTH.has(request.routeOptions.url)) {
      throw new IngotError('SHUTTING_DOWN', 'the service is shutting down')
    }
    const transfer = request.headers['transfer-encoding']?.toLowerCase() ?? 'chunked'
    if (transfer !== 'chunked')
      throw new IngotError('MEDIA_TYPE_UNSUPPORTED', `the transfer encoding "${transfer}" is not taken here`)
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity')
      throw new IngotError('MEDIA_TYPE_UNSUPPORTED', `the content encoding "${encoding}" is not taken here`)
  })
  app.addHook('onSend', async (request, reply) => {
    // closes the connection, because an unread body could go on for ever
    if (context.leaving.aborted || isUnread(request.raw)) reply.header('connection', 'close')
  })
  app.setErrorHandler((thrown, request, reply) => failure(context, request, reply, thrown))
}
