/** Routes for the operator: liveness, readiness, metrics. */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { RouteContext } from '../deps.ts'

/** Deadline for the readiness check of the store, in milliseconds. */
const CHECK_MS = 2_000

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
    if (context.leaving.aborted) throw new IngotError('SHUTTING_DOWN', 'the service is about to end')
    await checkStore(context)
    return 'ok\n'
  })
  app.get('/metrics', plain, async (_request, reply) => {
    const { contentType, body } = await context.metrics.render()
    return reply.header('content-type', contentType).send(body)
  })
}

async function checkStore(context: RouteContext): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = context.clock.timer(CHECK_MS, () =>
    reject(new IngotError('STORE_UNAVAILABLE', 'the store does not respond')),
  )
  try {
    await Promise.race([context.store.check(), late])
  } finally {
    timer.cancel()
  }
}
