/**
 * The waiters of this client: who of them has a entry in a queue on the server, and how each is woken.
 *
 * A entry is registered before the attempt that may take it is sent, because the wake-up can arrive in the same packet
 * as the refusal. It is woken by a message, by a gap in the subscription, by its lease's end, or after `FALLBACK_MS`,
 * so a message that is lost costs that much and no more. A message for a entry whose owner does not come for it goes
 * to the next in line.
 */
import type { Clock, Timer } from '../../../std/clock.ts'
import type { Token } from '../../lock.ts'

/** The longest time that a waiter sleeps through a wake-up it did not hear. */
export const FALLBACK_MS = 1_000
/** How long an owner who is not waiting right now may take to come for what was kept for him. */
export const CLAIM_MS = 100
/** A entry whose owner neither came back nor gave it up is forgotten. */
const FORGET_MS = 60_000
const SWEEP_ABOVE = 1_000

interface WaitEntry {
  seenMs: number
  remainingMs: number
  woken: boolean
  wake?: (() => void) | undefined
  claimTimer?: Timer | undefined
}

export interface WaitEntries {
  /** Keeps or makes a entry for the token. Call it before asking the server for one. */
  take(token: Token): void
  /** What is left of the lease that the token waits for. */
  note(token: Token, remainingMs: number): void
  drop(token: Token): void
  /** The server handed the key to this token. Calls `passOn` when nobody comes for it. */
  wake(token: Token, passOn: () => void): void
  wakeAll(): void
  /** Never rejects. At once for a token without a entry. */
  wait(token: Token, signal: AbortSignal): Promise<void>
}

function rouse(entry: WaitEntry): void {
  entry.woken = true
  entry.wake?.()
}

/** Until the entry is woken, its time is up or the signal aborts. */
function sleep(entry: WaitEntry, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', done)
      entry.wake = undefined
      entry.seenMs = clock.monotonicMs()
      resolve()
    }
    const timer = clock.timer(Math.min(entry.remainingMs + 1, FALLBACK_MS), done)
    entry.wake = done
    signal.addEventListener('abort', done, { once: true })
  })
}

class WaitEntryMap implements WaitEntries {
  readonly #clock: Clock
  readonly #entries = new Map<Token, WaitEntry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  take(token: Token): void {
    if (this.#entries.size > SWEEP_ABOVE) this.#sweep()
    this.#entries.get(token)?.claimTimer?.cancel()
    this.#entries.set(token, { seenMs: this.#clock.monotonicMs(), remainingMs: FALLBACK_MS, woken: false })
  }

  note(token: Token, remainingMs: number): void {
    const entry = this.#entries.get(token)
    if (entry !== undefined) entry.remainingMs = remainingMs
  }

  drop(token: Token): void {
    this.#entries.get(token)?.claimTimer?.cancel()
    this.#entries.delete(token)
  }

  wake(token: Token, passOn: () => void): void {
    const entry = this.#entries.get(token)
    if (entry === undefined) return passOn()
    if (entry.wake !== undefined) return rouse(entry)
    entry.woken = true
    entry.claimTimer = this.#clock.timer(CLAIM_MS, () => {
      this.drop(token)
      passOn()
    })
  }

  wakeAll(): void {
    for (const entry of this.#entries.values()) rouse(entry)
  }

  async wait(token: Token, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(token)
    if (entry === undefined || entry.woken || signal.aborted) return
    await sleep(entry, this.#clock, signal)
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs()
    for (const [token, entry] of this.#entries) {
      if (entry.wake === undefined && now - entry.seenMs > FORGET_MS) this.#entries.delete(token)
    }
  }
}

export function createWaitEntries(clock: Clock): WaitEntries {
  return new WaitEntryMap(clock)
}
