/** For the one who runs the service: is it alive, is it ready, what does it count. */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { RouteContext } from '../deps.ts'

/** A store that takes longer than this to say that it is ready is not. */
const CHECK_MS = 2_000

export function healthRoutes(app: FastifyInstance, context: RouteContext): void {
  const plain = {
    schema: {
      response: { 200: { description: 'yes', content: { 'text/plain': { schema: { type: 'string' } } } } },
      security: [],
    },
  }
  // answers as long as the event loop turns; whatever stands behind the service is no reason to kill it
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
    reject(new IngotError('STORE_UNAVAILABLE', 'the store does not answer')),
  )
  try {
    await Promise.race([context.store.check(), late])
  } finally {
    timer.cancel()
  }
}
