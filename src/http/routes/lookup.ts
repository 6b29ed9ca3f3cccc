/** Route that finds out whether a content is stored, and as which item. It saves nothing. */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { LookedUp } from '../../items/pipeline/lookup.ts'
import { admit } from '../access.ts'
import { mediaOf } from '../body/bodies.ts'
import type { RouteContext } from '../deps.ts'
import { CollectionParams, LookupAnswer, REFUSED } from './schemas.ts'

interface Route {
  Params: { collection: string }
  Body: unknown
}

const anything = { schema: {} }

export function lookupRoutes(app: FastifyInstance, context: RouteContext): void {
  app.post<Route>(
    '/v1/collections/:collection/lookup',
    {
      onRequest: admit(context.authenticate, 'observe'),
      bodyLimit: context.options.maxItemBytes,
      schema: {
        operationId: 'lookUpItem',
        summary: 'Get the id and the canonical form of a content, and whether it is stored; saves nothing',
        params: CollectionParams,
        body: { content: { 'application/json': anything, 'application/octet-stream': anything } },
        response: {
          200: {
            description: 'what is known of the content',
            content: { 'application/json': { schema: LookupAnswer } },
          },
          '4xx': REFUSED,
        },
      },
    },
    async (request, reply) => {
      const { body } = request
      if (!Buffer.isBuffer(body)) {
        throw new IngotError(
          'MEDIA_TYPE_UNSUPPORTED',
          'a lookup is one item in application/json or application/octet-stream',
        )
      }
      const content = { media: mediaOf(request), content: body }
      const known = await context.ingest.lookup(request.params.collection, content)
      return reply.header('cache-control', 'no-store').send(described(known))
    },
  )
}

function described({ id, policy, canonical, found }: LookedUp): object {
  const firstSeenMs = found?.firstSeenMs
  return {
    id,
    policy,
    ...(canonical === undefined ? {} : { canonical }),
    stored: found !== undefined,
    ...(firstSeenMs === undefined ? {} : { firstSeen: new Date(firstSeenMs).toISOString() }),
  }
}
