/**
 * Releases in the background: leases whose release got no response, attempts without a reply (their command may have
 * taken effect), wait entries, and leases that were granted too late. Retries until the lease has expired, because
 * giving up early during a switchover would block the key for the rest of the lease.
 *
 * No release is dropped for lack of capacity. The first attempt of each is made at once, and backends join these into
 * few commands. One loop retries the unanswered ones in chunks. An outage therefore costs one small record per lease
 * and a few calls per second.
 *
 * None of this keeps the process alive.
 */
import type { Clock } from '../../std/clock.ts'
import { fullJitter } from '../../std/retry.ts'
import type { Lease, LockBackend } from '../backend.ts'
import type { Token } from '../lock.ts'
import { LockError } from '../lock-error.ts'
import type { CallSignals } from './waiting.ts'

export interface BackgroundReleases {
  /**
   * Releases in the background until the backend has responded, or until `untilMs` (monotonic), when the lease has
   * expired.
   */
  releaseLater(lease: Lease, untilMs: number): void
  /** Throws `OVERLOADED` while too many releases are pending. */
  checkCapacity(): void
  /** Counts work of the locker that may have something to release, until `end`. */
  begin(): void
  end(): void
  /**
   * Resolves when the running work has ended and no release is pending. An unanswered release gets one more attempt at
   * once, then retries for at most `closeMs`. Leases that remain expire by themselves.
   */
  settle(): Promise<void>
}

export interface BackgroundReleaseOptions {
  readonly clock: Clock
  /** Signals for the calls. */
  readonly calls: CallSignals
  /** Longest time of one call, in milliseconds. */
  readonly callMs: number
  /** How long repairs continue after `settle`, in milliseconds. */
  readonly closeMs: number
  /** Default: 100000, which takes about 20 MB. */
  readonly maxPending?: number
}

const PAUSES = { baseMs: 100, maxMs: 1_000 }
/** Number of concurrent repairs: two commands of the Redis backend. */
const CHUNK = 64
const MAX_PENDING = 100_000

interface Repair {
  readonly lease: Lease
  readonly untilMs: number
}

class ReleaseQueue implements BackgroundReleases {
  readonly #backend: LockBackend
  readonly #options: Required<BackgroundReleaseOptions>
  /** Releases whose last attempt got no response, least recently tried first. */
  readonly #repairs = new Map<Token, Repair>()
  #underWay = 0
  #repairing = false
  #closesMs = Number.POSITIVE_INFINITY
  #skipPause = (): void => {}
  /** Exists only while `settle` waits. */
  #idle: PromiseWithResolvers<void> | undefined
  readonly #afterAttempt = (): void => {
    this.#startRepairs()
    this.end()
  }
  readonly #afterRepairs = (): void => {
    this.#repairing = false
    this.#startRepairs()
    this.end()
  }

  constructor(backend: LockBackend, options: BackgroundReleaseOptions) {
    this.#backend = backend
    this.#options = { maxPending: MAX_PENDING, ...options }
  }

  releaseLater(lease: Lease, untilMs: number): void {
    this.begin()
    this.#releaseOnce({ lease, untilMs }).then(this.#afterAttempt, this.#afterAttempt)
  }

  checkCapacity(): void {
    const { size } = this.#repairs
    if (size < this.#options.maxPending) return
    const message = `${size} locks of earlier callers have still to be released: the service does not respond`
    throw new LockError('overloaded', 'OVERLOADED', message)
  }

  begin(): void {
    this.#underWay++
  }

  end(): void {
    this.#underWay--
    if (this.#underWay > 0) return
    this.#idle?.resolve()
    this.#idle = undefined
  }

  async settle(): Promise<void> {
    const { clock, closeMs } = this.#options
    this.#closesMs = Math.min(this.#closesMs, clock.monotonicMs() + closeMs)
    this.#skipPause()
    while (this.#underWay > 0) {
      this.#idle ??= Promise.withResolvers()
      await this.#idle.promise
    }
  }

  /** Resolves with true if the backend responded. Keeps an unanswered release for a retry. */
  async #releaseOnce(repair: Repair): Promise<boolean> {
    const { clock, calls, callMs } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs >= repair.untilMs) return true
    const { kind } = await this.#backend.release(repair.lease, calls.of(callMs, nowMs))
    if (kind !== 'unavailable') return true
    this.#repairs.set(repair.lease.token, repair)
    return false
  }

  #startRepairs(): void {
    if (this.#repairing || this.#repairs.size === 0) return
    this.#repairing = true
    this.begin()
    this.#repairAll().then(this.#afterRepairs, this.#afterRepairs)
    if (this.#closesMs < Number.POSITIVE_INFINITY) this.#skipPause()
  }

  async #repairAll(): Promise<void> {
    let delays = fullJitter(PAUSES)
    while (this.#repairs.size > 0) {
      await this.#pause(delays.next().value ?? 0)
      // checked before the attempts, so that each release gets one more attempt after the time is up
      const isLast = this.#options.clock.monotonicMs() >= this.#closesMs
      if (await this.#repairEach()) delays = fullJitter(PAUSES)
      if (isLast) this.#repairs.clear()
    }
  }

  /** Tries each release once, in chunks. Resolves with false as soon as no release of a chunk gets a response. */
  async #repairEach(): Promise<boolean> {
    for (let left = this.#repairs.size; left > 0; left -= CHUNK) {
      if (!(await this.#repairChunk())) return false
    }
    return true
  }

  async #repairChunk(): Promise<boolean> {
    const chunk: Repair[] = []
    for (const repair of this.#repairs.values()) {
      if (chunk.length === CHUNK) break
      chunk.push(repair)
    }
    for (const { lease } of chunk) this.#repairs.delete(lease.token)
    const answered = await Promise.allSettled(chunk.map((repair) => this.#releaseOnce(repair)))
    // a backend that throws is broken, and another attempt does not help
    return answered.some((one) => one.status === 'rejected' || one.value)
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.clock.timer(ms, resolve)
    this.#skipPause = () => {
      timer.cancel()
      resolve()
    }
    return promise
  }
}

/** Creates an empty queue. Never keeps the process alive. */
export function createBackgroundReleases(backend: LockBackend, options: BackgroundReleaseOptions): BackgroundReleases {
  return new ReleaseQueue(backend, options)
}
