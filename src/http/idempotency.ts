/**
 * The Idempotency-Key header: a name that a client gives to a request. Source of the rules:
 * draft-ietf-httpapi-idempotency- key-header-07. No standard defines a marker for repeated responses;
 * `Idempotency-Replayed` follows common practice.
 */
import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { IngotError } from '../errors/error.ts'
import type { KeyedRequest } from '../items/pipeline/ingest.ts'
import type { Caller } from './access.ts'

const KEY = /^[!-~]{1,255}$/

export function idempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new IngotError('IDEMPOTENCY_KEY_INVALID', 'the Idempotency-Key is not 1 to 255 visible ASCII characters')
  }
  return key
}

export interface KeyedRequestOptions {
  readonly kind: KeyedRequest['kind']
  readonly body: Uint8Array
  readonly expiresAtMs: number
}

/**
 * Returns the identity of a request: two requests are the same if caller, method, path, media type and body are equal.
 */
export function keyedRequestOf(
  request: FastifyRequest,
  caller: Caller,
  key: string,
  options: KeyedRequestOptions,
): KeyedRequest {
  const { kind, body, expiresAtMs } = options
  const head = [request.method, request.url, request.headers['content-type'] ?? ''].join('\n')
  const fingerprint = createHash('sha256').update(`${head}\n\n`).update(body).digest('hex')
  return { kind, scope: caller.name, key, fingerprint, expiresAtMs }
}
