/** Routes that delete all items of a collection, and report the progress. */
import type { FastifyInstance } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { CollectionDeletion, DeleteCollectionOutcome } from '../../items/collection-deletion.ts'
import { storeWith } from '../../items/store.ts'
import { admit } from '../access.ts'
import type { RouteContext } from '../deps.ts'
import { preferredWaitMs } from '../prefer.ts'
import { RETRY_AFTER_S } from '../problem.ts'
import { CollectionParams, DeletionAnswer, DeletionParams, REFUSED } from './schemas.ts'

interface Route {
  Params: { collection: string }
}

interface DeletionRoute {
  Params: { collection: string; deletion: string }
}

/** Time from a request until the response does not wait for the purge any more, in milliseconds. */
const WAIT_MS = 3_000

/** Longest wait that a client can set, in milliseconds. A longer purge is followed by its progress. */
const MAX_WAIT_MS = 30_000

/** Time until the second look at the progress, and longest time between two looks, in milliseconds. */
const LOOK_MS = { first: 20, max: 500 }

const answer = (description: string) => ({ description, content: { 'application/json': { schema: DeletionAnswer } } })

export function deleteCollectionRoutes(app: FastifyInstance, context: RouteContext): void {
  deleteRoute(app, context)
  progressRoute(app, context)
}

function deleteRoute(app: FastifyInstance, context: RouteContext): void {
  const { authenticate, clock, ingest, purger } = context
  app.delete<Route>(
    '/v1/collections/:collection',
    {
      onRequest: admit(authenticate, 'delete'),
      schema: {
        operationId: 'deleteCollection',
        summary: 'Delete all items of a collection; its policy stays',
        params: CollectionParams,
        response: {
          200: answer('all items are deleted, and removed from the store'),
          202: answer('all items are deleted; the service is removing them from the store'),
          '4xx': REFUSED,
        },
      },
    },
    async (request, reply) => {
      const { collection } = request.params
      const untilMs = clock.monotonicMs() + Math.min(preferredWaitMs(request) ?? WAIT_MS, MAX_WAIT_MS)
      const removing = ingest.removeCollection(collection, clock.wallMs())
      // the purge runs while the request waits for the leases of other replicas
      const outcome = await removing.finally(() => purger.wake())
      const started = deletionOf(outcome, collection)
      if (outcome.kind === 'started') context.events.publish({ type: 'collection.deleted', collection })
      if (started === undefined) return reply.send({ collection, state: 'complete', deletedItems: 0 })
      const deletion = await untilEnded(context, started, untilMs)
      if (deletion.endedMs !== undefined) return reply.send(described(deletion))
      return reply
        .code(202)
        .headers({
          location: `/v1/collections/${collection}/deletions/${deletion.id}`,
          'retry-after': String(RETRY_AFTER_S),
        })
        .send(described(deletion))
    },
  )
}

function progressRoute(app: FastifyInstance, context: RouteContext): void {
  app.get<DeletionRoute>(
    '/v1/collections/:collection/deletions/:deletion',
    {
      onRequest: admit(context.authenticate, 'delete'),
      schema: {
        operationId: 'getDeletion',
        summary: 'Get the progress of a deletion',
        params: DeletionParams,
        response: { 200: answer('the deletion'), '4xx': REFUSED },
      },
    },
    async (request, reply) => {
      const { collection, deletion: id } = request.params
      const deletion = await storeWith(context.store, 'deletion').deletion(collection, id)
      if (deletion === undefined) {
        throw new IngotError('DELETION_NOT_FOUND', `collection "${collection}" has no deletion of that id`)
      }
      return reply.header('cache-control', 'no-store').send(described(deletion))
    },
  )
}

/** Returns the deletion to wait for. Returns `undefined` if nothing was left to delete. */
function deletionOf(outcome: DeleteCollectionOutcome, collection: string): CollectionDeletion | undefined {
  switch (outcome.kind) {
    case 'started':
    case 'joined':
      return outcome.deletion
    case 'empty':
      return undefined
    case 'unknown':
      throw new IngotError('NOT_FOUND', `there is no collection "${collection}"`)
    case 'busy':
      throw new IngotError('OVERLOADED', 'too many deletions of collections are running')
    default:
      return outcome satisfies never
  }
}

/** Waits for the end of the purge, until `untilMs` or the shutdown. Returns the latest state. */
async function untilEnded(
  { store, clock, draining }: RouteContext,
  started: CollectionDeletion,
  untilMs: number,
): Promise<CollectionDeletion> {
  const reader = storeWith(store, 'deletion')
  let latest = started
  for (let lookMs = LOOK_MS.first; ; lookMs = Math.min(LOOK_MS.max, lookMs * 2)) {
    latest = (await reader.deletion(started.collection, started.id)) ?? latest
    const leftMs = untilMs - clock.monotonicMs()
    if (latest.endedMs !== undefined || leftMs <= 0 || draining.aborted) return latest
    await clock.sleep(Math.min(lookMs, leftMs))
  }
}

function described({ id, collection, startedMs, endedMs, deletedItems }: CollectionDeletion): object {
  return {
    collection,
    deletion: id,
    state: endedMs === undefined ? 'running' : 'complete',
    deletedItems,
    started: new Date(startedMs).toISOString(),
    ...(endedMs === undefined ? {} : { ended: new Date(endedMs).toISOString() }),
  }
}
