/** Decorators for backends. A method that the inner backend lacks stays absent. */

import { IngotError } from '../../errors/error.ts'
import { type Breaker, BreakerOpenError } from '../../std/breaker.ts'
import type { Clock } from '../../std/clock.ts'
import type { LockBackend } from '../backend.ts'
import type { Attempt, Fencing, Unavailable } from '../lock.ts'
import { type Call, type LockMeasures, unmeasured } from '../measure.ts'
import { unavailable } from '../outage.ts'

/** Measures the duration and the outcome of every call. For several keys, the worst outcome. */
export function withTelemetry<F extends Fencing>(
  backend: LockBackend<F>,
  measures: LockMeasures,
  clock: Clock,
): LockBackend<F> {
  async function timed<T>(call: Call, perform: () => Promise<T>, outcomeOf: (result: T) => string): Promise<T> {
    const beganMs = clock.monotonicMs()
    const result = await perform()
    measures.called(backend.name, call, outcomeOf(result), clock.monotonicMs() - beganMs)
    return result
  }

  const many = backend.tryAcquireMany?.bind(backend)
  return {
    ...same(backend),
    tryAcquire: (request, signal) => timed('tryAcquire', () => backend.tryAcquire(request, signal), kindOf),
    ...(many === undefined
      ? {}
      : { tryAcquireMany: (all, signal) => timed('tryAcquireMany', () => many(all, signal), worstKind) }),
    extend: (request, signal) => timed('extend', () => backend.extend(request, signal), kindOf),
    release: (lease, signal) => timed('release', () => backend.release(lease, signal), kindOf),
    inspect: (key, signal) => timed('inspect', () => backend.inspect(key, signal), kindOf),
  }
}

/**
 * Refuses attempts with `LOCK_BREAKER_OPEN` while the backend fails. Only outages count as failures. Contention, a key
 * that cannot be served, and an aborted call do not count. Held leases are extended and released in any state, so that
 * the breaker never causes a loss. Disposing the backend disposes the breaker. `measures`: default counts nothing.
 */
export function withBreaker<F extends Fencing>(
  backend: LockBackend<F>,
  breaker: Breaker,
  measures: LockMeasures = unmeasured,
): LockBackend<F> {
  measures.breaker(backend.name, breaker.state)
  breaker.onChange((state) => measures.breaker(backend.name, state))
  const fails = (signal: AbortSignal) => (result: CallResult) =>
    result.kind === 'unavailable' && result.scope !== 'key' && (!givenUp(signal) || breaker.state === 'half-open')

  const many = backend.tryAcquireMany?.bind(backend)
  return {
    ...same(backend),
    tryAcquire: (request, signal) =>
      breaker.guard(() => backend.tryAcquire(request, signal), fails(signal)).catch(refusal),
    ...(many === undefined
      ? {}
      : {
          tryAcquireMany: (all, signal) =>
            breaker
              .guard(
                () => many(all, signal),
                (results) => results.some(fails(signal)),
              )
              .catch((thrown: unknown): readonly Attempt<F>[] => all.map(() => refusal(thrown))),
        }),
    extend: (request, signal) => backend.extend(request, signal),
    release: (lease, signal) => backend.release(lease, signal),
    inspect: (key, signal) => breaker.guard(() => backend.inspect(key, signal), fails(signal)).catch(refusal),
    async [Symbol.asyncDispose]() {
      breaker[Symbol.dispose]()
      await backend[Symbol.asyncDispose]()
    },
  }
}

/** Returns the members that neither decorator changes. */
function same<F extends Fencing>(
  backend: LockBackend<F>,
): Pick<LockBackend<F>, 'name' | 'capabilities' | 'wait' | 'fenceRefused' | typeof Symbol.asyncDispose> {
  const wait = backend.wait?.bind(backend)
  const fenceRefused = backend.fenceRefused?.bind(backend)
  return {
    name: backend.name,
    capabilities: backend.capabilities,
    ...(wait === undefined ? {} : { wait }),
    ...(fenceRefused === undefined ? {} : { fenceRefused }),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  }
}

/** The part of a backend's result that a breaker reads. */
interface CallResult {
  readonly kind: string
  readonly scope?: 'key'
}

const kindOf = (result: { readonly kind: string }): string => result.kind

function worstKind(results: readonly { readonly kind: string }[]): string {
  const kinds = results.map(kindOf)
  return ['unavailable', 'held'].find((kind) => kinds.includes(kind)) ?? 'granted'
}

/** Returns true if the caller aborted the call. Returns false for the call's own timeout. */
function givenUp(signal: AbortSignal): boolean {
  if (!signal.aborted) return false
  const reason: unknown = signal.reason
  return !(reason instanceof IngotError && reason.code === 'LOCK_BACKEND_UNAVAILABLE')
}

function refusal(thrown: unknown): Unavailable {
  if (!(thrown instanceof BreakerOpenError)) throw thrown
  const message = 'the breaker stops calls to the lock service for a while'
  return unavailable(message, new IngotError('LOCK_BREAKER_OPEN', message))
}
