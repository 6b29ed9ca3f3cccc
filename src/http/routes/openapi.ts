/**
 * Adds to the OpenAPI document what the schemas of the routes lack: tags, header fields, bodies, failures and examples.
 * The routes validate; this part only documents. So the schema of a body may be strict here, although the framework
 * sees the body as opaque bytes.
 */
import type { FastifyDynamicSwaggerOptions, SwaggerTransformObject } from '@fastify/swagger'
import { type TSchema, Type } from 'typebox'
import { PROBLEM_CONTENT } from './schemas.ts'

type Transform = Parameters<SwaggerTransformObject>[0]

interface Operation {
  readonly tag: 'items' | 'collections' | 'operation'
  readonly operationId?: string
  readonly summary?: string
  /** Request header fields, by name. */
  readonly headers?: Readonly<Record<string, TSchema>>
  readonly requestBody?: object
  /** Response header fields, by name and status. */
  readonly responseHeaders?: Readonly<Record<string, Readonly<Record<string, object>>>>
}

const field = (description: string, schema: object = { type: 'string' }) => ({ description, schema })

const RETRY_AFTER = field('seconds to wait before sending the same request again; present if it may then succeed', {
  type: 'integer',
  minimum: 1,
})
const LOCATION = field('path of the new item', { type: 'string', format: 'uri-reference' })
const REPLAYED = field('`true` if this is the response that was kept under the Idempotency-Key', { const: 'true' })

const LAST_EVENT = Type.String({
  description: '`id` of the last event that the client got. Default: the response begins with all kept events.',
  examples: ['1f0c99aa.17'],
})
const NO_STORE = field('always `no-store`', { const: 'no-store' })

const KEY = Type.String({
  pattern: '^[!-~]{1,255}$',
  description:
    'Name of the request, chosen by the client. A repeated request gets the response of the first one, even if an item ' +
    'that it names was deleted since.',
  examples: ['order-4711-attempt'],
})
const PREFER = Type.String({
  description:
    '`wait=N`: longest time to wait for the commit, in seconds. `return=minimal`: only the summary of a stream.',
  examples: ['wait=10'],
})
const WAIT = Type.String({
  description: '`wait=N`: longest time to wait for the end of the deletion, in seconds. Default: 3, at most 30.',
  examples: ['wait=0'],
})

const ITEM_EXAMPLE = { order: 1, total: 9.5 }

const ITEM_BODY = {
  required: true,
  description: 'One item, or one item per line with `application/x-ndjson`.',
  content: {
    'application/json': { schema: { description: 'any JSON value (RFC 8259)' }, example: ITEM_EXAMPLE },
    'application/octet-stream': { schema: { type: 'string', format: 'binary', description: 'any bytes' } },
    'application/x-ndjson': {
      schema: { description: 'a JSON value on each line; empty lines are skipped' },
      example: '{"order":1}\n{"order":2}\n',
    },
  },
}

const LOOKUP_BODY = {
  required: true,
  description: 'One item. It is not saved.',
  content: {
    'application/json': ITEM_BODY.content['application/json'],
    'application/octet-stream': ITEM_BODY.content['application/octet-stream'],
  },
}

