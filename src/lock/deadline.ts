/** A signal that aborts when time is up or when another signal does, and that leaves nothing behind on either. */
import type { Clock } from '../std/clock.ts'
import type { Fault } from '../std/fault.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Milliseconds until it passes; at least 0. */
  remainingMs(): number
}

export interface DeadlineOptions {
  readonly clock: Clock
  /** From now on. */
  readonly ms: number
  /** The abort reason when time is up. */
  readonly fault: () => Fault
  /** Aborts this one too, with its own reason. */
  readonly parent?: AbortSignal | undefined
}

export function createDeadline({ clock, ms, fault, parent }: DeadlineOptions): Deadline {
  const controller = new AbortController()
  const endsMs = clock.monotonicMs() + ms
  const timer = clock.timer(ms, () => controller.abort(fault()))
  const follow = (): void => controller.abort(parent?.reason)
  parent?.addEventListener('abort', follow, { once: true })
  if (parent?.aborted === true) follow()
  return {
    signal: controller.signal,
    remainingMs: () => Math.max(0, endsMs - clock.monotonicMs()),
    [Symbol.dispose]() {
      timer.cancel()
      parent?.removeEventListener('abort', follow)
    },
  }
}
