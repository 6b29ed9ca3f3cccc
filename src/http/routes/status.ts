/** Route with the state of this replica. */
import type { FastifyInstance } from 'fastify'
import { admit } from '../access.ts'
import type { RouteContext } from '../deps.ts'
import { REFUSED, StatusAnswer } from './schemas.ts'

export function statusRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get(
    '/v1/status',
    {
      onRequest: admit(context.authenticate, 'observe', '*'),
      schema: {
        operationId: 'getStatus',
        summary: 'Get the state of this replica',
        response: {
          200: { description: 'the state', content: { 'application/json': { schema: StatusAnswer } } },
          '4xx': REFUSED,
        },
      },
    },
    async (_request, reply) => {
      const { receiving, options } = context
      const { pending, ...rest } = await context.status()
      return reply.header('cache-control', 'no-store').send({
        ...rest,
        state: stateOf(context),
        pending: { ...pending, receivingBytes: receiving.heldBytes, maxReceivingBytes: options.maxReceivingBytes },
      })
    },
  )
}

function stateOf({ leaving, draining }: RouteContext): 'serving' | 'leaving' | 'draining' {
  if (draining.aborted) return 'draining'
  return leaving.aborted ? 'leaving' : 'serving'
}
