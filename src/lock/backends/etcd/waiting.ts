/** Waits until an entry is deleted. Keeps the waiter's own lease alive meanwhile. */
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import type { Gateway } from './gateway.ts'
import type { Leases, ServerLease } from './leases.ts'
import { isDeletion, watchEntry } from './requests.ts'

/** A watch takes a connection. Waiters beyond this number look again each second. */
const MAX_WATCHES = 64
const POLL_MS = 1_000
/** Time between two renewals of a waiter's lease, in milliseconds. The shortest lease has two seconds. */
const RENEW_MS = 600

const isOver = (): Error => new Error('the wait is over')

export interface Watches {
  /** Resolves when the entry is gone, after an error, or when the signal aborts. Never rejects. */
  untilDeleted(name: string, revision: bigint, own: ServerLease, signal: AbortSignal): Promise<void>
}

export function createWatches(gateway: Gateway, leases: Leases, clock: Clock): Watches {
  let watching = 0

  async function watch(name: string, revision: bigint, signal: AbortSignal): Promise<void> {
    if (watching >= MAX_WATCHES) return clock.sleep(POLL_MS, signal)
    watching++
    try {
      await gateway.first('watch', watchEntry(name, revision), isDeletion, signal)
    } finally {
      watching--
    }
  }

  async function renew(own: ServerLease, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RENEW_MS, signal)
      await leases.keep(own, own.ttlMs)
    }
  }

  return {
    async untilDeleted(name, revision, own, signal) {
      using deadline = createDeadline({ clock, ms: Number.POSITIVE_INFINITY, timeoutError: isOver, parent: signal })
      const ended = [watch(name, revision, deadline.signal), renew(own, deadline.signal)]
      await Promise.race(ended).catch(() => {})
      deadline.end(isOver())
      await Promise.allSettled(ended)
    },
  }
}
