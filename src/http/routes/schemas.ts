/** The schemas of requests and responses. They validate requests and make up the OpenAPI document. */
import { Type } from 'typebox'
import { ERRORS } from '../../errors/error.ts'
import { MAX_POINTER_LENGTH, MAX_POINTERS } from '../../identity/policy.ts'
import { COLLECTION_NAME_PATTERN } from '../../items/item.ts'

const Pointer = Type.String({
  pattern: '^(/([^~/]|~[01])*)+$',
  maxLength: MAX_POINTER_LENGTH,
  description: 'a JSON pointer (RFC 6901) other than that of the complete item',
})
const pointers = (what: string) => Type.Array(Pointer, { minItems: 1, maxItems: MAX_POINTERS, description: what })

/** identity/policy.ts parses the policy strictly, and explains what is wrong. */
export const Policy = Type.Union(
  [
    Type.Object(
      { kind: Type.Literal('json') },
      { additionalProperties: false, description: 'the JSON value (RFC 8785)' },
    ),
    Type.Object({ kind: Type.Literal('bytes') }, { additionalProperties: false, description: 'the bytes as sent' }),
    Type.Object(
      { kind: Type.Literal('fields'), include: pointers('the fields that make up the identity') },
      { additionalProperties: false },
    ),
    Type.Object(
      { kind: Type.Literal('fields'), exclude: pointers('the fields that do not count') },
      { additionalProperties: false },
    ),
  ],
  { title: 'Policy', description: 'Decides which items of a collection count as the same.' },
)

export const CollectionParams = Type.Object({
  collection: Type.String({ pattern: COLLECTION_NAME_PATTERN, description: '1 to 64 of a-z 0-9 . _ -' }),
})

export const ItemParams = Type.Object({
  ...CollectionParams.properties,
  id: Type.String({ description: 'the id from the response to the request that sent the item' }),
})

export const ListQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({ pattern: '^\\d{1,19}(\\.\\d{1,19})?$', description: '`next` of the previous page' }),
    ),
    limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$', description: '1 to 1000, default 100' })),
  },
  { additionalProperties: false },
)

const Id = Type.String({
  pattern: '^[a-z]\\d-[0-9a-f]{64}$',
  description: '<version>-<SHA-256 of the canonical content>',
})
const FirstSeen = Type.String({ format: 'date-time', description: 'when the item was committed' })
const Status = Type.Enum(['created', 'duplicate'], { type: 'string' })
const FoundBy = Type.Enum(['batch', 'inflight', 'memory', 'cache', 'store'], {
  type: 'string',
  description: 'the part that recognised the duplicate; absent for a created item',
})

export const ItemAnswer = Type.Object(
  { id: Id, status: Status, firstSeen: FirstSeen, foundBy: Type.Optional(FoundBy) },
  { title: 'ItemAnswer' },
)

const LineError = Type.Object({
  code: Type.Enum(Object.keys(ERRORS), { type: 'string' }),
  detail: Type.String(),
})

export const BatchAnswer = Type.Object(
  {
    errors: Type.Boolean({ description: 'true if any item failed' }),
    counts: Type.Object({ created: Type.Integer(), duplicate: Type.Integer(), failed: Type.Integer() }),
    items: Type.Array(
      Type.Union([
        Type.Object({ index: Type.Integer(), ...ItemAnswer.properties }),
        Type.Object({ index: Type.Integer(), status: Type.Literal('failed'), error: LineError }),
      ]),
      { description: 'in the order sent' },
    ),
  },
  { title: 'BatchAnswer' },
)

export const StreamAnswer = Type.Union(
  [
    Type.Object({ line: Type.Integer({ description: 'physical line, from 1' }), id: Id, status: Status }),
    Type.Object({ line: Type.Integer(), error: LineError }),
    Type.Object(
      {
        summary: Type.Object({
          lines: Type.Integer(),
          created: Type.Integer(),
          duplicate: Type.Integer(),
          failed: Type.Integer(),
        }),
      },
      { description: 'the last line of a complete stream' },
    ),
    Type.Object(
      { error: Type.Object({ code: Type.String(), detail: Type.String(), nextLine: Type.Integer() }) },
      { description: 'the last line of a stream that ended early: every line before nextLine was answered' },
    ),
  ],
  { title: 'StreamAnswer', description: 'one line of the answer to a stream' },
)

export const StoredItem = Type.Object(
  {
    id: Id,
    media: Type.String(),
    firstSeen: FirstSeen,
    content: Type.Optional(Type.Unknown({ description: 'of an item in JSON' })),
    base64: Type.Optional(Type.String({ description: 'of any other item' })),
  },
  { title: 'StoredItem' },
)

export const PageAnswer = Type.Object(
  { items: Type.Array(StoredItem), next: Type.Optional(Type.String({ description: 'absent on the last page' })) },
  { title: 'Page' },
)

export const CollectionAnswer = Type.Object({ collection: Type.String(), policy: Policy }, { title: 'Collection' })

