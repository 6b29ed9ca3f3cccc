/**
 * A semaphore: at most n holders at once, in any number of processes, on any backend.
 *
 * Its n permits are n locks, so each permit has its own lease, fence, renewal and release. A waiter first acquires the
 * semaphore's gate, a lock with the queue of the backend. Only the first waiter therefore tries permits:
 *
 * waiting for the gate --first--> looking for a free permit --none--> waiting for all permits
 *                                       \--one is free--> holding  <--the first that is freed--/
 *
 * It releases the gate and its other wait entries as soon as it holds a permit. If the backend is fair, permits are
 * therefore granted in order of arrival. The permit of a dead holder becomes free when its lease ends. A first waiter
 * that dies delays the others by the lease of the gate, at most `GATE_TTL_MS`.
 */

import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import type { Fencing, Inspection, Key, Unavailable } from '../lock.ts'
import type { AcquireOptions, WaitOptions } from '../policy.ts'
import type { Grant } from './grant.ts'

export interface SemaphoreOptions {
  /** Maximum number of concurrent holders, 1 to 256. All clients should specify the same number; see `Semaphore`. */
  readonly permits: number
}

/** `remainingMs`: time until the first permit is free if no holder renews. Absent if it is not known. */
export type PermitOutcome<F extends Fencing> =
  | { readonly kind: 'granted'; readonly grant: Grant<F> }
  | { readonly kind: 'held'; readonly remainingMs: number | undefined }
  | Unavailable

/** Has one entry for each permit that is held in any process. */
export type SemaphoreInspection =
  | {
      readonly kind: 'known'
      readonly held: readonly (Pick<Held, 'remainingMs' | 'fence'> & { readonly key: Key })[]
      readonly free: number
    }
  | Unavailable

type Held = Extract<Inspection, { kind: 'held' }>

/**
 * A grant's `key` names its permit, `semaphore:NAME#0` to `#n-1`. Its fence is greater than those of all earlier grants
 * of the same permit, but unrelated to other permits: a store must compare fences for each `grant.key`.
 *
 * A client that specifies n uses the permits below n. Clients that specify different numbers therefore share the
 * permits that both know, and the maximum number of holders is the greatest specified number.
 */
export interface Semaphore<F extends Fencing = Fencing> {
  readonly name: string
  readonly permits: number
  /**
   * Waits for a permit, in order of arrival if the backend is fair. Options and rejections are those of
   * `Locker.acquire`.
   */
  acquire(options?: WaitOptions): Promise<Grant<F>>
  /**
   * Acquires a permit that is free now, also if others wait. A released permit is reserved for the first waiter, so
   * this call seldom overtakes it. Rejects only for invalid options or shutdown.
   */
  tryAcquire(options?: AcquireOptions): Promise<PermitOutcome<F>>
  /** Acquires a permit, runs the work and releases the permit. Rejects as `Locker.withLock` does. */
  withPermit<T>(work: (grant: Grant<F>) => Promise<T>, options?: WaitOptions): Promise<T>
  /** Returns the permits that are held now. Returns `unavailable` if the state of any permit is unknown. */
  inspect(): Promise<SemaphoreInspection>
}

/** The part of a locker that a semaphore uses. */
interface Locks<F extends Fencing> {
  acquire(key: Key, options: WaitOptions): Promise<Grant<F>>
  tryAcquire(key: Key, options: AcquireOptions): Promise<PermitOutcome<F>>
  inspect(key: Key): Promise<Inspection>
}

export interface SemaphoreDeps<F extends Fencing> {
  /** Admits the first waiter. */
  readonly gate: Pick<Locks<F>, 'acquire'>
  readonly permits: Locks<F>
  readonly clock: Clock
  readonly defaults: { readonly ttlMs: number; readonly waitMs: number }
  readonly random: () => number
  /** Records the time from the acquire call to the grant or the failure, in milliseconds. */
  readonly waited: (outcome: 'granted' | 'failed', ms: number) => void
}

/** The first waiter keeps a wait entry at each permit. */
const MAX_PERMITS = 256
/** Length of the gate's lease, in milliseconds. A first waiter that dies delays the others by this. */
const GATE_TTL_MS = 5_000
/** Longest suffix of a name: `#255` or `#gate`. */
const MAX_NAME_BYTES = 512 - Buffer.byteLength('semaphore:#gate')

function checkName(name: string): string {
  const bytes = Buffer.byteLength(name)
  if (bytes >= 1 && bytes <= MAX_NAME_BYTES) return name
  throw new IngotError('LOCK_KEY_INVALID', `a semaphore's name has 1 to ${MAX_NAME_BYTES} bytes, this one has ${bytes}`)
}

function checkPermits(permits: number): number {
  if (Number.isInteger(permits) && permits >= 1 && permits <= MAX_PERMITS) return permits
  throw new IngotError(
    'LOCK_OPTION_INVALID',
    `"permits" is ${permits}, expected a whole number from 1 to ${MAX_PERMITS}`,
  )
}

const isTimeout = (thrown: unknown): boolean => thrown instanceof IngotError && thrown.code === 'LOCK_TIMEOUT'

/** Returns the shortest known remaining time. */
function soonest(refusals: readonly { readonly remainingMs: number | undefined }[]): number | undefined {
  const known = refusals.flatMap(({ remainingMs }) => remainingMs ?? [])
  return known.length === 0 ? undefined : Math.min(...known)
}

