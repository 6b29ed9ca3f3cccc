/**
 * Releases that nobody waits for: of leases whose release was not answered, of attempts whose answer never came (their
 * command may have landed), of places in queues, of leases granted too late. Tried until the lease has ended by itself:
 * while a master hands over, a release that is given up early keeps everybody from the key for the rest of the lease.
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
  /** Resolves when nothing is left to release. From now on a release is tried for 3 s more at most. */
  settle(): Promise<void>
}

const PAUSES = { baseMs: 100, maxMs: 1_000 }
/** A hand-over fits in; who closes during an outage does not wait for the end of the lease. */
const CLOSING_MS = 3_000
/** Beyond this many at a time, leases are left to their end: an outage must not fill the memory with repairs. */
const MAX_PENDING = 1_000

export function createAbandoner(backend: LockBackend, clock: Clock, callMs: number): Abandoner {
  let underWay = 0
  let closesMs = Number.POSITIVE_INFINITY
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
    for (const delayMs of fullJitter(PAUSES)) {
      await clock.sleep(delayMs)
      if (clock.monotonicMs() >= Math.min(untilMs, closesMs) || (await releaseOnce(lease))) return
    }
  }

  async function idleness(): Promise<void> {
    if (underWay === 0) return
    idle ??= Promise.withResolvers()
    await idle.promise
    await idleness()
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
    settle() {
      closesMs = Math.min(closesMs, clock.monotonicMs() + CLOSING_MS)
      return idleness()
    },
  }
}
