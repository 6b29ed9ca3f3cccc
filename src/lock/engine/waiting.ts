/**
 * How a caller waits in this process: its deadline, the signals of its calls, the limit of waiters, and the local
 * queue. For a free lock, signals and timers cost more than the rest of the policy. Therefore they are created only
 * when something waits, and calls share them.
 */

import type { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { createDeadline, type Deadline } from '../../std/deadline.ts'
import type { Key } from '../lock.ts'
import { LockError } from '../lock-error.ts'
import type { HeldLock, WaitingLock } from '../observation.ts'
import { callTimeUp } from '../outage.ts'

/** Share of a call's time by which its signal may abort early, so that calls made shortly after each other share one. */
const EARLY_SHARE = 1 / 16

export interface CallSignals {
  /** Returns a signal that aborts `ms` after `nowMs`, or up to a sixteenth of that earlier. */
  of(ms: number, nowMs: number): AbortSignal
  /** Aborts all current and future signals with this reason. */
  end(reason: IngotError): void
}

interface Shared {
  readonly signal: AbortSignal
  readonly untilMs: number
}

/** Creates shared signals for calls. At most 16 timers of one length run at once. */
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

/** Counts the waiting callers of this process, so that a stuck key does not fill the memory with waiters. */
export interface WaiterLimit {
  /** Counts one more waiter. Throws `OVERLOADED` beyond the limit. */
  join(): void
  leave(): void
}

export function createWaiterLimit(max: number): WaiterLimit {
  let waiting = 0
  return {
    join() {
      if (waiting >= max) throw new LockError('overloaded', 'OVERLOADED', `${waiting} callers already wait for locks`)
      waiting++
    },
    leave: () => void waiting--,
  }
}

export interface AcquireDeadlineTerms {
  readonly keys: readonly Key[]
  readonly clock: Clock
  readonly calls: CallSignals
  /** Milliseconds from now on. Infinite for a call that does not wait. */
  readonly waitMs: number
  /** The reason when the time is up. */
  readonly timeoutError: () => IngotError
  /** The caller's signal. It ends the acquisition at once. */
  readonly parent: AbortSignal | undefined
  /** Counts the caller once it waits. */
  readonly waiterLimit: WaiterLimit
}

export class AcquireDeadline implements Disposable {
  readonly #terms: AcquireDeadlineTerms
  readonly #beganMs: number
  readonly #endMs: number
  #deadline: Deadline | undefined
  #ended: IngotError | undefined
  #waits = false

  /** `nowMs` is the time when the wait begins. */
  constructor(terms: AcquireDeadlineTerms, nowMs: number) {
    this.#terms = terms
    this.#beganMs = nowMs
    this.#endMs = nowMs + terms.waitMs
  }

  /**
   * Aborts when the time is up, when the caller's signal aborts, or on `end`. It keeps the process alive, because
   * nothing else does while a caller waits for a lock held by another part of this process.
   */
  get signal(): AbortSignal {
    this.#deadline ??= this.#begin()
    return this.#deadline.signal
  }

  /** Ends every wait of the acquisition with this reason. */
  end(reason: IngotError): void {
    this.#ended ??= reason
    this.#deadline?.end(reason)
  }

  /** Counts the caller as a waiter, once. Throws `OVERLOADED` if there are too many. */
  wait(): void {
    if (this.#waits) return
    this.#terms.waiterLimit.join()
    this.#waits = true
  }

  /** Returns the wait of the caller, if it waits. */
  observe(nowMs: number): WaitingLock | undefined {
    return this.#waits ? { keys: this.#terms.keys, ageMs: nowMs - this.#beganMs } : undefined
  }

  /** Throws the reason if the acquisition is over. Also detects a deadline that passed while nothing waited. */
  check(): void {
    const { parent, timeoutError } = this.#terms
    parent?.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended
    this.#deadline?.signal.throwIfAborted()
    if (this.#terms.clock.monotonicMs() > this.#endMs) throw timeoutError()
  }

  /**
   * Returns a shared signal for a call that begins now and may take `ms`. Returns `undefined` if the caller's signal or
   * the deadline may come first; use `call` then.
   */
  shared(ms: number, nowMs: number): AbortSignal | undefined {
    return this.#terms.parent === undefined && nowMs + ms <= this.#endMs ? this.#terms.calls.of(ms, nowMs) : undefined
  }

  /** Returns a deadline for one call. Dispose it after the call. */
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

/** The last outcome that the first waiter got from the backend: none yet, held, or an outage. */
export type LastOutcome = 'nothing' | 'held' | IngotError

/** A lease that can be shown. */
export interface Observable {
  observe(): HeldLock
}

/** The turn of the first waiter. */
export interface LocalTurn {
  /** Records the lease of the turn, for display. */
  hold(lease: Observable): void
  /** Ends the turn and admits the next waiter. Later calls do nothing. */
  leave(): void
  /** The last outcome for the key, also from earlier waiters that gave up. */
  readonly lastOutcome: LastOutcome
  /** Records an outcome, also for waiters in the queue, whose wait may end before their turn. */
  report(lastOutcome: LastOutcome): void
}

export interface LocalQueue {
  /** Resolves when the caller is first in the queue. Rejects with the signal's reason. */
  enter(key: Key, signal: AbortSignal): Promise<LocalTurn>
  /** Returns `undefined` if the key has waiters or a holder in this process. */
  tryEnter(key: Key): LocalTurn | undefined
  lastOutcome(key: Key): LastOutcome
  /** Returns the leases of all keys that are held. */
  holders(): readonly Observable[]
}

type Admit = (turn: LocalTurn) => void

interface Line {
  readonly waiting: Set<Admit>
  holder?: Observable | undefined
  lastOutcome: LastOutcome
}

/** Resolves with the caller's turn. Rejects with the signal's reason. */
function waitInLine({ waiting }: Line, signal: AbortSignal): Promise<LocalTurn> {
  return new Promise((resolve, reject) => {
    const quit = (): void => {
      waiting.delete(admit)
      reject(signal.reason)
    }
    const admit: Admit = (turn) => {
      signal.removeEventListener('abort', quit)
      resolve(turn)
    }
    waiting.add(admit)
    signal.addEventListener('abort', quit, { once: true })
  })
}

export function createLocalQueue(): LocalQueue {
  const lines = new Map<Key, Line>()

  function open(key: Key, line: Line): LocalTurn {
    let left = false
    return {
      get lastOutcome() {
        return line.lastOutcome
      },
      hold(lease) {
        if (!left) line.holder = lease
      },
      leave() {
        if (left) return
        left = true
        line.holder = undefined
        admitNext(key, line)
      },
      report(lastOutcome) {
        if (!left) line.lastOutcome = lastOutcome
      },
    }
  }

  function admitNext(key: Key, line: Line): void {
    const next = line.waiting.values().next().value
    if (next === undefined) {
      lines.delete(key)
      return
    }
    line.waiting.delete(next)
    next(open(key, line))
  }

  function begin(key: Key): LocalTurn {
    const line: Line = { waiting: new Set(), lastOutcome: 'nothing' }
    lines.set(key, line)
    return open(key, line)
  }

  return {
    tryEnter: (key) => (lines.has(key) ? undefined : begin(key)),
    async enter(key, signal) {
      signal.throwIfAborted()
      const line = lines.get(key)
      return line === undefined ? begin(key) : waitInLine(line, signal)
    },
    lastOutcome: (key) => lines.get(key)?.lastOutcome ?? 'nothing',
    holders: () => Array.from(lines.values(), ({ holder }) => holder).filter((holder) => holder !== undefined),
  }
}
