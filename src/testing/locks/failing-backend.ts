/** Wraps a lock backend and makes its calls fail as a test demands. */
import type { LeaseRequest, LockBackend } from '../../lock/backend.ts'
import type { Fencing, Unavailable } from '../../lock/lock.ts'
import { unavailable } from '../../lock/outage.ts'
import type { Clock } from '../../std/clock.ts'

/**
 * `down`: the call has no effect and no response. `deaf`: the call has its effect, but the response is lost. `dying`: deaf
 * for one call, then down. `slow`: the call has its effect at once, and the response takes `slowMs`.
 */
export type Trouble = 'none' | 'down' | 'deaf' | 'dying' | 'slow'

export interface FailingBackend<F extends Fencing> extends LockBackend<F> {
  trouble: Trouble
  slowMs: number
  /** Names of the calls that arrived, in order. */
  readonly calls: string[]
}

const outage = (): Unavailable => unavailable('switched off')

export function createFailingBackend<F extends Fencing>(inner: LockBackend<F>, clock: Clock): FailingBackend<F> {
  async function pass<T>(call: string, perform: () => Promise<T>): Promise<T | Unavailable> {
    backend.calls.push(call)
    const trouble = backend.trouble
    if (trouble === 'down') return outage()
    if (trouble === 'dying') backend.trouble = 'down'
    const answer = await perform()
    if (trouble === 'slow') await clock.sleep(backend.slowMs)
    return trouble === 'deaf' || trouble === 'dying' ? outage() : answer
  }

  const backend: FailingBackend<F> = {
    trouble: 'none',
    slowMs: 0,
    calls: [],
    name: inner.name,
    capabilities: inner.capabilities,
    tryAcquire: (request, signal) => pass('tryAcquire', () => inner.tryAcquire(request, signal)),
    extend: (request, signal) => pass('extend', () => inner.extend(request, signal)),
    release: (lease, signal) => pass('release', () => inner.release(lease, signal)),
    inspect: (key, signal) => inner.inspect(key, signal),
    wait: async (key, ticket, signal) => inner.wait?.(key, ticket, signal),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
  return backend
}

/** Returns the same backend with its calls for several keys. */
export function withMany<F extends Fencing>(backend: FailingBackend<F>): LockBackend<F> {
  const tryAcquireMany = (requests: readonly LeaseRequest[], signal: AbortSignal) =>
    Promise.all(requests.map((request) => backend.tryAcquire(request, signal)))
  return Object.assign(Object.create(backend), { tryAcquireMany }) as LockBackend<F>
}
