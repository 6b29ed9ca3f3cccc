/**
 * What the leader certainly knows of a session, and so how long a lease may be. A follower tells its leader of the pings of
 * its sessions twice in a tick, and the shortest session has two ticks. So the leader may hear of a ping up to a quarter of
 * the session late, or never if the follower is cut off before. A write that was committed later than that proves that it
 * has heard of it.
 */

/** No lease is longer than this share of the session. */
const LEASE_SHARE = 0.6
const TOLD_SHARE = 1 / 4

interface Touch {
  readonly sentMs: number
  readonly answeredMs: number
}

/** The pings of one connection that were answered. All times are of the monotonic clock of this process. */
export class Touches {
  #touches: readonly Touch[]

  /** `sentMs`: when the connection asked to begin or to resume the session, which the leader itself does. */
  constructor(sentMs: number) {
    this.#touches = [{ sentMs, answeredMs: Number.NEGATIVE_INFINITY }]
  }

  answered(sentMs: number, answeredMs: number, sessionMs: number): void {
    const isOfUse = (touch: Touch): boolean => touch.sentMs > answeredMs - sessionMs
    this.#touches = [...this.#touches.filter(isOfUse), { sentMs, answeredMs }]
  }

  /** Returns the end of a lease that was granted by a write of this time. The session cannot end before it. */
  leaseEndMs(sentMs: number, sessionMs: number): number {
    const told = this.#touches.findLast(({ answeredMs }) => answeredMs <= sentMs - sessionMs * TOLD_SHARE)
    return Math.min(sentMs + sessionMs * LEASE_SHARE, (told?.sentMs ?? Number.NEGATIVE_INFINITY) + sessionMs)
  }
}