export const CollectionsQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: COLLECTION_NAME_PATTERN, description: '`next` of the previous page' })),
    limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d?|100)$', description: '1 to 100, default 100' })),
  },
  { additionalProperties: false },
)

export const CollectionsAnswer = Type.Object(
  {
    collections: Type.Array(
      Type.Object({
        ...CollectionAnswer.properties,
        estimatedItems: Type.Optional(
          Type.Integer({
            minimum: 0,
            description:
              'number of items: exact below 256, otherwise an estimate with a standard error of 6 %; absent if the store cannot tell',
          }),
        ),
      }),
      { description: 'in the order of their names' },
    ),
    next: Type.Optional(Type.String({ description: 'absent on the last page' })),
  },
  { title: 'Collections' },
)

export const LookupAnswer = Type.Object(
  {
    id: Id,
    policy: Policy,
    canonical: Type.Optional(
      Type.String({ description: 'text that identifies the content; absent if its bytes identify it' }),
    ),
    stored: Type.Boolean(),
    firstSeen: Type.Optional(FirstSeen),
  },
  { title: 'Lookup' },
)

export const EventsQuery = Type.Object(
  {
    follow: Type.Optional(
      Type.Enum(['true', 'false'], {
        type: 'string',
        description: '`false`: the response ends after the kept events. Default: true',
      }),
    ),
  },
  { additionalProperties: false },
)

const Milliseconds = Type.Integer({ minimum: 0 })

const ShownLocks = Type.Object({
  heldCount: Type.Integer(),
  waitingCount: Type.Integer(),
  held: Type.Array(
    Type.Object({
      key: Type.String(),
      ageMs: Milliseconds,
      ttlMs: Type.Number(),
      remainingMs: Milliseconds,
      fence: Type.Optional(Type.String()),
    }),
    { description: 'the oldest 100' },
  ),
  waiting: Type.Array(Type.Object({ keys: Type.Array(Type.String()), ageMs: Milliseconds }), {
    description: 'the oldest 100',
  }),
})

export const StatusAnswer = Type.Object(
  {
    version: Type.String(),
    started: Type.String({ format: 'date-time' }),
    state: Type.Enum(['serving', 'leaving', 'draining'], { type: 'string' }),
    store: Type.Object({
      kind: Type.String(),
      available: Type.Boolean({ description: 'true if the store would accept a write now' }),
      epoch: Type.Optional(Type.String()),
      pool: Type.Optional(
        Type.Object(
          { idle: Type.Integer(), used: Type.Integer(), limit: Type.Integer(), waiting: Type.Integer() },
          { description: 'connections to a shared store, and the calls that wait for one' },
        ),
      ),
    }),
    pending: Type.Object({
      items: Type.Integer(),
      maxItems: Type.Integer(),
      bytes: Type.Integer(),
      maxBytes: Type.Integer(),
      receivingBytes: Type.Integer(),
      maxReceivingBytes: Type.Integer(),
    }),
    breakers: Type.Record(Type.String(), Type.Enum(['closed', 'half-open', 'open'], { type: 'string' }), {
      description: 'by what the breaker protects: `locks`, `cache`',
    }),
    locks: Type.Optional(ShownLocks),
    cache: Type.Object({
      shared: Type.Boolean({ description: 'true if INGOT_CACHE_URL is set' }),
      recentItems: Type.Integer({ description: 'number of committed ids that this replica may remember' }),
    }),
  },
  { title: 'Status' },
)

export const DeletionParams = Type.Object({
  ...CollectionParams.properties,
  deletion: Type.String({ description: '`deletion` of the response to the request that deleted the collection' }),
})

export const DeletionAnswer = Type.Object(
  {
    collection: Type.String(),
    deletion: Type.Optional(Type.String({ description: 'id of the deletion; absent if there was nothing to delete' })),
    state: Type.Enum(['running', 'complete'], {
      type: 'string',
      description: 'in both states no item is left for clients; `complete`: all are removed from the store',
    }),
    deletedItems: Type.Integer({ description: 'items that were removed from the store so far' }),
    started: Type.Optional(Type.String({ format: 'date-time' })),
    ended: Type.Optional(Type.String({ format: 'date-time' })),
  },
  { title: 'Deletion' },
)

export const ProblemAnswer = Type.Object(
  {
    type: Type.String(),
    title: Type.String({ description: 'what to do' }),
    status: Type.Integer(),
    code: Type.Enum(Object.keys(ERRORS), { type: 'string' }),
    detail: Type.String({ description: 'what is wrong, and where' }),
    traceId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  },
  { title: 'Problem', description: 'RFC 9457; further members name positions and limits' },
)

/** Response content that documents the problem bodies of a route. */
export const PROBLEM_CONTENT = { 'application/problem+json': { schema: ProblemAnswer } }

export const REFUSED = { description: 'refused', content: PROBLEM_CONTENT }
