/** Who may do what. A token is known by its hash alone; a caller is a name with rights per collection. */
import { createHash } from 'node:crypto'
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import { IngotError } from '../errors/error.ts'

export type Right = 'read' | 'write' | 'delete'

export interface Caller {
  /** Also the scope of the caller's Idempotency-Keys. */
  readonly name: string
  /** Throws IngotError TOKEN_REFUSED without the right. */
  require(right: Right, collection: string): void
}

/** Throws IngotError TOKEN_MISSING or TOKEN_REFUSED. */
export type Authenticate = (authorization: string | undefined) => Caller

export interface TokenRights {
  readonly name: string
  /** SHA-256 of the token in hex. */
  readonly sha256: string
  /** Rights by collection; `*` is every one. */
  readonly collections: Readonly<Record<string, readonly Right[]>>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `admit` before the body is read. */
    caller: Caller | null
  }
}

/** Lets in who has the right on the collection in the path, before anything of the body is read. */
export function admit(authenticate: Authenticate, right: Right): onRequestAsyncHookHandler {
  return async (request) => {
    const caller = authenticate(request.headers.authorization)
    caller.require(right, collectionOf(request.params))
    request.caller = caller
  }
}

function collectionOf(params: unknown): string {
  return typeof params === 'object' && params !== null && 'collection' in params ? String(params.collection) : ''
}

/** Who sent a request that `admit` has let in. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new IngotError('INTERNAL', 'the route admits nobody')
  return request.caller
}

const EVERYBODY: Caller = { name: 'anonymous', require: () => {} }

/** For a service that only its own machine can reach, or whose operator has switched access off by name. */
export const openAccess: Authenticate = () => EVERYBODY

export function tokenAccess(tokens: readonly TokenRights[]): Authenticate {
  const callers = new Map(tokens.map((token) => [token.sha256, tokenCaller(token)]))
  return (authorization) => {
    const [, token] = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '') ?? []
    if (token === undefined) throw new IngotError('TOKEN_MISSING', 'the request has no bearer token')
    // looked up by hash: how long that takes says nothing about how much of a token was right
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
      throw new IngotError('TOKEN_REFUSED', `token "${token.name}" may not ${right} collection "${collection}"`)
    },
  }
}
