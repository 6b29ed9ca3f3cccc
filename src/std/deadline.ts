/** A signal that aborts at a deadline or when its parent aborts. Disposing it removes its timer and its listener. */
import type { Clock } from './clock.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Aborts now, with this reason. */
  end(reason: Error): void
  /** Milliseconds until the deadline, at least 0. */
  remainingMs(): number
}

export interface DeadlineOptions {
  readonly clock: Clock
  /** Time until the deadline, in milliseconds from now. Infinity sets no deadline. */
  readonly ms: number
  /** Returns the abort reason at the deadline. */
  readonly timeoutError: () => Error
  /** If it aborts, this signal aborts with the same reason. */
  readonly parent?: AbortSignal | undefined
  /** If true, keeps the process alive until the deadline passes or is disposed. Default: false. */
  readonly keepsAlive?: boolean
}

export function createDeadline({ clock, ms, timeoutError, parent, keepsAlive = false }: DeadlineOptions): Deadline {
  const controller = new AbortController()
  const endsMs = clock.monotonicMs() + ms
  const timer =
    ms === Number.POSITIVE_INFINITY
      ? undefined
      : clock.timer(ms, () => controller.abort(timeoutError()), { keepsAlive })
  const follow = (): void => controller.abort(parent?.reason)
  parent?.addEventListener('abort', follow, { once: true })
  if (parent?.aborted === true) follow()
  return {
    signal: controller.signal,
    end: (reason) => controller.abort(reason),
    remainingMs: () => Math.max(0, endsMs - clock.monotonicMs()),
    [Symbol.dispose]() {
      timer?.cancel()
      parent?.removeEventListener('abort', follow)
    },
  }
}
