/**
 * Authenticates and authorizes requests. Tokens are known only by their hash. A caller is a name with rights per
 * collection.
 */
import { createHash } from 'node:crypto'
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { IngotError } from '../errors/error.ts'

export type Right = 'read' | 'write' | 'delete' | 'observe'

export interface Caller {
  /** Also scopes the caller's Idempotency-Keys. */
  readonly name: string
  /** Throws IngotError TOKEN_REFUSED if the caller lacks the right. */
  require(right: Right, collection: string): void
}

/** Returns the caller. Throws IngotError TOKEN_MISSING if the header has no known token. */
export type Authenticate = (authorization: string | undefined) => Caller

export interface TokenRights {
  readonly name: string
  /** SHA-256 of the token in hex. */
  readonly sha256: string
  /** Rights by collection. `*` stands for every collection. */
  readonly collections: Readonly<Record<string, readonly Right[]>>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `admit` before the body is read. */
    caller: Caller | null
  }
}

/**
 * Requires the right before any of the body is read. Default of `collection`: the one in the path. `*` requires the right
 * for every collection.
 */
export function admit(authenticate: Authenticate, right: Right, collection?: '*'): onRequestAsyncHookHandler {
  return async (request) => {
    const caller = authenticate(request.headers.authorization)
    caller.require(right, collection ?? collectionOf(request.params))
    request.caller = caller
  }
}

function collectionOf(params: unknown): string {
  return typeof params === 'object' && params !== null && 'collection' in params ? String(params.collection) : ''
}

/** Returns the caller that `admit` found for the request. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new IngotError('INTERNAL', 'the route admits nobody')
  return request.caller
}

const EVERYBODY: Caller = { name: 'anonymous', require: () => {} }

/**
 * Admits every request. For a service that only its own machine can reach, or whose operator has set INGOT_ACCESS=off.
 */
export const openAccess: Authenticate = () => EVERYBODY

export function tokenAccess(tokens: readonly TokenRights[]): Authenticate {
  const callers = new Map(tokens.map((token) => [token.sha256, tokenCaller(token)]))
  return (authorization) => {
    const [, token] = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '') ?? []
    if (token === undefined) throw new IngotError('TOKEN_MISSING', 'the request has no bearer token')
    // a lookup by hash: its duration does not depend on how much of a token is correct
    const caller = callers.get(createHash('sha256').update(token).digest('hex'))
    if (caller === undefined) throw new IngotError('TOKEN_MISSING', 'the bearer token is not known here')
    return caller
  }
}

function tokenCaller(token: TokenRights): Caller {
  const rights = new Map(Object.entries(token.collections))
  const everywhere = rights.get('*') ?? []
  return {
    name: token.name,
    require(right, collection) {
      if (everywhere.includes(right) || rights.get(collection)?.includes(right) === true) return
      const what = collection === '*' ? 'every collection ("*")' : `collection "${collection}"`
      throw new IngotError('TOKEN_REFUSED', `token "${token.name}" may not ${right} ${what}`)
    },
  }
}
