/**
 * Routes for single items and batches. The complete body is read, and the response is sent when all of it is durable.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { failpoint } from '#failpoint'
import { IngotError } from '../../errors/error.ts'
import type { ItemId, ItemResult } from '../../items/item.ts'
import type { RawContent } from '../../items/prepare.ts'
import { createdIdOf, type Entry, type Receipt, receiptOf } from '../../items/receipt.ts'
import { admit, callerOf } from '../access.ts'
import { mediaOf } from '../body/bodies.ts'
import { splitArray } from '../body/json-array.ts'
import type { RouteContext } from '../deps.ts'
import { idempotencyKey, keyedRequestOf } from '../idempotency.ts'
import { preferredWaitMs, withinWait } from '../prefer.ts'
import { BatchAnswer, CollectionParams, ItemAnswer, PROBLEM_CONTENT, StreamAnswer } from './schemas.ts'
import { answerStream } from './stream.ts'

interface Route {
  Params: { collection: string }
  Body: unknown
}

type ItemsRequest = FastifyRequest<Route>

const NO_CONTENT = 'the request has neither a body nor a Content-Type'

const anything = { schema: {} }

export function putItemRoutes(app: FastifyInstance, context: RouteContext): void {
  itemsRoute(app, context)
  batchRoute(app, context)
}

function itemsRoute(app: FastifyInstance, context: RouteContext): void {
  app.post<Route>(
    '/v1/collections/:collection/items',
    {
      onRequest: admit(context.authenticate, 'write'),
      bodyLimit: context.options.maxItemBytes,
      schema: {
        operationId: 'putItems',
        summary: 'Save one item, or a stream of items',
        description: SINGLE_DESCRIPTION,
        params: CollectionParams,
        body: {
          content: {
            'application/json': anything,
            'application/octet-stream': anything,
            'application/x-ndjson': anything,
          },
        },
        response: {
          200: {
            description: 'duplicate, or a stream',
            content: { 'application/json': { schema: ItemAnswer }, 'application/x-ndjson': { schema: StreamAnswer } },
          },
          201: { description: 'created', content: { 'application/json': { schema: ItemAnswer } } },
          '4xx': { description: 'refused', content: PROBLEM_CONTENT },
          '5xx': { description: 'failed', content: PROBLEM_CONTENT },
        },
      },
    },
    async (request, reply) => {
      const { body } = request
      if (Buffer.isBuffer(body)) return putSingle(context, { request, reply, body })
      if (body === undefined) throw new IngotError('MEDIA_TYPE_UNSUPPORTED', NO_CONTENT)
      return answerStream(context, request, reply)
    },
  )
}

function batchRoute(app: FastifyInstance, context: RouteContext): void {
  app.post<Route>(
    '/v1/collections/:collection/items::batch',
    {
      onRequest: admit(context.authenticate, 'write'),
      bodyLimit: context.options.maxBatchBytes,
      schema: {
        operationId: 'putBatch',
        summary: 'Save the items of a JSON array',
        params: CollectionParams,
        body: { content: { 'application/json': anything } },
        response: {
          200: { description: 'a result per item', content: { 'application/json': { schema: BatchAnswer } } },
          '4xx': { description: 'refused', content: PROBLEM_CONTENT },
          '5xx': { description: 'failed', content: PROBLEM_CONTENT },
        },
      },
    },
    async (request, reply) => {
      const { body } = request
      if (body === undefined) throw new IngotError('MEDIA_TYPE_UNSUPPORTED', NO_CONTENT)
      if (!Buffer.isBuffer(body) || mediaOf(request) !== 'application/json') {
        throw new IngotError('MEDIA_TYPE_UNSUPPORTED', 'a batch is a JSON array, sent as application/json')
      }
      return putBatch(context, { request, reply, body })
    },
  )
}

const SINGLE_DESCRIPTION = `One item as application/json or application/octet-stream, answered when it is durable; or
application/x-ndjson, an item a line, answered line by line as commits happen (with Prefer: return=minimal by the
summary alone). A line that cannot be taken fails alone.`

interface Exchange {
  readonly request: ItemsRequest
  readonly reply: FastifyReply
  readonly body: Buffer
}

async function putSingle(context: RouteContext, exchange: Exchange): Promise<FastifyReply> {
  const contents = [{ media: mediaOf(exchange.request), content: exchange.body }]
  return put(context, exchange, { kind: 'single', contents, fatal: () => true })
}

async function putBatch(context: RouteContext, exchange: Exchange): Promise<FastifyReply> {
  const { maxBatchItems, maxItemBytes } = context.options
  const contents = splitArray(exchange.body, maxBatchItems).map(
    (content): RawContent =>
      content.length > maxItemBytes
        ? {
            refused: new IngotError('CONTENT_TOO_LARGE', `the item has more than ${maxItemBytes} bytes (maxItemBytes)`),
          }
        : { media: 'application/json', content },
  )
  // an array with a malformed element is itself malformed JSON
  return put(context, exchange, { kind: 'batch', contents, fatal: (error) => error.code === 'JSON_INVALID' })
}

interface Put {
  readonly kind: 'single' | 'batch'
  readonly contents: readonly RawContent[]
  readonly fatal: (error: IngotError) => boolean
}

async function put(context: RouteContext, exchange: Exchange, what: Put): Promise<FastifyReply> {
  const { request } = exchange
  context.counts.received(what.contents)
  const key = idempotencyKey(request)
  if (key !== undefined) return putUnderKey(context, exchange, what, key)
  const submitted = context.ingest.submit({ collection: request.params.collection, ...what })
  const results = await withinWait(submitted, preferredWaitMs(request), context.clock)
  context.counts.items(what.kind, results)
  return send(exchange, receiptOf(what.kind, results), createdId(results[0]))
}

async function putUnderKey(context: RouteContext, exchange: Exchange, what: Put, key: string): Promise<FastifyReply> {
  const { request, body } = exchange
  const expiresAtMs = context.clock.wallMs() + context.options.idempotencyTtlMs
  const claim = keyedRequestOf(request, callerOf(request), key, { kind: what.kind, body, expiresAtMs })
  const result = await context.ingest.submitKeyed({ collection: request.params.collection, ...what }, claim)
  switch (result.kind) {
    case 'stored':
      context.counts.items(what.kind, result.entries)
      return send(exchange, result.receipt, createdId(result.entries[0]))
    case 'replayed':
      context.counts.replayed()
      exchange.reply.header('idempotency-replayed', 'true')
      return send(exchange, result.receipt, createdIdOf(result.receipt))
    case 'key-reused':
      throw new IngotError('IDEMPOTENCY_KEY_REUSED', 'the Idempotency-Key was used for another request')
    default:
      return result satisfies never
  }
}

function createdId(result: ItemResult | Entry | undefined): ItemId | undefined {
  return result?.kind === 'created' ? result.id : undefined
}

/** Sends the receipt. The receipt of one created item also gets a Location header, made from `id`. */
function send(exchange: Exchange, receipt: Receipt, id: ItemId | undefined): FastifyReply {
  const { reply, request } = exchange
  failpoint('before-answer')
  if (receipt.status === 201 && id !== undefined) {
    reply.header('location', `/v1/collections/${request.params.collection}/items/${id}`)
  }
  return reply.code(receipt.status).header('content-type', 'application/json; charset=utf-8').send(receipt.body)
}
