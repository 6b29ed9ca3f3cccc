/** A signal that aborts when time is up or when another signal does, and that leaves nothing behind on either. */
import type { Clock } from './clock.ts'

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Aborts now, with this reason. */
  end(reason: Error): void
  /** Milliseconds until it passes; at least 0. */
  remainingMs(): number
}

export interface DeadlineOptions {
  readonly clock: Clock
  /** From now on. Infinite: time never ends it. */
  readonly ms: number
  /** The abort reason when time is up. */
  readonly timeoutError: () => Error
  /** Aborts this one too, with its own reason. */
  readonly parent?: AbortSignal | undefined
  /** Keeps the process alive until it is disposed or has passed. Default: false. */
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
