/** The HTTP service, put together. It never listens: cmd/serve.ts does. */
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Fault } from '../std/fault.ts'
import { type TraceContext, traceFrom } from '../telemetry/trace.ts'
import { bodyDeadline } from './body-idle.ts'
import { answerClientError } from './client-error.ts'
import { collectionRoutes } from './collections.ts'
import type { HttpDeps, HttpOptions, RouteContext } from './deps.ts'
import { getItemRoutes } from './get-items.ts'
import { healthRoutes } from './health.ts'
import { createHttpMetrics } from './http-metrics.ts'
import { problemOf } from './problem.ts'
import { mediaOf, putItemRoutes } from './put-items.ts'

export async function buildApp(deps: HttpDeps, options: HttpOptions): Promise<FastifyInstance> {
  const context: RouteContext = { ...deps, options, counts: createHttpMetrics(deps.metrics) }
  const app = fastify({
    // streams have no end to wait for; how long a body may pause is seen to where it is read
    requestTimeout: 0,
    // for what nobody waits for any more, such as the rest of a body that was refused
    connectionTimeout: options.bodyIdleMs + options.readStallMs,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    routerOptions: { maxParamLength: 512 },
    forceCloseConnections: 'idle',
    // our own answer, below: fastify's has neither code nor Retry-After
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: (thrown, request, reply) => void failure(context, request, reply, thrown),
  })
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.decorateRequest('caller', null)
  parseBodies(app)
  observe(app, context)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: { title: 'ingot', version: '1', description: 'Items in, once.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  await app.register(async (routes) => {
    healthRoutes(routes, context)
    collectionRoutes(routes, context)
    getItemRoutes(routes, context)
    putItemRoutes(routes, context)
    routes.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  })
  return app
}

/** Items are opaque bytes to the framework: identity reads them, once. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser([...WHOLE_MEDIA], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.addContentTypeParser(['application/x-ndjson', 'application/jsonl'], (_request, payload, done) =>
    done(null, payload),
  )
}

/** Bodies that are read to their end before anything is done with them. */
const WHOLE_MEDIA: ReadonlySet<string> = new Set(['application/json', 'application/octet-stream'])

function isReadWhole(request: FastifyRequest): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD' && WHOLE_MEDIA.has(mediaOf(request))
}

const traces = new WeakMap<FastifyRequest, TraceContext>()

function traceOf(request: FastifyRequest): TraceContext {
  const known = traces.get(request) ?? traceFrom(headerText(request.headers['traceparent']))
  traces.set(request, known)
  return known
}

function failure(context: RouteContext, request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const { traceId } = traceOf(request)
  const { url: route, bodyLimit } = request.routeOptions
  const problem = problemOf(thrown, { traceId, bodyLimit })
  const fields = { traceId, route, status: problem.status, err: thrown }
  if (problem.status >= 500) context.log.error(fields, 'request failed')
  else context.log.debug(fields, 'request refused')
  // the rest of such a body may never come: the connection is of no more use
  if (problem.status === 408) reply.header('connection', 'close')
  return reply.code(problem.status).headers(problem.headers).send(problem.body)
}

/** Routes that speak of the service itself, and go on to the end. */
const HEALTH: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz', '/metrics'])

function observe(app: FastifyInstance, context: RouteContext): void {
  app.addHook('onRequest', async (request) => {
    // on a connection that was there before; new ones are not accepted
    if (context.draining.aborted && !HEALTH.has(request.routeOptions.url)) {
      throw new Fault('SHUTTING_DOWN', 'the service is shutting down')
    }
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity')
      throw new Fault('MEDIA_TYPE_UNSUPPORTED', `the content encoding "${encoding}" is not taken here`)
  })
  const deadline = bodyDeadline(context.clock, context.options.bodyIdleMs)
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (isReadWhole(request)) deadline.call(app, request, reply, payload, done)
    else done()
  })
  app.addHook('onSend', async (_request, reply) => {
    if (context.leaving.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    const seconds = reply.elapsedTime / 1_000
    context.counts.request(route, request.method, reply.statusCode, seconds)
    context.log.debug(
      { traceId: traceOf(request).traceId, route, status: reply.statusCode, seconds },
      'request answered',
    )
  })
  app.setErrorHandler((thrown, request, reply) => failure(context, request, reply, thrown))
  app.setNotFoundHandler((request, reply) =>
    failure(
      context,
      request,
      reply,
      new Fault('NOT_FOUND', `there is no ${request.method} ${request.url.split('?', 1)[0] ?? ''}`),
    ),
  )
}

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
