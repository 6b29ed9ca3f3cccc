/** Receives bodies as opaque bytes, within the limits of receive.ts. The framework parses nothing. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { IngotError } from '../../errors/error.ts'
import type { RouteContext } from '../deps.ts'
import { isUnread } from './linger.ts'
import { receiveBody } from './receive.ts'
import type { ReceiveLease } from './receive-budget.ts'

/** Media types of bodies that are received completely before they are processed. */
const COMPLETE_MEDIA: ReadonlySet<string> = new Set(['application/json', 'application/octet-stream'])

/** Media types with one item per line. Items are processed while the body is read. */
const LINE_MEDIA: ReadonlySet<string> = new Set(['application/x-ndjson', 'application/jsonl'])

export function readBodies(app: FastifyInstance, context: RouteContext): void {
  const leases = new WeakMap<IncomingMessage, ReceiveLease>()
  app.removeAllContentTypeParsers()
  // without a listener, Node sends 100 Continue before any check of the request
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response))
  app.addHook('preParsing', async (request, reply) => {
    if (COMPLETE_MEDIA.has(mediaOf(request))) {
      refuseAnnounced(request)
      const lease = context.receiving.open()
      leases.set(request.raw, lease)
      reply.raw.once('close', () => lease.close())
    }
    if (request.headers.expect?.toLowerCase() === '100-continue' && isUnread(request.raw)) reply.raw.writeContinue()
  })
  app.addContentTypeParser([...COMPLETE_MEDIA], (request: FastifyRequest, payload: IncomingMessage) => {
    const { bodyIdleMs: idleMs, bodyTimeMs: totalMs } = context.options
    const { clock } = context
    const lease = leases.get(request.raw)
    if (lease === undefined) throw new IngotError('INTERNAL', 'the body has no lease')
    const contentLength = request.headers['content-length']
    return receiveBody(payload, { clock, lease, maxBytes: limitOf(request), contentLength, idleMs, totalMs })
  })
  app.addContentTypeParser([...LINE_MEDIA], (_request, payload, done) => done(null, payload))
}

/** Refuses a body whose announced length is too large, before the client is asked to send it. */
function refuseAnnounced(request: FastifyRequest): void {
  const limit = limitOf(request)
  if (Number(request.headers['content-length'] ?? 0) > limit) {
    throw new IngotError('CONTENT_TOO_LARGE', `the body has more than ${limit} bytes`, { facts: { limit } })
  }
}

function limitOf(request: FastifyRequest): number {
  return request.routeOptions.bodyLimit
}

/** Returns the media type without its parameters. */
export function mediaOf(request: FastifyRequest): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
