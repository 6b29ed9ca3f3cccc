/**
 * How long an acquisition goes on, and the signals for the waits in it. Signals and timers cost more than all else that
 * the policy does for a lock that is free, so none is made before something waits for it, and calls share theirs.
 */
import type { Clock } from '../../std/clock.ts'
import { createDeadline, type Deadline } from '../../std/deadline.ts'
import type { IngotError } from '../../std/error.ts'
import { LockError } from '../lock-error.ts'
import { callTimeUp } from '../outage.ts'

/** Share of a call's time by which its signal may abort early, so that calls made shortly after each other share one. */
const EARLY_SHARE = 1 / 16

export interface CallSignals {
  /** A signal that aborts `ms` after `nowMs`, or up to a sixteenth of that earlier. */
  of(ms: number, nowMs: number): AbortSignal
  /** Aborts all of them, and those that are asked for from now on, with this reason. */
  end(reason: IngotError): void
}

interface Shared {
  readonly signal: AbortSignal
  readonly untilMs: number
}

/** Signals for calls that their callers do not end one by one. At most 16 of one length have a timer running. */
export function createCallSignals(clock: Clock): CallSignals {
  const newest = new Map<number, Shared>()
  const running = new Set<AbortController>()
  let ended: AbortSignal | undefined

  function make(ms: number, nowMs: number): AbortSignal {
    const controller = new AbortController()
    running.add(controller)
    const shared = { signal: controller.signal, untilMs: nowMs + ms * EARLY_SHARE }
    newest.set(ms, shared)
    clock.timer(ms, () => {
      if (newest.get(ms) === shared) newest.delete(ms)
      running.delete(controller)
      controller.abort(callTimeUp())
    })
    return controller.signal
  }

  return {
    of(ms, nowMs) {
      if (ended !== undefined) return ended
      const shared = newest.get(ms)
      return shared !== undefined && nowMs < shared.untilMs ? shared.signal : make(ms, nowMs)
    },
    end(reason) {
      ended = AbortSignal.abort(reason)
      for (const controller of running) controller.abort(reason)
      running.clear()
    },
  }
}

/** Counts the callers of this process that wait, so that a stuck key does not fill the memory with waiters. */
export interface WaiterLimit {
  /** Counts one more waiter. Throws `OVERLOADED` when there are as many as allowed. */
  join(): void
  leave(): void
}

export function createWaiterLimit(max: number): WaiterLimit {
  let waiting = 0
  return {
    join() {
      if (waiting >= max) throw new LockError('overloaded', 'OVERLOADED', `${waiting} callers wait for locks already`)
      waiting++
    },
    leave: () => void waiting--,
  }
}

export interface AcquireDeadlineTerms {
  readonly clock: Clock
  readonly calls: CallSignals
  /** From now on; infinite for who does not wait. */
  readonly waitMs: number
  /** The reason when the time is up. */
  readonly timeoutError: () => IngotError
  /** The caller's own, which ends everything at once. */
  readonly parent: AbortSignal | undefined
  /** Where the caller is counted once it waits. */
  readonly waiterLimit: WaiterLimit
}

export class AcquireDeadline implements Disposable {
  readonly #terms: AcquireDeadlineTerms
  readonly #endMs: number
  #deadline: Deadline | undefined
  #ended: IngotError | undefined
  #waits = false

  /** `nowMs` is when the wait begins. */
  constructor(terms: AcquireDeadlineTerms, nowMs: number) {
    this.#terms = terms
    this.#endMs = nowMs + terms.waitMs
  }

  /**
   * Aborts when the time is up, when the caller's own signal does, or when it is ended. While it runs it keeps the
   * process alive: whoever waits for a lock that another part of this process holds has nothing else that does.
   */
  get signal(): AbortSignal {
    this.#deadline ??= this.#begin()
    return this.#deadline.signal
  }

  /** Ends every wait in it, with this reason. */
  end(reason: IngotError): void {
    this.#ended ??= reason
    this.#deadline?.end(reason)
  }

  /** Counts the caller among those who wait, once. Throws `OVERLOADED` when too many do. */
  wait(): void {
    if (this.#waits) return
    this.#terms.waiterLimit.join()
    this.#waits = true
  }

  /** Throws the reason when it is over. A time that is up while nothing waits for it is noticed when something does. */
  check(): void {
    const { parent, timeoutError } = this.#terms
    parent?.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended
    this.#deadline?.signal.throwIfAborted()
    if (this.#terms.clock.monotonicMs() > this.#endMs) throw timeoutError()
  }

  /**
   * The signal of a call that begins now and may take `ms`; `undefined` when it must have one of its own, because the
   * caller's signal or the end of the wait may come first: see `call`.
   */
  shared(ms: number, nowMs: number): AbortSignal | undefined {
    return this.#terms.parent === undefined && nowMs + ms <= this.#endMs ? this.#terms.calls.of(ms, nowMs) : undefined
  }

  /** The same for any call, at its price. Dispose it when the call has been answered. */
  call(ms: number): Deadline {
    return createDeadline({ clock: this.#terms.clock, ms, timeoutError: callTimeUp, parent: this.signal })
  }

  [Symbol.dispose](): void {
    this.#deadline?.[Symbol.dispose]()
    if (this.#waits) this.#terms.waiterLimit.leave()
    this.#waits = false
  }

  #begin(): Deadline {
    const { clock, parent, timeoutError } = this.#terms
    const ms = Math.max(0, this.#endMs - clock.monotonicMs())
    const deadline = createDeadline({ clock, ms, timeoutError, parent, keepsAlive: true })
    if (this.#ended !== undefined) deadline.end(this.#ended)
    return deadline
  }
}
