/** Routes for collections and their identity policies. */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import { parsePolicy } from '../../identity/policy.ts'
import { storeWith } from '../../items/store.ts'
import { admit } from '../access.ts'
import type { RouteContext } from '../deps.ts'
import { CollectionAnswer, CollectionParams, CollectionsAnswer, CollectionsQuery, Policy, REFUSED } from './schemas.ts'

interface Route {
  Params: { collection: string }
  Body: unknown
}

const answer = { description: 'the collection', content: { 'application/json': { schema: CollectionAnswer } } }

export function collectionRoutes(app: FastifyInstance, context: RouteContext): void {
  policyRoutes(app, context)
  listRoute(app, context)
}

/** Collections of a page, unless the request asks for fewer. */
const PAGE_COLLECTIONS = 100

function listRoute(app: FastifyInstance, context: RouteContext): void {
  app.get<{ Querystring: { after?: string; limit?: string } }>(
    '/v1/collections',
    {
      // the names of all collections are visible, so the right must cover all of them
      onRequest: admit(context.authenticate, 'observe', '*'),
      schema: {
        operationId: 'listCollections',
        summary: 'List the collections with their identity policies and estimated numbers of items',
        querystring: CollectionsQuery,
        response: {
          200: { description: 'a page', content: { 'application/json': { schema: CollectionsAnswer } } },
          '4xx': REFUSED,
        },
      },
    },
    async ({ query }, reply) => {
      const { after, limit = PAGE_COLLECTIONS } = query
      const page = { limit: Number(limit), ...(after === undefined ? {} : { after }) }
      const { collections, next } = await storeWith(context.store, 'collections').collections(page)
      const listed = collections.map(({ name, policy, ...rest }) => ({ collection: name, policy, ...rest }))
      return reply
        .header('cache-control', 'no-store')
        .send({ collections: listed, ...(next === undefined ? {} : { next }) })
    },
  )
}

function policyRoutes(app: FastifyInstance, context: RouteContext): void {
  app.put<Route>(
    '/v1/collections/:collection',
    {
      onRequest: admit(context.authenticate, 'write'),
      bodyLimit: 262_144,
      // `parsePolicy` validates and explains; the schema of the body only documents
      attachValidation: true,
      schema: {
        operationId: 'defineCollection',
        summary: 'Set the identity policy of a collection that holds no items',
        params: CollectionParams,
        body: { content: { 'application/json': { schema: Policy } } },
        response: { 200: answer, 201: answer, '4xx': REFUSED },
      },
    },
    async (request, reply) => {
      if (request.validationError?.validationContext === 'params') throw request.validationError
      const { collection } = request.params
      const policy = parsePolicy(parseBody(request.body))
      const outcome = await context.ingest.define(collection, policy)
      if (outcome === 'immutable') {
        throw new IngotError('POLICY_IMMUTABLE', `collection "${collection}" holds items under another policy`)
      }
      if (outcome === 'defined') context.events.publish({ type: 'collection.defined', collection })
      return reply.code(outcome === 'defined' ? 201 : 200).send({ collection, policy })
    },
  )
  app.get<Route>(
    '/v1/collections/:collection',
    {
      onRequest: admit(context.authenticate, 'read'),
      schema: {
        operationId: 'getCollection',
        summary: 'Get the identity policy of a collection',
        params: CollectionParams,
        response: { 200: answer, '4xx': REFUSED },
      },
    },
    async (request) => {
      const { collection } = request.params
      const known = await context.store.collection(collection)
      if (known === undefined) throw new IngotError('NOT_FOUND', `there is no collection "${collection}" yet`)
      return { collection, policy: known.policy }
    },
  )
}

function parseBody(body: unknown): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '')
  } catch (cause) {
    throw new IngotError('JSON_INVALID', 'the policy is not JSON', { cause })
  }
}
