/**
 * The latest events of this replica, in a ring of fixed size. A reader has only a position and asks for what came since,
 * so a slow reader costs no memory. It gets the number of events that it missed.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../std/clock.ts'

/** Events have neither contents nor ids of items, nor keys of locks. */
export type ServiceEvent =
  | { readonly type: 'service.started' | 'service.leaving' | 'service.draining' }
  | { readonly type: 'store.available' }
  | { readonly type: 'store.unavailable'; readonly code: string }
  | { readonly type: 'store.epoch'; readonly epoch: string }
  | {
      readonly type: 'breaker.changed'
      readonly breaker: 'locks' | 'cache'
      readonly state: 'closed' | 'half-open' | 'open'
    }
  | { readonly type: 'collection.defined' | 'collection.deleted'; readonly collection: string }

export type PublishedEvent = ServiceEvent & {
  /** Number of the event in this process, from 1. */
  readonly seq: number
  /** Wall time in milliseconds since the Unix epoch. */
  readonly atMs: number
}

export interface EventsSince {
  readonly events: readonly PublishedEvent[]
  /** Number of events after the position that are not kept any more. */
  readonly missed: number
}

export interface EventFeed {
  /** Differs in each process, so that a position of an earlier process is recognised. */
  readonly run: string
  publish(event: ServiceEvent): void
  /** Returns the kept events with a number above `seq`. */
  since(seq: number): EventsSince
  /** Calls `wake` after the next events. Returns the function that ends this. */
  subscribe(wake: () => void): () => void
}

/** Number of events that are kept. */
export const KEPT_EVENTS = 256

export function createEventFeed(clock: Pick<Clock, 'wallMs'>, kept = KEPT_EVENTS): EventFeed {
  const ring: PublishedEvent[] = []
  const readers = new Set<() => void>()
  let last = 0
  return {
    run: randomBytes(4).toString('hex'),
    publish(event) {
      ring.push({ ...event, seq: ++last, atMs: clock.wallMs() })
      if (ring.length > kept) ring.shift()
      for (const wake of readers) wake()
    },
    since(seq) {
      const oldest = last - ring.length + 1
      return { events: ring.slice(Math.max(0, seq - oldest + 1)), missed: Math.max(0, oldest - 1 - seq) }
    },
    subscribe(wake) {
      readers.add(wake)
      return () => readers.delete(wake)
    },
  }
}
