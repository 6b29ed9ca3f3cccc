/**
 * Group commit: waiting units go to the store together, so that many small requests share one fsync.
 *
 * States, and when a batch is sent:
 *   idle      Nothing waits.
 *   gathering Some units wait. The batch is sent at the end of this turn of the event loop, after all readable sockets
 *             were read. Conditions: no batch is in flight, and at least half as many items wait as were outstanding when
 *             the last batch returned. Therefore the item of a single client never waits, and batches grow with the
 *             load. The batch is sent after LINGER_MS in any case.
 *   full      FULL_ITEMS items wait. The batch is sent even if others are in flight, up to the store's `parallelPuts`.
 * Source of the half: the rule of thumb for PostgreSQL's commit_delay is half the time of a commit. This uses a count
 * instead, because a count does not depend on the disk.
 */
import { failpoint, orMutant } from '#failpoint'
import { IngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import { type RecordedTrace, recordedTrace, withSharedSpan } from '../../telemetry/spans.ts'
import type { StoreWriter, Unit, UnitOutcome } from '../store.ts'

/** Larger batches are hardly cheaper per item, because the fsync is a small part of their time. */
const FULL_ITEMS = 512
const MAX_BATCH_ITEMS = 1_024
const MAX_BATCH_BYTES = 8 * 1_024 * 1_024
const LINGER_MS = 2

export interface GroupCommitOptions {
  readonly store: StoreWriter
  readonly clock: Clock
  /** Maximum number of items that wait or are in flight. Further submissions are refused. Default: 16384. */
  readonly maxPendingItems?: number
  /** The same limit in bytes of content. Default: 64 MiB. */
  readonly maxPendingBytes?: number
  /** Runs a callback after the events of this turn of the event loop. Default: setImmediate. */
  readonly defer?: (callback: () => void) => void
  readonly onBatch?: (batch: { readonly items: number; readonly units: number; readonly ms: number }) => void
}

export interface GroupCommit {
  /** Resolves when the unit is durable. Rejects with IngotError OVERLOADED if too much waits, or with the store's error. */
  submit(unit: Unit): Promise<UnitOutcome>
  /** Resolves when a submission would be accepted. Rejects with the signal's reason. */
  waitForCapacity(signal: AbortSignal): Promise<void>
  /** Returns the number of items that wait or are in flight. */
  pendingItems(): number
  /** Returns the bytes of their content. */
  pendingBytes(): number
  /** Returns the age of the oldest unit that waits or is in flight, in milliseconds; 0 if there is none. */
  oldestMs(): number
}

interface Waiting {
  readonly unit: Unit
  /** Monotonic milliseconds of its submission. */
  readonly sinceMs: number
  readonly bytes: number
  readonly trace: RecordedTrace | undefined
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
  readonly #capacityWaiters = new Set<() => void>()
  /** Batches in flight. The first unit of a batch is its oldest. */
  readonly #sent = new Set<readonly Waiting[]>()
  #queuedItems = 0
  #pendingItems = 0
  #pendingBytes = 0
  #underWay = 0
  /** Number of items that were outstanding when the last batch returned. */
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
    const sinceMs = this.#options.clock.monotonicMs()
    const trace = recordedTrace()
    return new Promise((resolve, reject) => this.#queue.push({ unit, sinceMs, bytes, trace, resolve, reject }))
  }

  waitForCapacity(signal: AbortSignal): Promise<void> {
    return this.#isFull() ? waitForCapacity(this.#capacityWaiters, signal) : Promise.resolve()
  }

  pendingItems(): number {
    return this.#pendingItems
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  oldestMs(): number {
    let sinceMs = this.#queue[0]?.sinceMs ?? Number.POSITIVE_INFINITY
    for (const [first] of this.#sent) sinceMs = Math.min(sinceMs, first?.sinceMs ?? sinceMs)
    return Number.isFinite(sinceMs) ? this.#options.clock.monotonicMs() - sinceMs : 0
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
    this.#sent.add(batch)
    // never rejects: every outcome goes to the units' own promises
    void this.#commit(batch, items)
  }

  #settled(batch: readonly Waiting[], items: number): void {
    this.#lastLoad = items + this.#queuedItems
    this.#underWay--
    this.#sent.delete(batch)
    this.#pendingItems -= items
    this.#pendingBytes -= sum(batch, (waiting) => waiting.bytes)
    this.#planTurn()
    if (!this.#isFull()) for (const waiter of this.#capacityWaiters) waiter()
  }

  async #commit(batch: readonly Waiting[], items: number): Promise<void> {
    const { store, clock, onBatch } = this.#options
    const startMs = clock.monotonicMs()
    const units = batch.map((waiting) => waiting.unit)
    failpoint('before-commit')
    const span = { name: 'ingot.commit', attributes: { 'ingot.items': items, 'ingot.units': units.length } }
    const traces = batch.map((waiting) => waiting.trace)
    const result = await outcomesOf(withSharedSpan(span, traces, () => store.put(units, clock.wallMs())))
    failpoint('after-commit')
    // before the promises resolve: items that clients send next do not count as part of this load
    this.#settled(batch, items)
    if ('failure' in result) {
      for (const waiting of batch) waiting.reject(result.failure)
      return
    }
    onBatch?.({ items, units: batch.length, ms: clock.monotonicMs() - startMs })
    for (const [index, waiting] of batch.entries()) {
      const outcome = result.outcomes[index]
      if (outcome === undefined)
        waiting.reject(new IngotError('INTERNAL', 'the store returned fewer outcomes than units'))
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

/** Removes and returns the longest head of the queue that fits a batch, at least one unit. */
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

/** Resolves when its entry in `waiters` is called. Rejects with the signal's reason. */
export function waitForCapacity(waiters: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      waiters.delete(done)
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const abort = (): void => {
      waiters.delete(done)
      reject(toError(signal.reason))
    }
    if (signal.aborted) return abort()
    waiters.add(done)
    signal.addEventListener('abort', abort, { once: true })
  })
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
