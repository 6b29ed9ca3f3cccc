/** Routes that read, list, export and delete items. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { IngotError, toIngotError } from '../../errors/error.ts'
import { parseContentId } from '../../identity/content-id.ts'
import type { FoundItem, StoredItem } from '../../items/item.ts'
import { type PageRequest, storeWith } from '../../items/store.ts'
import { admit } from '../access.ts'
import { isUnread } from '../body/linger.ts'
import { createResponseWriter } from '../body/response-writer.ts'
import type { RouteContext } from '../deps.ts'
import {
  CollectionParams,
  ItemParams,
  ListQuery,
  PageAnswer,
  REFUSED,
  StoredItem as StoredItemAnswer,
} from './schemas.ts'

interface ItemRoute {
  Params: { collection: string; id: string }
}

interface ListRoute {
  Params: { collection: string }
  Querystring: { after?: string; limit?: string }
}

const PAGE_ITEMS = 100

/** Number of items that an export reads at a time. */
const EXPORT_ITEMS = 500

/**
 * Trailer with the number of items in an export. A client can detect a truncated export even behind a proxy that hides
 * the truncation.
 */
const EXPORT_COUNT = 'ingot-items'

export function getItemRoutes(app: FastifyInstance, context: RouteContext): void {
  getRoute(app, context)
  deleteRoute(app, context)
  listRoute(app, context)
}

function getRoute(app: FastifyInstance, context: RouteContext): void {
  app.get<ItemRoute>(
    '/v1/collections/:collection/items/:id',
    {
      onRequest: admit(context.authenticate, 'read'),
      schema: {
        operationId: 'getItem',
        summary: 'Get the content as it was sent, with its media type',
        params: ItemParams,
        response: { 200: { description: 'the content', content: { '*/*': { schema: {} } } }, '4xx': REFUSED },
      },
    },
    async (request, reply) => {
      const item = await find(context, request)
      return (
        reply
          .header('content-type', item.media)
          .headers(lastModified(item))
          // the content is untrusted: a browser must not render it as a page
          .header('x-content-type-options', 'nosniff')
          .header('etag', `"${item.id}"`)
          .send(Buffer.from(item.content))
      )
    },
  )
}

function deleteRoute(app: FastifyInstance, context: RouteContext): void {
  app.delete<ItemRoute>(
    '/v1/collections/:collection/items/:id',
    {
      onRequest: admit(context.authenticate, 'delete'),
      schema: {
        operationId: 'deleteItem',
        summary: 'Delete an item permanently; the same content sent later is created again',
        params: ItemParams,
        response: { 204: { description: 'deleted', type: 'null' }, '4xx': REFUSED },
      },
    },
    async (request, reply) => {
      const { collection, id } = request.params
      const removed = parseContentId(id) !== undefined && (await context.ingest.remove(collection, id))
      if (!removed) throw missing(request.params)
      return reply.code(204).send()
    },
  )
}

function listRoute(app: FastifyInstance, context: RouteContext): void {
  app.get<ListRoute>(
    '/v1/collections/:collection/items',
    {
      onRequest: admit(context.authenticate, 'read'),
      schema: {
        operationId: 'listItems',
        summary: 'List items in order of creation, in pages or all as NDJSON',
        params: CollectionParams,
        querystring: ListQuery,
        response: {
          200: {
            description: 'a page, or an export',
            content: {
              'application/json': { schema: PageAnswer },
              'application/x-ndjson': { schema: StoredItemAnswer },
            },
          },
          '4xx': REFUSED,
        },
      },
    },
    async (request, reply) => {
      if (/application\/(x-ndjson|jsonl)/.test(request.headers.accept ?? ''))
        return exportItems(context, request, reply)
      const page = await storeWith(context.store, 'list').list(request.params.collection, pageOf(request.query))
      const items = page.items.map(describe).join(',')
      const next = page.next === undefined ? '' : `,"next":"${page.next}"`
      return reply.header('content-type', 'application/json; charset=utf-8').send(`{"items":[${items}]${next}}`)
    },
  )
}

