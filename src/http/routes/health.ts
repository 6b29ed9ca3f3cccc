/** Routes for the operator: liveness, readiness, metrics. */
import type { FastifyInstance } from 'fastify'
import type { RouteContext } from '../deps.ts'

/** Source: the media type of OpenMetrics 1.0.0, as Prometheus sends it in Accept. */
const OPEN_METRICS = /\bapplication\/openmetrics-text\b/

export function healthRoutes(app: FastifyInstance, context: RouteContext): void {
  const plain = {
    schema: {
      response: { 200: { description: 'yes', content: { 'text/plain': { schema: { type: 'string' } } } } },
      security: [],
    },
  }
  // responds while the event loop runs; a failing dependency is no reason to kill the process
  app.get('/livez', plain, () => 'ok\n')
  app.get('/readyz', plain, async () => {
    await context.readiness.check()
    return 'ok\n'
  })
  app.get('/metrics', plain, async (request, reply) => {
    const format = OPEN_METRICS.test(request.headers.accept ?? '') ? 'openmetrics' : 'prometheus'
    const { contentType, body } = await context.metrics.render(format)
    return reply.header('content-type', contentType).send(body)
  })
}
