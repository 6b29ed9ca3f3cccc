/**
 * The port that every lock service implements. One call is one attempt: waiting, retries, renewal, breakers and
 * queueing are policy and stand above it, in locker.ts, once for all backends.
 *
 * Rules that the contract suite holds every backend to:
 * - `tryAcquire` with a token that already holds the key is granted again with the same fence: a repeated command
 *   whose first reply was lost must not lock its own sender out.
 * - `extend` and `release` act only on the token's own lease, atomically.
 * - `extend` never shortens a lease.
 * - `release` of a token that holds no lease gives up the place that it may keep in a queue.
 * - A signal that aborts ends the call at once with `unavailable`; the command may still have landed, and the caller
 *   releases the token to be sure.
 * - Nothing throws but programming errors: outages are `unavailable`.
 */
import type { Clock } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { FenceStore } from './fencing/fence-store.ts'
import type { Attempt, Extension, Fencing, Inspection, Key, Release, Ticket, Token } from './lock.ts'

export interface Capabilities<F extends Fencing = Fencing> {
  /** How far the fences of its grants can be trusted. */
  readonly fencing: F
  /** Refusals carry tickets, and `wait` returns when the key may have become free. Default: false. */
  readonly wakes?: boolean
  /** Waiters in different processes are served in order of arrival. Default: false. */
  readonly fair?: boolean
  /** The longest lease that the backend grants, in milliseconds. A longer one is refused. Default: no limit. */
  readonly maxTtlMs?: number
}

export interface LeaseRequest {
  readonly key: Key
  readonly token: Token
  /** Length of the lease from now on, in milliseconds. */
  readonly ttlMs: number
  /** The caller means to wait: a refusal may keep a place for its token and carry a ticket. Default: false. */
  readonly willWait?: boolean
}

export interface Lease {
  readonly key: Key
  readonly token: Token
}

export interface LockBackend<F extends Fencing = Fencing> extends AsyncDisposable {
  /** For metrics and messages: `memory`, `redis`, `redlock`. */
  readonly name: string
  readonly capabilities: Capabilities<F>
  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<F>>
  /** Several keys in one exchange, answered in order; each stands for itself. Absent: the caller asks one by one. */
  tryAcquireMany?(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<F>[]>
  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension>
  release(lease: Lease, signal: AbortSignal): Promise<Release>
  inspect(key: Key, signal: AbortSignal): Promise<Inspection>
  /** Returns when the key may have become free, or the signal aborts. May return early, and may miss a release: bound it. */
  wait?(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
  /** Told when a store has refused a write with this fence as stale: the backend may have missed that it was overtaken. */
  fenceRefused?(key: Key, fence: bigint): void
}

/** What the registry hands to a backend that it opens. */
export interface BackendContext {
  readonly clock: Clock
  readonly log: Log
  /** Durable numbers, which make the fences of Redis rise across failovers and give Redlock fences at all. */
  readonly fences?: FenceStore
}

/** Connects, verifies that the service can serve, and resolves with its backend. Rejects with one clear `IngotError`. */
export type OpenBackend = (url: string, context: BackendContext, signal: AbortSignal) => Promise<LockBackend>

/** Names a backend's URL schemes. Its code is loaded when a URL first names it. */
export interface BackendRegistration {
  /** Without the colon, such as `redis`. */
  readonly schemes: readonly string[]
  readonly load: () => Promise<OpenBackend>
}
