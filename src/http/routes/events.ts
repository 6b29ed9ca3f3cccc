/**
 * Route with the events of this replica as server-sent events (WHATWG HTML, section 9.2). The events that are still kept
 * come first, so a client that connects again with Last-Event-ID misses none of them.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { IngotError, toIngotError } from '../../errors/error.ts'
import { admit } from '../access.ts'
import { createResponseWriter } from '../body/response-writer.ts'
import type { RouteContext } from '../deps.ts'
import type { EventsSince, PublishedEvent } from '../events/feed.ts'
import { EventsQuery, REFUSED } from './schemas.ts'

interface Route {
  Querystring: { follow?: 'true' | 'false' }
}

/** Maximum number of clients at a time. */
const MAX_CLIENTS = 32

/** Pause after which a comment is sent, in milliseconds, so that proxies do not close the connection. */
const HEARTBEAT_MS = 15_000

export function eventRoutes(app: FastifyInstance, context: RouteContext): void {
  let clients = 0
  app.get<Route>(
    '/v1/events',
    {
      onRequest: admit(context.authenticate, 'observe', '*'),
      schema: {
        operationId: 'getEvents',
        summary: 'Follow what happens in this replica, as server-sent events',
        querystring: EventsQuery,
        response: {
          200: { description: 'events', content: { 'text/event-stream': { schema: {} } } },
          '4xx': REFUSED,
        },
      },
    },
    async (request, reply) => {
      if (clients >= MAX_CLIENTS) throw new IngotError('OVERLOADED', `${clients} clients already follow the events`)
      clients++
      try {
        await follow(context, request, reply)
      } finally {
        clients--
      }
      return reply
    },
  )
}

async function follow(context: RouteContext, request: FastifyRequest<Route>, reply: FastifyReply): Promise<void> {
  const { raw } = reply.hijack()
  const { clock, options, log } = context
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    ...(context.leaving.aborted ? { connection: 'close' } : {}),
  })
  // the head tells a client at once that it is connected, before any event
  raw.flushHeaders()
  const writer = createResponseWriter(raw, clock, options.readStallMs)
  try {
    if (request.method !== 'HEAD') await send(context, request, raw, (text) => writer.write(text))
    raw.end()
  } catch (thrown) {
    log.debug({ code: toIngotError(thrown).code }, 'a client of the events is gone')
    raw.destroy()
  }
}

async function send(
  context: RouteContext,
  request: FastifyRequest<Route>,
  raw: ServerResponse,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const { events: feed, draining } = context
  let seq = positionOf(request.headers['last-event-id'], feed.run)
  for (;;) {
    const since = feed.since(seq)
    const last = since.events.at(-1)
    if (last !== undefined) {
      seq = last.seq
      await write(textOf(since, feed.run))
    } else if (request.query.follow === 'false' || draining.aborted) {
      return
    } else if ((await nextEvent(context, raw)) === 'silence') {
      await write(': no event\n\n')
    }
  }
}

/** Resolves after an event, when the service drains, when the client is gone, or after the time of a heartbeat. */
function nextEvent({ events, clock, draining }: RouteContext, raw: ServerResponse): Promise<'news' | 'silence'> {
  const { promise, resolve } = Promise.withResolvers<'news' | 'silence'>()
  const wake = (): void => resolve('news')
  const timer = clock.timer(HEARTBEAT_MS, () => resolve('silence'))
  const unsubscribe = events.subscribe(wake)
  // a write to a closed response rejects, so a heartbeat ends the loop
  const closed = (): void => resolve('silence')
  draining.addEventListener('abort', wake)
  raw.once('close', closed)
  return promise.finally(() => {
    timer.cancel()
    unsubscribe()
    draining.removeEventListener('abort', wake)
    raw.off('close', closed)
  })
}

/** Returns the number in `<run>.<number>`, or 0 for a position of another process. */
function positionOf(header: string | string[] | undefined, run: string): number {
  const [, ofRun, seq] = /^([0-9a-f]{8})\.(\d{1,15})$/.exec(String(header ?? '')) ?? []
  return ofRun === run ? Number(seq) : 0
}

function textOf({ events, missed }: EventsSince, run: string): string {
  const gap = missed === 0 ? '' : `event: missed\ndata: ${JSON.stringify({ missed })}\n\n`
  return gap + events.map((event) => eventText(event, run)).join('')
}

/** JSON has no line ends outside of strings, and escapes those within. */
function eventText({ seq, atMs, type, ...rest }: PublishedEvent, run: string): string {
  const data = JSON.stringify({ at: new Date(atMs).toISOString(), ...rest })
  return `id: ${run}.${seq}\nevent: ${type}\ndata: ${data}\n\n`
}
