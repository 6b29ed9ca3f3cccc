/**
 * Group commit: whatever waits goes to the store together, so that many small requests share one fsync.
 *
 * When to send, in words:
 *   idle      nothing waits.
 *   gathering something waits. The batch goes at the end of this turn of the event loop (all sockets that were readable
 *             have been read by then) if nothing is under way and as many items wait as half of those that were
 *             outstanding together last time: a lone client's item therefore never waits, and under load the batch
 *             grows with the load. It goes after LINGER_MS in any case.
 *   full      FULL_ITEMS wait: the batch goes even while others are under way, up to the store's `parallelPuts`.
 * Source of the half: the rule of thumb for PostgreSQL's commit_delay, half the time of a commit, taken by count
 * instead, because a count needs no knowledge of the disk.
 */
import { failpoint, orMutant } from '#failpoint'
import type { Clock, Timer } from '../../std/clock.ts'
import { IngotError } from '../../std/error.ts'
import type { StoreWriter, Unit, UnitOutcome } from '../store.ts'

/** From here on a larger batch is hardly cheaper per item: the fsync is a small part of its time. */
const FULL_ITEMS = 512
const MAX_BATCH_ITEMS = 1_024
const MAX_BATCH_BYTES = 8 * 1_024 * 1_024
const LINGER_MS = 2

export interface GroupCommitOptions {
  readonly store: StoreWriter
  readonly clock: Clock
  /** Items that may wait or be under way before submissions are refused. Default: 16384. */
  readonly maxPendingItems?: number
  /** The same in bytes of content. Default: 64 MiB. */
  readonly maxPendingBytes?: number
  /** Runs a callback after the events of this turn. Default: setImmediate. */
  readonly defer?: (callback: () => void) => void
  readonly onBatch?: (batch: { readonly items: number; readonly units: number; readonly ms: number }) => void
}

export interface GroupCommit {
  /** Resolves when the unit is durable. Throws IngotError OVERLOADED when too much waits, or what the store threw. */
  submit(unit: Unit): Promise<UnitOutcome>
  /** Resolves when a submission would be taken. Rejects with the signal's reason. */
  room(signal: AbortSignal): Promise<void>
  /** Items that wait or are under way. */
  pendingItems(): number
}

interface Waiting {
  readonly unit: Unit
  readonly bytes: number
  readonly resolve: (outcome: UnitOutcome) => void
  readonly reject: (failure: unknown) => void
}

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  return new AdaptiveGroupCommit(orMutant('group-commit', options))
}

