/**
 * The port that every lock backend implements. One call is one attempt. Waiting, retries, renewal, breakers and queueing
 * are policy, which locker.ts implements once for all backends.
 *
 * The contract suite checks these rules for every backend:
 * - `tryAcquire` with a token that already holds the key is granted again with the same fence. A sender whose
 *   first reply was lost must not be blocked by its own lease.
 * - `extend` and `release` act only on the token's own lease, atomically.
 * - `extend` never shortens a lease.
 * - `release` of a token that holds no lease removes its wait entry, if it has one.
 * - An aborted signal ends the call at once with `unavailable`. The command may still have taken effect, so the caller
 *   releases the token.
 * - Only programming errors throw. Outages are `unavailable`.
 */
import type { Clock } from '../std/clock.ts'
import type { UrlForm } from '../std/url-form.ts'
import type { Log } from '../telemetry/log.ts'
import type { FenceStore } from './fencing/fence-store.ts'
import type { Attempt, Extension, Fencing, Inspection, Key, Release, Ticket, Token } from './lock.ts'

export interface Capabilities<F extends Fencing = Fencing> {
  /** When the fences of its grants rise. */
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
  /** The caller intends to wait, so a refusal may add a wait entry for its token and carry a ticket. Default: false. */
  readonly willWait?: boolean
}

export interface Lease {
  readonly key: Key
  readonly token: Token
}

export interface LockBackend<F extends Fencing = Fencing> extends AsyncDisposable {
  /** For metrics and messages, such as `redis` or `postgres`. */
  readonly name: string
  readonly capabilities: Capabilities<F>
  tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<F>>
  /** Tries several keys in one exchange and returns one outcome each, in order. Absent: the caller tries one by one. */
  tryAcquireMany?(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<F>[]>
  extend(request: LeaseRequest, signal: AbortSignal): Promise<Extension>
  release(lease: Lease, signal: AbortSignal): Promise<Release>
  inspect(key: Key, signal: AbortSignal): Promise<Inspection>
  /** Returns when the key may have become free, or the signal aborts. May return early, and may miss a release: bound it. */
  wait?(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
  /** Reports that a store refused a write with this fence as stale. Another server may have become primary unnoticed. */
  fenceRefused?(key: Key, fence: bigint): void
}

/** What the registry passes to a backend that it opens. */
export interface BackendContext {
  readonly clock: Clock
  readonly log: Log
  /**
   * Makes the fences of Redis rise across failovers. Redlock has no fences without it. The other services use it so that
   * their fences exceed those of the lock service before them. Default: none.
   */
  readonly fences?: FenceStore
  /** The URL of the same database without its connection pooler. Waiters are woken through it. Default: the URL. */
  readonly directUrl?: string
}

/** Connects, verifies that the service can serve, and resolves with its backend. Rejects with one clear `IngotError`. */
export type OpenBackend = (url: string, context: BackendContext, signal: AbortSignal) => Promise<LockBackend>

/** Declares a backend's URLs. Its code is loaded when a URL first names it. */
export interface BackendRegistration extends UrlForm {
  readonly load: () => Promise<OpenBackend>
  /** If true, other processes do not see its locks. Default: false. */
  readonly oneProcess?: true
}
