/**
 * Purges the items of deleted collections in the background (see collection-deletion.ts). It works as long as the steps
 * take, then rests as long, so that requests get at least half of the store's time. Every replica does so: an
 * interrupted purge is continued at the next start, or by another replica within IDLE_MS.
 */
import { toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import type { CollectionRemover, PurgeStep } from '../collection-deletion.ts'

export interface Purger extends AsyncDisposable {
  /** Starts the next step now, unless a purge is running. Call it after a deletion. */
  wake(): void
  /** Number of deletions whose purge had not ended after the last step. */
  open(): number
}

export interface PurgerDeps {
  readonly store: CollectionRemover
  readonly clock: Clock
  readonly log: Log
  /** Called after each step that removed items, with their number. */
  readonly onRemoved: (items: number) => void
}

/** Shortest rest after a step, in milliseconds. */
const REST_MS = 5

/** Pause when nothing is left to do, in milliseconds. Then deletions of ended replicas are looked for. */
const IDLE_MS = 30_000

/** Pause after a failed step, and when other replicas are at work on all deletions, in milliseconds. */
const RETRY_MS = 1_000

export function createPurger(deps: PurgerDeps): Purger {
  return new BackgroundPurger(deps)
}

class BackgroundPurger implements Purger {
  readonly #deps: PurgerDeps
  readonly #closing = new AbortController()
  readonly #ended: Promise<void>
  #endRest: () => void = () => {}
  /** True if a deletion was made since the last step began. */
  #woken = false
  #idle = false
  #last: PurgeStep = { removed: 0, open: 0 }

  constructor(deps: PurgerDeps) {
    this.#deps = deps
    this.#ended = this.#run()
  }

  wake(): void {
    this.#woken = true
    if (this.#idle) this.#endRest()
  }

  open(): number {
    return this.#last.open
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#endRest()
    await this.#ended
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#woken = false
      const restMs = await this.#step()
      this.#idle = restMs === IDLE_MS
      if (!this.#idle || !this.#woken) await this.#rest(restMs)
    }
  }

  /** Does one step. Returns the pause after it, in milliseconds. */
  async #step(): Promise<number> {
    const { store, clock, log, onRemoved } = this.#deps
    const fromMs = clock.monotonicMs()
    try {
      const step = await store.purge(clock.wallMs(), this.#last.deletion)
      this.#last = step
      if (step.removed > 0) onRemoved(step.removed)
      if (step.open === 0) return IDLE_MS
      return step.deletion === undefined ? RETRY_MS : Math.max(REST_MS, clock.monotonicMs() - fromMs)
    } catch (thrown) {
      log.warn({ code: toIngotError(thrown).code, err: thrown }, 'a step of a deletion failed; it is repeated')
      return RETRY_MS
    }
  }

  #rest(ms: number): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#deps.clock.timer(ms, resolve)
      this.#endRest = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
