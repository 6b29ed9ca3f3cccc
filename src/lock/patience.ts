/**
 * How long an acquisition goes on, and the signals for the waits in it. Signals and timers cost more than all else that
 * the policy does for a lock that is free, so none is made before something waits for it, and calls share theirs.
 */
import type { Clock } from '../std/clock.ts'
import type { Fault } from '../std/fault.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import { callTimeUp } from './outage.ts'

/** Share of a call's time by which its signal may abort early, so that calls made shortly after each other share one. */
const EARLY_SHARE = 1 / 16

/** A signal that aborts `ms` after `nowMs`, or up to a sixteenth of that earlier, and for no other reason. */
export type CallSignals = (ms: number, nowMs: number) => AbortSignal

interface Shared {
  readonly signal: AbortSignal
  readonly untilMs: number
}

/** Signals for calls that only time ends. At most 16 of one length have a timer running. */
export function createCallSignals(clock: Clock): CallSignals {
  const newest = new Map<number, Shared>()

  function make(ms: number, nowMs: number): AbortSignal {
    const controller = new AbortController()
    const shared = { signal: controller.signal, untilMs: nowMs + ms * EARLY_SHARE }
    newest.set(ms, shared)
    clock.timer(ms, () => {
      if (newest.get(ms) === shared) newest.delete(ms)
      controller.abort(callTimeUp())
    })
    return controller.signal
  }

  return (ms, nowMs) => {
    const shared = newest.get(ms)
    return shared !== undefined && nowMs < shared.untilMs ? shared.signal : make(ms, nowMs)
  }
}

export interface PatienceTerms {
  readonly clock: Clock
  readonly calls: CallSignals
  /** From now on; infinite for who does not wait. */
  readonly waitMs: number
  /** The reason when the time is up. */
  readonly fault: () => Fault
  /** The caller's own, which ends everything at once. */
  readonly parent: AbortSignal | undefined
}

const NEVER = new AbortController().signal

export class Patience implements Disposable {
  readonly #terms: PatienceTerms
  readonly #endMs: number
  #deadline: Deadline | undefined

  /** `nowMs` is when the wait begins. */
  constructor(terms: PatienceTerms, nowMs: number) {
    this.#terms = terms
    this.#endMs = nowMs + terms.waitMs
  }

  /** Aborts when the time is up, or when the caller's own signal does. */
  get signal(): AbortSignal {
    if (this.#endMs === Number.POSITIVE_INFINITY) return this.#terms.parent ?? NEVER
    const { clock, parent, fault } = this.#terms
    const ms = this.#endMs - clock.monotonicMs()
    this.#deadline ??= createDeadline({ clock, ms: Math.max(0, ms), fault, parent })
    return this.#deadline.signal
  }

  /** Throws the reason when it is over. A time that is up while nothing waits for it is noticed when something does. */
  check(): void {
    const { parent, fault } = this.#terms
    parent?.throwIfAborted()
    this.#deadline?.signal.throwIfAborted()
    if (this.#terms.clock.monotonicMs() > this.#endMs) throw fault()
  }

  /**
   * The signal of a call that begins now and may take `ms`; `undefined` when it must have one of its own, because the
   * caller's signal or the end of the wait may come first: see `call`.
   */
  shared(ms: number, nowMs: number): AbortSignal | undefined {
    return this.#terms.parent === undefined && nowMs + ms <= this.#endMs ? this.#terms.calls(ms, nowMs) : undefined
  }

  /** The same for any call, at its price. Dispose it when the call has been answered. */
  call(ms: number): Deadline {
    return createDeadline({ clock: this.#terms.clock, ms, fault: callTimeUp, parent: this.signal })
  }

  [Symbol.dispose](): void {
    this.#deadline?.[Symbol.dispose]()
  }
}
