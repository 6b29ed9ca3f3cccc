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
  /** Counts a release that somebody else begins among those under way, until `end`. */
  begin(): void
  end(): void
  /** Resolves when nothing is left to release. */
  settled(): Promise<void>
}

const TRIES = { baseMs: 100, maxMs: 2_000, attempts: 4 }
/** Beyond this many at a time, leases are left to their end: an outage must not fill the memory with repairs. */
const MAX_PENDING = 1_000

export function createAbandoner(backend: LockBackend, clock: Clock, callMs: number): Abandoner {
  let underWay = 0
  /** Made only for who waits. */
  let idle: PromiseWithResolvers<void> | undefined

  function end(): void {
    underWay--
    if (underWay > 0) return
    idle?.resolve()
    idle = undefined
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

  function follow(release: Promise<void>): void {
    underWay++
    release.then(end, end)
  }

  return {
    abandon(lease, untilMs) {
      if (underWay < MAX_PENDING) follow(releaseUntil(lease, untilMs))
    },
    begin: () => void underWay++,
    end,
    async settled() {
      if (underWay === 0) return
      idle ??= Promise.withResolvers()
      await idle.promise
      await this.settled()
    },
  }
}
