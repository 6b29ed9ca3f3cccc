/** Opens the lock service of a command, and waits for the lock. */
import { toIngotError } from '../../errors/error.ts'
import type { LockBackend } from '../../lock/backend.ts'
import type { Grant } from '../../lock/engine/grant.ts'
import { openFenceStore } from '../../lock/fencing/registry.ts'
import type { Key } from '../../lock/lock.ts'
import { LockError, outageError } from '../../lock/lock-error.ts'
import type { Locker } from '../../lock/locker.ts'
import { callTimeUp } from '../../lock/outage.ts'
import { openLockBackend } from '../../lock/registry.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import { defined } from '../../std/defined.ts'
import { fullJitter, retry } from '../../std/retry.ts'
import type { Scope } from '../../std/scope.ts'
import type { Wait } from './terms.ts'

/** URLs of the lock service and, if set, of its fence store and of its database without a pooler. */
export interface LockService {
  readonly url: string
  readonly fencesUrl: string | undefined
  readonly directUrl: string | undefined
}

/** What waits share. */
export interface WaitDeps {
  readonly clock: Clock
  /** Ends every wait with its reason. */
  readonly signal: AbortSignal
  /** Receives the message of the first failure of an outage. */
  readonly onOutage: (message: string) => void
}

/** A wait with its end. */
export interface RunningWait {
  readonly kind: Wait['kind']
  /** Monotonic milliseconds. */
  readonly endMs: number
}

/** Longest time of one attempt to connect, in milliseconds. It may exceed the wait, so that a busy machine is no outage. */
const OPEN_MS = 5_000
const PAUSES = { baseMs: 250, maxMs: 2_000 }
/** Longest wait of one acquisition, in milliseconds. A longer one is continued by the next. */
const SLICE_MS = 86_400_000

export function beginWait(wait: Wait, clock: Clock): RunningWait {
  return { kind: wait.kind, endMs: wait.kind === 'once' ? 0 : clock.monotonicMs() + wait.ms }
}

/** Connects. Retries an outage until the wait ends. The scope closes the connection. */
export function openService(
  scope: Scope,
  service: LockService,
  wait: RunningWait,
  deps: WaitDeps,
): Promise<LockBackend> {
  const { clock, signal, onOutage } = deps
  const leftMs = (): number => wait.endMs - clock.monotonicMs()
  return retry(() => openOnce(scope, service, deps), {
    delays: fullJitter(PAUSES),
    clock,
    signal,
    retryable(thrown) {
      const { retryable, message } = toIngotError(thrown)
      if (!retryable || leftMs() <= 0) return false
      onOutage(message)
      return true
    },
  })
}

async function openOnce(scope: Scope, service: LockService, { clock, signal }: WaitDeps) {
  using deadline = createDeadline({ clock, ms: OPEN_MS, timeoutError: callTimeUp, parent: signal, keepsAlive: true })
  const fences = service.fencesUrl === undefined ? undefined : await openFenceStore(service.fencesUrl, deadline.signal)
  try {
    const context = defined({ clock, fences, directUrl: service.directUrl })
    const backend = await openLockBackend(service.url, context, deadline.signal)
    if (fences !== undefined) scope.defer(() => fences[Symbol.asyncDispose]())
    scope.defer(() => backend[Symbol.asyncDispose]())
    return backend
  } catch (thrown) {
    await fences?.[Symbol.asyncDispose]()
    throw thrown
  }
}

export interface Wanted {
  readonly key: Key
  readonly ttlMs: number
}

/** Acquires the lock. Rejects with the reason of the signal, or with a `LockError` when the wait has ended. */
export async function acquireLock(
  locker: Locker,
  { key, ttlMs }: Wanted,
  wait: RunningWait,
  { clock, signal }: WaitDeps,
): Promise<Grant> {
  // the command decides how long it runs
  const terms = { ttlMs, maxHoldMs: Number.POSITIVE_INFINITY, signal }
  const leftMs = (): number => wait.endMs - clock.monotonicMs()
  while (leftMs() > 0) {
    try {
      return await locker.acquire(key, { ...terms, waitMs: Math.min(leftMs(), SLICE_MS) })
    } catch (thrown) {
      if (isFinal(thrown, leftMs())) throw thrown
    }
  }
  // `once`, and waits that ended before the service had responded
  return tryOnce(locker, key, terms)
}

function isFinal(thrown: unknown, leftMs: number): boolean {
  if (!(thrown instanceof LockError) || !thrown.retryable) return true
  return leftMs <= 0 && thrown.reason !== 'unanswered'
}

async function tryOnce(locker: Locker, key: Key, terms: Parameters<Locker['tryAcquire']>[1]): Promise<Grant> {
  const outcome = await locker.tryAcquire(key, terms)
  if (outcome.kind === 'granted') return outcome.grant
  terms?.signal?.throwIfAborted()
  if (outcome.kind === 'unavailable') throw outageError(outcome.error)
  throw new LockError('held', 'LOCK_TIMEOUT', `the lock "${key}" is held by another`)
}