const BATCH_BODY = {
  required: true,
  description: 'The items. The response has one entry per item in the same order, and each item fails alone.',
  content: {
    'application/json': {
      schema: { type: 'array', items: { description: 'any JSON value (RFC 8259)' } },
      example: [ITEM_EXAMPLE, { order: 2, total: 1 }],
    },
  },
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'get /livez': { tag: 'operation', operationId: 'isAlive', summary: 'Check that the process runs' },
  'get /readyz': {
    tag: 'operation',
    operationId: 'isReady',
    summary: 'Check that the service takes requests and its store is available',
  },
  'get /metrics': { tag: 'operation', operationId: 'getMetrics', summary: 'Metrics for Prometheus' },
  'get /v1/status': { tag: 'operation', responseHeaders: { '200': { 'Cache-Control': NO_STORE } } },
  'get /v1/events': {
    tag: 'operation',
    headers: { 'Last-Event-ID': LAST_EVENT },
    responseHeaders: { '200': { 'Cache-Control': NO_STORE } },
  },
  'get /v1/collections': { tag: 'collections', responseHeaders: { '200': { 'Cache-Control': NO_STORE } } },
  'post /v1/collections/{collection}/lookup': {
    tag: 'items',
    requestBody: LOOKUP_BODY,
    responseHeaders: { '200': { 'Cache-Control': NO_STORE } },
  },
  'put /v1/collections/{collection}': { tag: 'collections' },
  'get /v1/collections/{collection}': { tag: 'collections' },
  'delete /v1/collections/{collection}': {
    tag: 'collections',
    headers: { Prefer: WAIT },
    responseHeaders: {
      '202': {
        Location: field('path of the progress', { type: 'string', format: 'uri-reference' }),
        'Retry-After': field('seconds to wait before the progress is read', { type: 'integer', minimum: 1 }),
      },
    },
  },
  'get /v1/collections/{collection}/deletions/{deletion}': {
    tag: 'collections',
    responseHeaders: { '200': { 'Cache-Control': NO_STORE } },
  },
  'get /v1/collections/{collection}/items/{id}': {
    tag: 'items',
    responseHeaders: {
      '200': {
        ETag: field('the id of the item in quotes'),
        'Last-Modified': field('when the item was committed, if the store records it'),
        'X-Content-Type-Options': field('always `nosniff`', { const: 'nosniff' }),
      },
    },
  },
  'delete /v1/collections/{collection}/items/{id}': { tag: 'items' },
  'get /v1/collections/{collection}/items': { tag: 'items' },
  'post /v1/collections/{collection}/items': {
    tag: 'items',
    headers: { 'Idempotency-Key': KEY, Prefer: PREFER },
    requestBody: ITEM_BODY,
    responseHeaders: {
      '200': { 'Idempotency-Replayed': REPLAYED },
      '201': { Location: LOCATION, 'Idempotency-Replayed': REPLAYED },
    },
  },
  'post /v1/collections/{collection}/items:batch': {
    tag: 'items',
    headers: { 'Idempotency-Key': KEY, Prefer: PREFER },
    requestBody: BATCH_BODY,
    responseHeaders: { '200': { 'Idempotency-Replayed': REPLAYED } },
  },
}

const FAILURES = {
  '4XX': { description: 'The request is refused. `title` says what to do.', content: PROBLEM_CONTENT },
  '5XX': {
    description: 'The service, its store or its locks failed. Nothing was acknowledged.',
    content: PROBLEM_CONTENT,
  },
}

export const OPENAPI: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.1',
    info: {
      title: 'ingot',
      version: '1',
      summary: 'Stores every distinct item exactly once.',
      description:
        'Saves every distinct item of a collection exactly once. The id of an item is derived from its content.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'the service that serves this document' }],
    tags: [
      { name: 'items', description: 'Save items, read them back, delete them' },
      { name: 'collections', description: 'The identity policy of a collection: which items count as the same' },
      { name: 'operation', description: 'For the operator: health and metrics' },
    ],
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    security: [{ token: [] }],
  },
  transformObject: (document) =>
    'openapiObject' in document ? complete(document.openapiObject) : document.swaggerObject,
}

type Document = Extract<Transform, { openapiObject: unknown }>['openapiObject']

/** Completes the document. Throws RangeError for an operation that OPERATIONS lacks. */
function complete(document: Document): Document {
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods ?? {})) {
      const more = OPERATIONS[`${method} ${path}`]
      if (more === undefined) throw new RangeError(`${method} ${path} is not described`)
      if (typeof operation === 'object' && !Array.isArray(operation))
        Object.assign(operation, completed(operation, more))
    }
  }
  return document
}

interface Known {
  readonly parameters?: readonly object[]
  readonly responses?: Readonly<Record<string, object>>
}

function completed(known: Known, more: Operation): object {
  const { tag, headers = {}, responseHeaders = {}, requestBody, operationId, summary } = more
  const responses = { ...known.responses, ...FAILURES }
  const parameters = Object.entries(headers).map(([name, schema]) => {
    const { description } = { description: '', ...schema }
    return { in: 'header', name, required: false, description, schema }
  })
  return {
    tags: [tag],
    ...(operationId === undefined ? {} : { operationId }),
    ...(summary === undefined ? {} : { summary }),
    ...(requestBody === undefined ? {} : { requestBody }),
    parameters: [...(known.parameters ?? []), ...parameters],
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, response]) => {
        const retry = /^[45]XX$/.test(status) ? { 'Retry-After': RETRY_AFTER } : {}
        const fields = { ...retry, ...responseHeaders[status] }
        return [status, Object.keys(fields).length === 0 ? response : { ...response, headers: fields }]
      }),
    ),
  }
}
