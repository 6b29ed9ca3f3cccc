/**
 * Locks inside one process. This is the executable specification of a backend: the other backends do the same with a
 * server.
 *
 * A key is free, held (a token, a fence, an end) or, for `GRACE_MS` after it became free, reserved for its first
 * waiter. Fences come from one counter for all keys, so an unused key leaves no state behind.
 */
import type { Clock, Timer } from '../../../std/clock.ts'
import type { Capabilities, Lease, LeaseRequest, LockBackend } from '../../backend.ts'
import { composeFence } from '../../fencing/fence-store.ts'
import type { Attempt, Extension, Inspection, Key, Release, Ticket, Token } from '../../lock.ts'
import { aborted } from '../../outage.ts'
import type { DurableMemoryOptions, MemoryOptions } from './options.ts'
import { createQueue, GRACE_MS, type Queue } from './wait-entries.ts'

interface Holder {
  readonly token: Token
  readonly fence: bigint
  endsMs: number
}

interface Entry {
  holder?: Holder | undefined
  reserved?: { readonly token: Token; readonly endsMs: number } | undefined
  readonly queue: Queue
  alarm?: Timer | undefined
}

type MemoryFencing = 'always' | 'within-epoch'

class MemoryBackend<F extends MemoryFencing> implements LockBackend<MemoryFencing> {
  readonly name = 'memory'
  readonly capabilities: Capabilities<F>
  readonly #epoch: bigint
  readonly #clock: Clock
  readonly #entries = new Map<Key, Entry>()
  #counter = 0n

  constructor(clock: Clock, fencing: F, epoch: bigint) {
    this.#clock = clock
    this.capabilities = { fencing, wakes: true, fair: true }
    this.#epoch = epoch
  }

  async tryAcquire(request: LeaseRequest, signal: AbortSignal): Promise<Attempt<MemoryFencing>> {
    return signal.aborted ? aborted(signal) : this.#attempt(request)
  }

  async tryAcquireMany(
    requests: readonly LeaseRequest[],
    signal: AbortSignal,
  ): Promise<readonly Attempt<MemoryFencing>[]> {
    return requests.map((request) => (signal.aborted ? aborted(signal) : this.#attempt(request)))
  }

  async extend({ key, token, ttlMs }: LeaseRequest, signal: AbortSignal): Promise<Extension> {
    if (signal.aborted) return aborted(signal)
    const entry = this.#entryOf(key)
    const held = entry.holder?.token === token ? entry.holder : undefined
    if (held !== undefined) held.endsMs = Math.max(held.endsMs, this.#clock.monotonicMs() + ttlMs)
    this.#settle(key, entry)
    return held === undefined ? { kind: 'lost' } : { kind: 'extended', ttlMs }
  }

  async release({ key, token }: Lease, signal: AbortSignal): Promise<Release> {
    if (signal.aborted) return aborted(signal)
    const entry = this.#entryOf(key)
    const held = entry.holder?.token === token
    if (held) entry.holder = undefined
    if (entry.reserved?.token === token) entry.reserved = undefined
    entry.queue.leave(token)
    this.#settle(key, entry)
    return { kind: held ? 'released' : 'lost' }
  }

  async inspect(key: Key, signal: AbortSignal): Promise<Inspection> {
    if (signal.aborted) return aborted(signal)
    const entry = this.#entryOf(key)
    const { holder } = entry
    this.#settle(key, entry)
    if (holder === undefined) return { kind: 'free' }
    return { kind: 'held', remainingMs: holder.endsMs - this.#clock.monotonicMs(), fence: holder.fence }
  }

  wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void> {
    const waitEntry = this.#entries.get(key)?.queue.find(ticket)
    if (waitEntry === undefined || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        waitEntry.wake = undefined
        waitEntry.seenMs = this.#clock.monotonicMs()
        resolve()
      }
      waitEntry.wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of this.#entries.values()) entry.alarm?.cancel()
    this.#entries.clear()
  }

  #attempt(request: LeaseRequest): Attempt<MemoryFencing> {
    const entry = this.#entryOf(request.key)
    const { holder, reserved } = entry
    if (holder?.token === request.token) {
      return { kind: 'granted', fence: holder.fence, ttlMs: holder.endsMs - this.#clock.monotonicMs() }
    }
    const taken = holder !== undefined || (reserved !== undefined && reserved.token !== request.token)
    const answer = taken ? this.#refuse(entry, request) : this.#grant(entry, request)
    this.#settle(request.key, entry)
    return answer
  }

  #refuse(entry: Entry, request: LeaseRequest): Attempt<MemoryFencing> {
    const now = this.#clock.monotonicMs()
    const remainingMs = (entry.holder?.endsMs ?? entry.reserved?.endsMs ?? now) - now
    if (request.willWait !== true) return { kind: 'held', remainingMs }
    return { kind: 'held', remainingMs, ticket: entry.queue.take(request.token, now).ticket }
  }

  #grant(entry: Entry, { token, ttlMs }: LeaseRequest): Attempt<MemoryFencing> {
    entry.reserved = undefined
    entry.queue.leave(token)
    entry.holder = {
      token,
      fence: composeFence(this.#epoch, ++this.#counter),
      endsMs: this.#clock.monotonicMs() + ttlMs,
    }
    return { kind: 'granted', fence: entry.holder.fence, ttlMs }
  }

  /** Returns the current entry of the key. */
  #entryOf(key: Key): Entry {
    const entry = this.#entries.get(key) ?? { queue: createQueue() }
    this.#settle(key, entry)
    this.#entries.set(key, entry)
    return entry
  }

  /**
   * Updates an entry to the current time: ends expired leases, reserves the key for the next waiter, deletes an empty
   * entry.
   */
  #settle(key: Key, entry: Entry): void {
    const now = this.#clock.monotonicMs()
    if (entry.holder !== undefined && entry.holder.endsMs <= now) entry.holder = undefined
    if (entry.reserved !== undefined && entry.reserved.endsMs <= now) entry.reserved = undefined
    if (entry.holder === undefined && entry.reserved === undefined) reserveForNext(entry, now)
    this.#setAlarm(key, entry, now)
    if (entry.holder === undefined && entry.reserved === undefined) this.#entries.delete(key)
  }

  /** Sets a timer for the end of the lease or reservation, which wakes the next waiter. */
  #setAlarm(key: Key, entry: Entry, now: number): void {
    entry.alarm?.cancel()
    const endsMs = entry.holder?.endsMs ?? entry.reserved?.endsMs
    entry.alarm = endsMs === undefined ? undefined : this.#clock.timer(endsMs - now, () => this.#settle(key, entry))
  }
}

function reserveForNext(entry: Entry, now: number): void {
  const waitEntry = entry.queue.shift(now)
  if (waitEntry === undefined) return
  entry.reserved = { token: waitEntry.token, endsMs: now + GRACE_MS }
  waitEntry.wake?.()
}

/**
 * Creates a fair backend. With an epoch, its fences exceed those of earlier processes. Without one, they start at 1.
 */
export function createMemoryBackend(options: DurableMemoryOptions): LockBackend<'always'>
export function createMemoryBackend(options: MemoryOptions): LockBackend<'within-epoch'>
export function createMemoryBackend(options: MemoryOptions | DurableMemoryOptions): LockBackend {
  if ('epoch' in options && options.epoch !== undefined)
    return new MemoryBackend(options.clock, 'always', options.epoch)
  return new MemoryBackend(options.clock, 'within-epoch', 0n)
}
