/**
 * Releases that nobody waits for: of attempts whose answer never came (their command may have landed), of places in
 * queues, of leases granted too late. Tried a few times; after that the lease's own end is what frees the key.
 */
import type { Clock } from '../std/clock.ts'
import { fullJitter } from '../std/retry.ts'
import type { Lease, LockBackend } from './backend.ts'
import { createDeadline } from './deadline.ts'
import { callTimeUp } from './outage.ts'

export interface Abandoner {
  /** Releases in the background until the backend has answered, or `untilMs` (monotonic) makes it pointless. */
  abandon(lease: Lease, untilMs: number): void
  /** Counts a release that somebody else began among those under way. */
  follow(release: Promise<unknown>): void
  /** Resolves when nothing is left to release. */
  settled(): Promise<void>
}

const TRIES = { baseMs: 100, maxMs: 2_000, attempts: 4 }
/** Beyond this many at a time, leases are left to their end: an outage must not fill the memory with repairs. */
const MAX_PENDING = 1_000

export function createAbandoner(backend: LockBackend, clock: Clock, callMs: number): Abandoner {
  const pending = new Set<Promise<unknown>>()

  function follow(release: Promise<unknown>): void {
    pending.add(release)
    const forget = (): void => void pending.delete(release)
    release.then(forget, forget)
  }

  async function releaseOnce(lease: Lease): Promise<boolean> {
    using call = createDeadline({ clock, ms: callMs, fault: callTimeUp })
    return (await backend.release(lease, call.signal)).kind !== 'unavailable'
  }

  async function releaseUntil(lease: Lease, untilMs: number): Promise<void> {
    if (await releaseOnce(lease)) return
    for (const delayMs of fullJitter(TRIES)) {
      await clock.sleep(delayMs)
      if (clock.monotonicMs() >= untilMs || (await releaseOnce(lease))) return
    }
  }

  return {
    abandon(lease, untilMs) {
      if (pending.size < MAX_PENDING) follow(releaseUntil(lease, untilMs))
    },
    follow,
    async settled() {
      while (pending.size > 0) await Promise.allSettled(pending)
    },
  }
}
