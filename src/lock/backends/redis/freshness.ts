/**
 * Decides when a client that acquires locks asks the fence store again. A response is fresh for `REFRESH_MS`. After
 * that, the next attempt refreshes it in the background. If the response is older than `STALE_MS`, because the process
 * was stopped or idle, the attempt waits for a new one. If the store does not respond, attempts use the earlier
 * response.
 */
import type { Clock } from '../../../std/clock.ts'

/** How long a response is used before the store is asked again in the background, in milliseconds. */
export const REFRESH_MS = 500
/** Age beyond which an attempt waits for a new response, in milliseconds. */
export const STALE_MS = 1_000

export interface Freshness {
  /** Records that the response to a request of this time is in use now. */
  answered(askedMs: number): void
  /** Returns `undefined` if the response in use is young enough. Otherwise resolves when it is. Never rejects. */
  due(): Promise<void> | undefined
}

class AnswerAge implements Freshness {
  readonly #clock: Clock
  readonly #ask: () => Promise<void>
  #answeredMs = Number.NEGATIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY
  #isAway = false
  #asking: Promise<void> | undefined

  constructor(clock: Clock, ask: () => Promise<void>) {
    this.#clock = clock
    this.#ask = ask
  }

  answered(askedMs: number): void {
    this.#answeredMs = Math.max(this.#answeredMs, askedMs)
    this.#isAway = false
  }

  due(): Promise<void> | undefined {
    const now = this.#clock.monotonicMs()
    const ageMs = now - this.#answeredMs
    if (ageMs < REFRESH_MS) return undefined
    const mustWait = ageMs > STALE_MS && !this.#isAway
    if (this.#asking === undefined && now - this.#askedMs >= REFRESH_MS) {
      this.#askedMs = now
      this.#asking = this.#run(now).finally(() => (this.#asking = undefined))
    }
    return mustWait ? this.#asking : undefined
  }

  async #run(nowMs: number): Promise<void> {
    try {
      await this.#ask()
      this.answered(nowMs)
    } catch {
      this.#isAway = true
    }
  }
}

/** `ask` requests a response and puts it into use. It rejects if there is none. */
export function createFreshness(clock: Clock, ask: () => Promise<void>): Freshness {
  return new AnswerAge(clock, ask)
}
