/**
 * The wait entries of this client, which mirror its entries in the queues on the server.
 *
 * An entry is registered before the attempt is sent, because the wake-up can arrive in the same packet as the refusal.
 * A message, a gap in the subscription, the end of the lease or `FALLBACK_MS` wakes the waiter. A lost message
 * therefore costs at most `FALLBACK_MS`. If the owner of a reservation does not retry, the key is passed on to the next
 * waiter.
 */
import type { Clock, Timer } from '../std/clock.ts'
import type { Token } from './lock.ts'

/** Longest sleep of a waiter whose wake-up message was lost, in milliseconds. */
export const FALLBACK_MS = 1_000
/** How long a reservation waits for an owner that is not waiting at the moment, in milliseconds. */
export const PASS_ON_MS = 100
/** An entry that its owner neither used nor removed is deleted after this time, in milliseconds. */
const DELETE_MS = 60_000
const SWEEP_ABOVE = 1_000

interface WaitEntry {
  seenMs: number
  remainingMs: number
  woken: boolean
  wake?: (() => void) | undefined
  passOnTimer?: Timer | undefined
}

export interface WaitEntries {
  /** Adds or renews the token's entry. Call it before the attempt is sent. */
  take(token: Token): void
  /** Records the remaining time of the lease that the token waits for. */
  note(token: Token, remainingMs: number): void
  drop(token: Token): void
  /** Handles a wake-up: the key is reserved for this token. Calls `passOn` if its owner does not retry in time. */
  wake(token: Token, passOn: () => void): void
  wakeAll(): void
  /** Resolves on a wake-up. Never rejects. Resolves at once for a token without an entry. */
  wait(token: Token, signal: AbortSignal): Promise<void>
}

function wakeEntry(entry: WaitEntry): void {
  entry.woken = true
  entry.wake?.()
}

/** Resolves when the entry is woken, its time is up or the signal aborts. */
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
    this.#entries.get(token)?.passOnTimer?.cancel()
    this.#entries.set(token, { seenMs: this.#clock.monotonicMs(), remainingMs: FALLBACK_MS, woken: false })
  }

  note(token: Token, remainingMs: number): void {
    const entry = this.#entries.get(token)
    if (entry !== undefined) entry.remainingMs = remainingMs
  }

  drop(token: Token): void {
    this.#entries.get(token)?.passOnTimer?.cancel()
    this.#entries.delete(token)
  }

  wake(token: Token, passOn: () => void): void {
    const entry = this.#entries.get(token)
    if (entry === undefined) return passOn()
    if (entry.wake !== undefined) return wakeEntry(entry)
    entry.woken = true
    entry.passOnTimer = this.#clock.timer(PASS_ON_MS, () => {
      this.drop(token)
      passOn()
    })
  }

  wakeAll(): void {
    for (const entry of this.#entries.values()) wakeEntry(entry)
  }

  async wait(token: Token, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(token)
    if (entry === undefined || entry.woken || signal.aborted) return
    await sleep(entry, this.#clock, signal)
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs()
    for (const [token, entry] of this.#entries) {
      if (entry.wake === undefined && now - entry.seenMs > DELETE_MS) this.#entries.delete(token)
    }
  }
}

export function createWaitEntries(clock: Clock): WaitEntries {
  return new WaitEntryMap(clock)
}
