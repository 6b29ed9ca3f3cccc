/** Collects what the parts of the service know of their state, for the status and the events. */
import { createEventFeed, type EventFeed } from '../http/events/feed.ts'
import type { StorePool } from '../items/store-registration.ts'
import type { Locker } from '../lock/locker.ts'
import type { Breaker } from '../std/breaker.ts'
import type { Clock } from '../std/clock.ts'

export interface ServiceWatch {
  readonly events: EventFeed
  readonly breakers: ReadonlyMap<'locks' | 'cache', Breaker>
  readonly locker: Pick<Locker, 'observe'> | undefined
  /** Registers a breaker, and publishes its changes. */
  watchBreaker(name: 'locks' | 'cache', breaker: Breaker): void
  watchLocker(locker: Pick<Locker, 'observe'>): void
  /** Returns the state of the connections to a shared store now, or `undefined` without such a store. */
  pool(): StorePool | undefined
  watchPool(read: () => StorePool): void
  /** Publishes an epoch that differs from the last one. */
  sawEpoch(epoch: string): void
  /** Publishes a change of the store's availability. `code` is that of the failure, absent if it is available. */
  sawStore(code: string | undefined): void
}

export function createServiceWatch(clock: Clock): ServiceWatch {
  const events = createEventFeed(clock)
  const breakers = new Map<'locks' | 'cache', Breaker>()
  let locker: Pick<Locker, 'observe'> | undefined
  let readPool: (() => StorePool) | undefined
  let epoch: string | undefined
  let isDown = false
  return {
    events,
    breakers,
    get locker() {
      return locker
    },
    watchBreaker(name, breaker) {
      breakers.set(name, breaker)
      breaker.onChange((state) => events.publish({ type: 'breaker.changed', breaker: name, state }))
    },
    watchLocker: (opened) => void (locker = opened),
    pool: () => readPool?.(),
    watchPool: (read) => void (readPool = read),
    sawEpoch(now) {
      if (now !== epoch) events.publish({ type: 'store.epoch', epoch: now })
      epoch = now
    },
    sawStore(code) {
      if (code !== undefined && !isDown) events.publish({ type: 'store.unavailable', code })
      if (code === undefined && isDown) events.publish({ type: 'store.available' })
      isDown = code !== undefined
    },
  }
}
