/** How bodies get in: as opaque bytes, within the limits of receive.ts. The framework parses nothing. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { RouteContext } from '../deps.ts'
import { isUnread } from './linger.ts'
import { receiveBody } from './receive.ts'
import type { ReceiveLease } from './receive-budget.ts'

/** Bodies that are read to their end before anything is done with them. */
const WHOLE_MEDIA: ReadonlySet<string> = new Set(['application/json', 'application/octet-stream'])

/** An item a line, answered while it is read. */
const LINE_MEDIA: ReadonlySet<string> = new Set(['application/x-ndjson', 'application/jsonl'])

export function readBodies(app: FastifyInstance, context: RouteContext): void {
  const leases = new WeakMap<IncomingMessage, ReceiveLease>()
  app.removeAllContentTypeParsers()
  // without a listener Node tells the client to go on before anybody has looked at the request
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
  app.addHook('preParsing', async (request, reply) => {
    if (WHOLE_MEDIA.has(mediaOf(request))) {
      refuseAnnounced(request)
      const lease = context.receiving.open()
      leases.set(request.raw, lease)
      reply.raw.once('close', () => lease.close())
    }
    if (request.headers.expect?.toLowerCase() === '100-continue' && isUnread(request.raw)) reply.raw.writeContinue()
  })
  app.addContentTypeParser([...WHOLE_MEDIA], (request: FastifyRequest, payload: IncomingMessage) => {
    const { bodyIdleMs: idleMs, bodyTimeMs: totalMs } = context.options
    const { clock } = context
    const lease = leases.get(request.raw)
    if (lease === undefined) throw new IngotError('INTERNAL', 'the body has no lease')
    const contentLength = request.headers['content-length']
    return receiveBody(payload, { clock, lease, maxBytes: limitOf(request), contentLength, idleMs, totalMs })
  })
  app.addContentTypeParser([...LINE_MEDIA], (_request, payload, done) => done(null, payload))
}

/** A body that is announced as too large is refused before the client is told to send it. */
function refuseAnnounced(request: FastifyRequest): void {
  const limit = limitOf(request)
  if (Number(request.headers['content-length'] ?? 0) > limit) {
    throw new IngotError('CONTENT_TOO_LARGE', `the body has more than ${limit} bytes`, { facts: { limit } })
  }
}

function limitOf(request: FastifyRequest): number {
  return request.routeOptions.bodyLimit
}

/** The media type without its parameters. */
export function mediaOf(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