async function find(context: RouteContext, request: FastifyRequest<ItemRoute>): Promise<FoundItem> {
  const { collection, id } = request.params
  const item = parseContentId(id) === undefined ? undefined : await storeWith(context.store, 'get').get(collection, id)
  if (item === undefined) throw missing(request.params)
  return item
}

function missing({ collection, id }: ItemRoute['Params']): IngotError {
  const what =
    parseContentId(id) === undefined ? 'the id in the path is not of the form of an item id' : `no item "${id}"`
  return new IngotError('ITEM_NOT_FOUND', `collection "${collection}": ${what}`)
}

function pageOf(query: ListRoute['Querystring']): PageRequest {
  const limit = Number(query.limit ?? PAGE_ITEMS)
  return query.after === undefined ? { limit } : { limit, after: query.after }
}

function lastModified({ firstSeenMs }: FoundItem): Record<string, string> {
  return firstSeenMs === undefined ? {} : { 'last-modified': new Date(firstSeenMs).toUTCString() }
}

/** Returns the JSON text of an item. JSON content is inserted unchanged. */
function describe(item: StoredItem): string {
  const head = JSON.stringify({ id: item.id, media: item.media, firstSeen: new Date(item.firstSeenMs).toISOString() })
  const content = Buffer.from(item.content.buffer, item.content.byteOffset, item.content.byteLength)
  const isJson = item.media === 'application/json' && !item.id.startsWith('b')
  const tail = isJson ? `"content":${oneLine(content)}` : `"base64":"${content.toString('base64')}"`
  return `${head.slice(0, -1)},${tail}}`
}

/** Puts JSON on one line. JSON has line ends only between tokens: within strings they are escaped. */
function oneLine(json: Buffer): string {
  return json.toString('utf8').replaceAll(/[\r\n]/g, ' ')
}

async function exportItems(
  context: RouteContext,
  request: FastifyRequest<ListRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { clock, options, log, draining } = context
  const store = storeWith(context.store, 'list')
  const { collection } = request.params
  const headers = {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    // closes the connection, because an unread body could go on for ever
    ...(isUnread(request.raw) ? { connection: 'close' } : {}),
  }
  const isHead = request.method === 'HEAD'
  // HEAD has the status of GET but no body, so one row is enough
  let page = await store.list(collection, { ...pageOf(request.query), limit: isHead ? 1 : EXPORT_ITEMS })
  // a misspelt name must not look like an empty collection
  if (page.items.length === 0 && (await store.collection(collection)) === undefined)
    throw new IngotError('NOT_FOUND', `there is no collection "${collection}"`)
  if (isHead) {
    reply.hijack().raw.writeHead(200, headers).end()
    return reply
  }
  // HTTP/1.0 has no trailers
  if (request.raw.httpVersion !== '1.0') reply.raw.setHeader('trailer', EXPORT_COUNT)
  let items = 0
  reply.hijack()
  reply.raw.writeHead(200, headers)
  const writer = createResponseWriter(reply.raw, clock, options.readStallMs)
  try {
    for (;;) {
      await writer.write(page.items.map((item) => `${describe(item)}\n`).join(''))
      items += page.items.length
      if (page.next === undefined) break
      draining.throwIfAborted()
      page = await store.list(collection, { limit: EXPORT_ITEMS, after: page.next })
    }
    reply.raw.addTrailers({ [EXPORT_COUNT]: String(items) })
    reply.raw.end()
  } catch (failure) {
    const error = toIngotError(failure)
    const level = error.code === 'CLIENT_GONE' || error.code === 'SHUTTING_DOWN' ? 'info' : 'warn'
    log[level]({ code: error.code, err: failure }, 'export ended early')
    // the missing last chunk shows the client that the export is incomplete
    reply.raw.destroy()
  }
  return reply
}