class PermitSemaphore<F extends Fencing> implements Semaphore<F> {
  readonly name: string
  readonly permits: number
  readonly #deps: SemaphoreDeps<F>
  readonly #keys: readonly Key[]
  /** Index of the permit to try first. It advances with each grant, so that a process skips the permits that it holds. */
  #start: number

  constructor(deps: SemaphoreDeps<F>, name: string, { permits }: SemaphoreOptions) {
    this.name = checkName(name)
    this.permits = checkPermits(permits)
    this.#deps = deps
    this.#keys = Array.from({ length: permits }, (_, i) => `semaphore:${name}#${i}`)
    this.#start = Math.floor(deps.random() * permits)
  }

  async acquire(options: WaitOptions = {}): Promise<Grant<F>> {
    const { clock, waited } = this.#deps
    const beganMs = clock.monotonicMs()
    try {
      const grant = await this.#acquire(options, beganMs)
      waited('granted', clock.monotonicMs() - beganMs)
      return grant
    } catch (thrown) {
      waited('failed', clock.monotonicMs() - beganMs)
      throw thrown
    }
  }

  async tryAcquire(options: AcquireOptions = {}): Promise<PermitOutcome<F>> {
    const { permits } = this.#deps
    const [first = '', ...others] = this.#inTurn()
    const outcome = await permits.tryAcquire(first, options)
    if (outcome.kind === 'granted') return this.#taken(outcome)
    const states = await Promise.all(others.map((key) => permits.inspect(key)))
    const seen: (PermitOutcome<F> | Inspection)[] = [outcome]
    for (const [i, state] of states.entries()) {
      const attempt = state.kind === 'free' ? await permits.tryAcquire(others[i] ?? '', options) : state
      if (attempt.kind === 'granted') return this.#taken(attempt)
      seen.push(attempt)
    }
    const outage = seen.find((s): s is Unavailable => s.kind === 'unavailable')
    return outage ?? { kind: 'held', remainingMs: soonest(seen.filter((s): s is Held => s.kind === 'held')) }
  }

  async withPermit<T>(work: (grant: Grant<F>) => Promise<T>, options?: WaitOptions): Promise<T> {
    const grant = await this.acquire(options)
    try {
      const result = await work(grant)
      grant.assertHeld()
      return result
    } finally {
      await grant.release()
    }
  }

  async inspect(): Promise<SemaphoreInspection> {
    const states = await Promise.all(this.#keys.map((key) => this.#deps.permits.inspect(key)))
    const outage = states.find((s): s is Unavailable => s.kind === 'unavailable')
    if (outage !== undefined) return outage
    const held = states.flatMap((s, i) =>
      s.kind === 'held' ? [{ key: this.#keys[i] ?? '', remainingMs: s.remainingMs, fence: s.fence }] : [],
    )
    return { kind: 'known', held, free: states.length - held.length }
  }

  async #acquire(options: WaitOptions, beganMs: number): Promise<Grant<F>> {
    const { gate, clock, defaults } = this.#deps
    const waitMs = options.waitMs ?? defaults.waitMs
    const ttlMs = Math.min(options.ttlMs ?? defaults.ttlMs, GATE_TTL_MS)
    const terms = { ttlMs, waitMs, maxHoldMs: Number.POSITIVE_INFINITY, signal: options.signal }
    const first = await gate.acquire(`semaphore:${this.name}#gate`, terms)
    try {
      const outcome = await this.tryAcquire(options)
      if (outcome.kind === 'granted') return outcome.grant
      const leftMs = beganMs + waitMs - clock.monotonicMs()
      return await this.#anyOf({ ...options, waitMs: Math.max(1, leftMs) })
    } finally {
      first.releaseSoon()
    }
  }

  /** Waits for every permit, and keeps the first grant. */
  async #anyOf(options: WaitOptions): Promise<Grant<F>> {
    const { promise, resolve, reject } = Promise.withResolvers<Grant<F>>()
    const enough = new AbortController()
    const signal = options.signal === undefined ? enough.signal : AbortSignal.any([options.signal, enough.signal])
    const failures: unknown[] = []
    const wait = async (key: Key): Promise<void> => {
      try {
        const grant = await this.#deps.permits.acquire(key, { ...options, signal })
        if (enough.signal.aborted) return grant.releaseSoon()
        resolve(grant)
        enough.abort(new IngotError('LOCK_TIMEOUT', 'another permit was free first'))
      } catch (thrown) {
        if (failures.push(thrown) === this.#keys.length) reject(failures.find(isTimeout) ?? thrown)
      }
    }
    for (const key of this.#inTurn()) void wait(key)
    return promise
  }

  #inTurn(): readonly Key[] {
    return [...this.#keys.slice(this.#start), ...this.#keys.slice(0, this.#start)]
  }

  #taken(outcome: Extract<PermitOutcome<F>, { kind: 'granted' }>): PermitOutcome<F> {
    this.#start = (this.#keys.indexOf(outcome.grant.key) + 1) % this.permits
    return outcome
  }
}

/** Creates a semaphore and sends nothing yet. Throws `LOCK_KEY_INVALID` or `LOCK_OPTION_INVALID`. */
export function createSemaphore<F extends Fencing>(
  deps: SemaphoreDeps<F>,
  name: string,
  options: SemaphoreOptions,
): Semaphore<F> {
  return new PermitSemaphore(deps, name, options)
}