class AdaptiveGroupCommit implements GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #maxItems: number
  readonly #maxBytes: number
  readonly #queue: Waiting[] = []
  readonly #roomSeekers = new Set<() => void>()
  #queuedItems = 0
  #pendingItems = 0
  #pendingBytes = 0
  #underWay = 0
  /** Items that were outstanding together when the last batch came back. */
  #lastLoad = 0
  #turnPlanned = false
  #linger: Timer | undefined

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#maxItems = options.maxPendingItems ?? 16_384
    this.#maxBytes = options.maxPendingBytes ?? 64 * 1_024 * 1_024
  }

  submit(unit: Unit): Promise<UnitOutcome> {
    if (this.#isFull())
      return Promise.reject(new IngotError('OVERLOADED', `${this.#pendingItems} items wait to be stored`))
    const bytes = sum(unit.items, (item) => item.content.length)
    this.#queuedItems += unit.items.length
    this.#pendingItems += unit.items.length
    this.#pendingBytes += bytes
    this.#planTurn()
    return new Promise((resolve, reject) => this.#queue.push({ unit, bytes, resolve, reject }))
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#isFull() ? waitForCapacity(this.#roomSeekers, signal) : Promise.resolve()
  }

  pendingItems(): number {
    return this.#pendingItems
  }

  #isFull(): boolean {
    return this.#pendingItems >= this.#maxItems || this.#pendingBytes >= this.#maxBytes
  }

  #planTurn(): void {
    if (this.#turnPlanned) return
    this.#turnPlanned = true
    const defer = this.#options.defer ?? setImmediate
    defer(() => {
      this.#turnPlanned = false
      this.#sendWhatIsReady()
    })
  }

  #isReady(): boolean {
    if (this.#queuedItems >= FULL_ITEMS) return true
    return this.#underWay === 0 && this.#queuedItems >= Math.min(FULL_ITEMS, this.#lastLoad / 2)
  }

  #sendWhatIsReady(): void {
    const { store, clock } = this.#options
    while (this.#queue.length > 0 && this.#underWay < store.capabilities.parallelPuts && this.#isReady()) this.#send()
    if (this.#queue.length === 0 || this.#underWay > 0) return
    this.#linger ??= clock.timer(LINGER_MS, () => {
      this.#linger = undefined
      if (this.#queue.length > 0 && this.#underWay === 0) this.#send()
    })
  }

  #send(): void {
    this.#linger?.cancel()
    this.#linger = undefined
    const batch = takeBatch(this.#queue)
    const items = sum(batch, (waiting) => waiting.unit.items.length)
    this.#queuedItems -= items
    this.#underWay++
    // never rejects: every outcome goes to the units' own promises
    void this.#commit(batch, items)
  }

  #settled(batch: readonly Waiting[], items: number): void {
    this.#lastLoad = items + this.#queuedItems
    this.#underWay--
    this.#pendingItems -= items
    this.#pendingBytes -= sum(batch, (waiting) => waiting.bytes)
    this.#planTurn()
    if (!this.#isFull()) for (const seeker of this.#roomSeekers) seeker()
  }

  async #commit(batch: readonly Waiting[], items: number): Promise<void> {
    const { store, clock, onBatch } = this.#options
    const startMs = clock.monotonicMs()
    const units = batch.map((waiting) => waiting.unit)
    failpoint('before-commit')
    const result = await outcomesOf(store.put(units, clock.wallMs()))
    failpoint('after-commit')
    // before anybody hears of it: who sends its next item at once is not part of this load
    this.#settled(batch, items)
    if ('failure' in result) {
      for (const waiting of batch) waiting.reject(result.failure)
      return
    }
    onBatch?.({ items, units: batch.length, ms: clock.monotonicMs() - startMs })
    for (const [index, waiting] of batch.entries()) {
      const outcome = result.outcomes[index]
      if (outcome === undefined)
        waiting.reject(new IngotError('INTERNAL', 'the store answered for fewer units than it got'))
      else waiting.resolve(outcome)
    }
  }
}

type PutResult = { readonly outcomes: readonly UnitOutcome[] } | { readonly failure: unknown }

async function outcomesOf(put: Promise<readonly UnitOutcome[]>): Promise<PutResult> {
  try {
    return { outcomes: await put }
  } catch (failure) {
    return { failure }
  }
}

/** The longest head of the queue within the bounds of a batch, but at least one unit. */
function takeBatch(queue: Waiting[]): Waiting[] {
  const maxItems = failpoint('commit/one-by-one') ? 1 : MAX_BATCH_ITEMS
  let items = 0
  let bytes = 0
  const end = queue.findIndex((waiting, index) => {
    items += waiting.unit.items.length
    bytes += waiting.bytes
    return index > 0 && (items > maxItems || bytes > MAX_BATCH_BYTES)
  })
  return queue.splice(0, end === -1 ? queue.length : end)
}

function sum<T>(of: readonly T[], amount: (one: T) => number): number {
  let total = 0
  for (const one of of) total += amount(one)
  return total
}

/** Resolves when one of `seekers` is called; rejects with the signal's reason. */
export function waitForCapacity(seekers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      seekers.delete(done)
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const abort = (): void => {
      seekers.delete(done)
      reject(toError(signal.reason))
    }
    if (signal.aborted) return abort()
    seekers.add(done)
    signal.addEventListener('abort', abort, { once: true })
  })
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
